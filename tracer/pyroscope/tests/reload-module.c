/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A library of one function, which a test loads, calls and closes. Built
 * several times, each time with another name for it. */

#include <time.h>

long RELOAD_FUNCTION (long ns);

static long
now (void)
{
  struct timespec time;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &time);
  return time.tv_sec * 1000000000 + time.tv_nsec;
}

/* Uses so much CPU time; returns how much it was. */
__attribute__ ((visibility ("default"), noinline)) long
RELOAD_FUNCTION (long ns)
{
  long begin = now ();
  volatile long i;

  do
    for (i = 0; i < 20000; i++)
      ;
  while (now () - begin < ns);
  return now () - begin;
}
