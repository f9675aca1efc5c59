/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "worker-module.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *
work (void *data)
{
  Worker *worker = data;

  worker->tid = gettid ();
  if (worker->task != NULL)
    worker->task ();
  while (!worker->shall_end)
    for (int i = 0; i < 10000; i++)
      __asm__ volatile("" : : "r"(i));
  return NULL;
}

void
worker_start (Worker *worker)
{
  sigset_t all, before;

  sigfillset (&all);
  pthread_sigmask (SIG_BLOCK, &all, &before);
  if (pthread_create (&worker->thread, NULL, work, worker) != 0)
    abort ();
  pthread_sigmask (SIG_SETMASK, &before, NULL);
}

void
worker_join (Worker *worker)
{
  worker->shall_end = true;
  pthread_join (worker->thread, NULL);
}

unsigned long long
worker_mask (void)
{
  unsigned long long mask = 0;
  sigset_t set;

  pthread_sigmask (SIG_SETMASK, NULL, &set);
  for (int signo = 1; signo <= 64; signo++)
    if (sigismember (&set, signo) == 1)
      mask |= 1ULL << (signo - 1);
  return mask;
}

unsigned long long
kernel_mask (int tid)
{
  char path[64], line[256];
  unsigned long long mask = 0;
  FILE *file;

  snprintf (path, sizeof path, "/proc/self/task/%d/status", tid);
  file = fopen (path, "re");
  if (file == NULL)
    abort ();
  while (fgets (line, sizeof line, file) != NULL)
    if (strncmp (line, "SigBlk:", 7) == 0)
      mask = strtoull (line + 7, NULL, 16);
  fclose (file);
  return mask;
}
