/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: SIGTERM and SIGINT, where the application leaves them to their default,
 * which is the process's end: the last interval is delivered first, then the
 * process ends by that very signal.
 * Owner: process-wide. An application that installs an action of its own has it
 * from then on; it reads back the default, not ours
 * (sampling/signal-taking.h).
 * Threads: whoever starts and stops the session, one at a time.
 *
 * A thread of its own waits for the signal: the collector may wait for a lock
 * of the application's.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* From now on STOP, which delivers and takes STOP_TIMEOUT seconds at most, runs
 * before such a signal ends the process; if it takes 2 s more, the process ends
 * all the same. A second signal, half a second later or more, does
 * not wait for it. RESUME runs if the process lives on (the first of a
 * container has no default action). */
void pyro_end_signals_watch (void (*stop) (void), void (*resume) (void),
                             guint stop_timeout);

/* Signals have their default action again. Waits for nothing. */
void pyro_end_signals_end (void);

/* In the child of a fork(): the thread is not there. */
void pyro_end_signals_fork_child (void);

G_END_DECLS
