/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A library that makes threads as soon as it is loaded, as OpenBLAS does. */

#include <pthread.h>
#include <time.h>

#define N_THREADS 2
#define BURN_MS 500

static void *
work (void *data)
{
  struct timespec used;

  pthread_setname_np (pthread_self (), "constructed");
  do
    clock_gettime (CLOCK_THREAD_CPUTIME_ID, &used);
  while (used.tv_sec * 1000 + used.tv_nsec / 1000000 < BURN_MS);
  return NULL;
}

__attribute__ ((constructor)) static void
construct (void)
{
  pthread_t threads[N_THREADS];

  for (int i = 0; i < N_THREADS; i++)
    if (pthread_create (&threads[i], NULL, work, NULL) == 0)
      pthread_detach (threads[i]);
}
