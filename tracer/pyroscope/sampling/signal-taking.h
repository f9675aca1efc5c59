/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: applications that take the signal that we use. What they install is
 * theirs at once as far as they can see; in the kernel our handler stays in
 * front of it until no tick of ours can come any more, so that theirs is never
 * called by one.
 * Owner: the process. A signal that is ours has an action "behind" ours: what
 * was there before, or what the application installed since.
 * Threads: the functions in the place of the C library's on any thread, in
 * signal handlers, too (sigaction() is async-signal-safe): no lock, no
 * allocation. The rest is the collector's.
 */
#pragma once

#include <signal.h>

#include <glib.h>

#include "kernel-clock.h"

G_BEGIN_DECLS

/* Whether signals of this number can be watched at all. */
gboolean pyro_signal_can_be_ours (gint signo);

/* Ours is about to be installed over BEFORE. */
void pyro_signal_take (gint signo, const struct sigaction *before);

/* What the application sees of SIGNO. FALSE: it is not ours. */
gboolean pyro_signal_get_behind (gint signo, struct sigaction *behind);

/* The application has taken SIGNO: no timer may use it, and when no tick of it
 * can come any more, it is to be handed over. */
gboolean pyro_signal_is_leaving (gint signo);
void pyro_signal_hand_over (gint signo);

/* Somebody installed an action past the wrappers. */
void pyro_signal_lost (gint signo);

/* WAKEUP is the collector's, sent when a signal begins to leave. NULL: there is
 * none, and there are no timers: signals are handed over at once. */
void pyro_signal_set_collector (PyroWakeup *wakeup);

/* After fork(), in the child: no timer was inherited. */
void pyro_signal_fork_child (void);

/* The application reads HANDLER, which is ours, back as the default action. */
void pyro_signal_hide_handler (void (*handler) (int, siginfo_t *, void *));

/* In the place of the functions of these names. */
int pyro_signal_wrap_sigaction (int signo, const struct sigaction *action,
                                struct sigaction *before);
void (*pyro_signal_wrap_signal (int signo, void (*handler) (int))) (int);
void (*pyro_signal_wrap_sysv_signal (int signo, void (*handler) (int))) (int);

G_END_DECLS
