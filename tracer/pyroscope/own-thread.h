/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: how the profiler's own threads are made.
 * Owner: the caller owns the thread, and joins or detaches it.
 * Threads: any.
 */
#pragma once

#include <pthread.h>

#include <glib.h>

G_BEGIN_DECLS

typedef enum {
  PYRO_OWN_THREAD_PROMPT,    /* must read rings in time; uses little CPU */
  PYRO_OWN_THREAD_IN_BEHIND, /* may take long: 10 nicer than the process */
} PyroOwnThreadKind;

/* Starts RUN (DATA) on a stack of STACK_SIZE bytes; not a GThread, whose stack
 * has no size to choose. Returns 0, or the errno of pthread_create(3).
 *
 * The application's signals are not for this thread, nor what its own writes
 * raise (SIGPIPE, SIGXFSZ). Only faults stay as they are: blocked, they would
 * get past the application's crash reporter, or past the SIGSYS handler of its
 * sandbox.
 *
 * The caller may be any thread of the application, one that plays audio with
 * real-time priority on a core of its own among them. Nothing of that is
 * inherited: the thread has the usual scheduling policy, the nice value of the
 * main thread (but not below 0), the CPUs of all threads together, the usual
 * class of input and output and the usual slack of its waits. What the process
 * as a whole was started with (taskset, nice, numactl) stays. What is refused
 * (a nice value cannot be lowered without privileges) stays as inherited. */
gint pyro_own_thread_create (pthread_t *thread, gsize stack_size,
                             PyroOwnThreadKind kind, void *(*run) (void *),
                             void *data);

G_END_DECLS
