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
