/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: threads that codecs and elements make: each begins with the label word
 * of the element that owns it, and announces itself.
 * Owner: a new thread's node stack is made by its creator and belongs to the
 * thread from its start on.
 * Threads: the wrapper runs on any thread, under whatever its caller has
 * locked.
 */
#pragma once

#include <pthread.h>

#include <glib.h>

G_BEGIN_DECLS

/* In the place of pthread_create(): same arguments, same results. */
int pyro_workers_create (pthread_t *thread, const pthread_attr_t *attributes,
                         void *(*start) (void *), void *argument);

/* The generation of the session that runs (see hooks.c); 0: threads and tasks
 * of pools are passed through. */
void pyro_workers_set_generation (guint generation);
guint pyro_workers_get_generation (void);
/* Sets it to 0 if it is GENERATION. */
void pyro_workers_end_generation (guint generation);

G_END_DECLS
