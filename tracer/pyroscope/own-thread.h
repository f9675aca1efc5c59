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

/* Starts RUN (DATA) on a stack of STACK_SIZE bytes; not a GThread, whose stack
 * has no size to choose. Returns 0, or the errno of pthread_create(3).
 *
 * The application's signals are not for this thread, nor what its own writes
 * raise (SIGPIPE, SIGXFSZ). Only faults stay as they are: blocked, they would
 * get past the application's crash reporter, or past the SIGSYS handler of its
 * sandbox. */
gint pyro_own_thread_create (pthread_t *thread, gsize stack_size,
                             void *(*run) (void *), void *data);

G_END_DECLS
