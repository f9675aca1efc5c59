/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A module that comes and goes. Built several times, each time with a frame of
 * another size at the same place. */

void churn_call (void (*callback) (void *), void *data);

__attribute__ ((visibility ("default"))) void
churn_call (void (*callback) (void *), void *data)
{
  volatile char room[CHURN_FRAME];

  room[0] = 1;
  callback (data);
  room[CHURN_FRAME - 1] = room[0];
}

/* More CFI of the same kind, so that it is worth to be compressed. */
#define MORE(n)                                                  \
  __attribute__ ((visibility ("default"))) void churn_call_##n ( \
      void (*callback) (void *), void *data);                    \
  void churn_call_##n (void (*callback) (void *), void *data)    \
  {                                                              \
    churn_call (callback, data);                                 \
    callback (data);                                             \
  }
#ifdef CHURN_MORE
MORE (0) MORE (1) MORE (2) MORE (3) MORE (4) MORE (5) MORE (6) MORE (7)
#endif
