/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the thread that sends what is in the store to the server: one request
 * after another, on one connection, in its own time.
 * Owner: the sender owns its target and connection; the store is borrowed.
 * Threads: new, free and fork_child from the delivery's owner.
 */
#pragma once

#include "push.h"
#include "store.h"

#include <pthread.h>

G_BEGIN_DECLS

typedef struct _PyroSender PyroSender;

/* Takes TARGET over. QUIET: while not 0 nothing is said (atomic). */
PyroSender *
pyro_sender_new (const PyroSettings *settings, PyroPushTarget *target,
                 PyroStore *store, gboolean has_spool, const gint *quiet);
/* The thread has ended, or there was none. */
void pyro_sender_free (PyroSender *sender);

/* What a push of REQUEST came to; on the sender's thread. */
typedef void (*PyroSenderObserver) (const PyroPushOutcome *outcome,
                                    GBytes *request, gpointer user_data);

/* Before it runs. */
void pyro_sender_observe (PyroSender *sender, PyroSenderObserver observer,
                          gpointer user_data);

/* Runs until the store is closed and what can be sent is; at most until its
 * stop time. For pyro_own_thread_create(). */
void *pyro_sender_run (void *sender);

/* After the end of its thread: whether it was reported why the last push
 * failed. SENDER may be NULL. */
gboolean pyro_sender_has_warned (const PyroSender *sender);

/* In the child of a fork(). */
void pyro_sender_fork_child (PyroSender *sender);

G_END_DECLS
