/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: threads that were made with all signals blocked (Mesa's workers, GLib's
 * helpers): our signal alone is let through, and the application does not
 * notice. Before a call by which it could, the thread's mask is what the
 * application believes it to be.
 * Owner: a table of the process; an entry is its thread's until the collector
 * has seen that the thread is gone.
 * Threads: plan on the creator; begin and all calls that stand for the C
 * library's on the thread itself, in signal handlers, too: no lock, no
 * allocation. The rest is the collector's.
 *
 * When it may be noticed, it is not done, or no longer:
 * - The main thread blocks our signal: then somebody may wait for it. Where it
 *   does not, the kernel gives it what is sent to the process.
 * - A thread that waits for our signal (sigwait(), signalfd()), or a handler
 *   for it: all threads block it again.
 * - The thread reads or changes its mask, or makes a process.
 * What the C library does inside of itself (sigsetjmp() with the mask,
 * swapcontext()) saves and restores the mask as it is.
 */
#pragma once

#include <signal.h>

#include <glib.h>
#include <sys/types.h>

#include "kernel-clock.h"

G_BEGIN_DECLS

/* What a thread that is about to be made does about its mask. */
typedef struct {
  enum {
    PYRO_MASK_STAYS,   /* nothing */
    PYRO_MASK_UNBLOCK, /* lets the signal through */
  } kind;
  gint signo;
} PyroMaskPlan;

/* The calling thread's mask gives a reason to plan something. */
gboolean pyro_unblocking_is_due (void);

/* MAY: nobody expects the thread to look at its mask but by the C library. */
PyroMaskPlan pyro_unblocking_plan (gboolean may);

/* Around the making of a thread or a process: what is made begins with the mask
 * that its creator believes to have, so that nobody gives it a timer before its
 * first act. Returns what show() needs. */
gint pyro_unblocking_hide (void);
void pyro_unblocking_show (gint hidden);

/* The new thread's first act. */
void pyro_unblocking_begin (PyroMaskPlan plan);

/* the collector */

/* From now on new threads let SIGNO through; 0: they do not. */
void pyro_unblocking_allow (gint signo, PyroWakeup *collector);

/* The application waits for SIGNO, or has taken it: all threads block it again,
 * each when it runs next. TRUE: that is done. */
gboolean pyro_unblocking_end (gint signo);

/* Ends it where that was asked for by one of the wrappers. */
void pyro_unblocking_tick (void);

typedef struct _PyroUnblocked PyroUnblocked;

/* NULL: the thread's mask is what it believes. To be asked before the mask is
 * read from /proc, and, if it lets the signal through, once more: the thread
 * may have begun to in between. */
PyroUnblocked *pyro_unblocked_find (pid_t tid);

/* The thread deletes its timer itself when it restores its mask. FALSE: it has
 * done so: TIMER_ID must not be started, and is deleted. */
gboolean pyro_unblocked_lend_timer (PyroUnblocked *unblocked, gint timer_id);
/* FALSE: it is deleted. */
gboolean pyro_unblocked_take_timer (PyroUnblocked *unblocked);
/* It has no timer any more, and gets none. */
gboolean pyro_unblocked_is_over (const PyroUnblocked *unblocked);

/* The thread TID is gone. If another one has its id, that keeps what it has. */
void pyro_unblocked_release (pid_t tid);

/* Releases those that went while no collector looked; nobody has a timer. */
void pyro_unblocking_sweep (void);

/* After fork(), in the child. */
void pyro_unblocking_fork_child (void);

G_END_DECLS
