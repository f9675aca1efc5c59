/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the workers of a library that makes them with all signals blocked, as
 * Mesa does; the program is linked with it.
 * Owner: the caller joins them.
 * Threads: any.
 */
#pragma once

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

typedef struct {
  /* What the worker does; NULL: it burns until it shall end. */
  void (*task) (void);
  volatile bool shall_end;
  volatile int tid;
  pthread_t thread;
} Worker;

void worker_start (Worker *worker);
void worker_join (Worker *worker);

/* What the calling thread, or the process that it makes, sees of itself: bit
 * (signo - 1). By the C library, or as the kernel has it. */
unsigned long long worker_mask (void);
unsigned long long kernel_mask (int tid);
