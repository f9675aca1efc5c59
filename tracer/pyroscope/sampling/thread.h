/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: one thread of the process as the collector sees it: its timer, its
 * ring, and the balance of its CPU time.
 * Owner: threads.c; a PyroThread owns its ring, its timer and, once adopted,
 * its announcements.
 * Threads: the collector.
 */
#pragma once

#include "announcement.h"
#include "bounded-clock.h"
#include "rings.h"
#include "thread-record.h"
#include "threads.h"
#include "unblocking.h"

typedef struct {
  PyroThreadRecord record; /* first: a slot leads to the thread */
  PyroThreadInfo info;
  PyroRings rings;
  PyroAnnouncement *announcements; /* by next_adopted */
  gint timer_id;
  gboolean armed;
  PyroUnblocked *unblocked;   /* NULL, or it has the timer, too */
  gboolean seen;              /* by the scan that is going on */
  PyroUnsampledReason reason; /* of CPU time while it is not armed */

  /* On the thread's own CPU clock. Whatever is told of the thread, with a
   * stack or without, moves TOLD_NS on; what is missing to the clock has still
   * to be told. */
  PyroBoundedClock clock;
  gint64 impossible_ns; /* of its steps, not yet reported */
  gint64 base_ns;       /* where the session began to count */
  gint64 told_ns;
  gint64 clock_ns;  /* at the last check */
  gint64 busy_ns;   /* between the last two checks */
  gint64 looked_ns; /* at the last check that looked at its timer */

  /* The timer: when it expires, and what had been told before that, since its
   * period is what it is. */
  gint64 next_ns, counted_ns;

  guint64 lost_ns, lost_weight; /* of the record's, what has been told */
  gint64 name_time, account_time;
  gint64 account_wait;           /* microseconds */
  gint64 retry_time, retry_wait; /* of a thread that blocks our signal */
  guint n_looks;                 /* at a mask that is not certain */
  gboolean stack_is_looked_for;  /* in its control block */
} PyroThread;

/* What timers are made of. */
typedef struct {
  guint rate; /* Hz */
  gint signo; /* 0: none is available */
  gint error; /* errno of the last timer that the kernel refused */
  guint32 generation;
  guint32 random;
} PyroTimerPlan;

typedef enum {
  PYRO_ARM_DONE,
  PYRO_ARM_REFUSED, /* this thread is not to be sampled */
  PYRO_ARM_SHORT,   /* RLIMIT_SIGPENDING is used up */
} PyroArmResult;

/* NULL: there is no such thread any more. Its CPU time so far is still to be
 * told, as far as it can have used it since SINCE (monotonic, microseconds). */
PyroThread *pyro_thread_new (pid_t tid, gint64 since);

/* Begins to count from what its clock says now. */
void pyro_thread_start (PyroThread *thread);

/* Only when the thread is gone, or its record was never shown to a handler. */
void pyro_thread_free (PyroThread *thread);

/* Gives it a timer, if it MAY_HAVE_TIMER, and tells SINK (or NULL) what it used
 * without one. */
PyroArmResult pyro_thread_arm (PyroThread *thread, PyroTimerPlan *plan,
                               gboolean may_have_timer,
                               const PyroThreadsSink *sink, gpointer data);

/* REASON: why its time has no stack from now on. */
void pyro_thread_disarm (PyroThread *thread, PyroUnsampledReason reason);

/* A new period for an armed thread. Without FROM_ANEW it counts from the last
 * expiration on, so that nothing is lost or counted twice. FALSE: the timer's
 * thread is gone, and another one has its id. */
gboolean pyro_thread_change_period (PyroThread *thread, PyroTimerPlan *plan,
                                    gboolean from_anew);

/* Its ring holds what comes at RATE until the collector reads it. FALSE: it has
 * none. */
gboolean pyro_thread_fit_ring (PyroThread *thread, guint rate);

/* The thread with this id is not the one that the record was made for. */
gboolean pyro_thread_is_replaced (PyroThread *thread);

/* Empties its ring. NOW: microseconds, 0: its name is not read again. */
void pyro_thread_drain (PyroThread *thread, gint64 now,
                        const PyroThreadsSink *sink, gpointer data);

/* Empties its ring; then tells the CPU time that is missing to its clock, for
 * REASON. */
void pyro_thread_tell_rest (PyroThread *thread, PyroUnsampledReason reason,
                            const PyroThreadsSink *sink, gpointer data);

/* For a thread that is gone, and has left word of its end: tells what it used
 * without a timer, or the expirations that the kernel, which looks with its
 * tick, had not noticed yet: all of them, where it lived for less than that. */
void pyro_thread_tell_end (PyroThread *thread, const PyroThreadsSink *sink,
                           gpointer data);

/* The same for a thread without a timer, more seldom the less it does. TRUE: it
 * is time to try to arm it again. A thread that blocks all signals may do so
 * only for a moment (the C library blocks them while it makes a thread). */
gboolean pyro_thread_account (PyroThread *thread, gint64 now,
                              const PyroThreadsSink *sink, gpointer data);

/* Measures how busy it was; finds out whether its samples arrive, and tells
 * what does not. NOW: microseconds. FALSE: it is replaced. */
gboolean pyro_thread_check (PyroThread *thread, gint64 now, PyroTimerPlan *plan,
                            const PyroThreadsSink *sink, gpointer data);

/* Its timer has expired, but kernels notice that only in a tick that meets the
 * thread: one that runs for moments between ticks is met seldom. The overruns
 * of that expiration will tell all of the time. */
gboolean pyro_thread_is_overdue (PyroThread *thread);

/* Looks for its stack, if nobody has told it, where the handler has seen its
 * control block. */
void pyro_thread_find_stack (PyroThread *thread);

/* Its label word and its stack are found by ANNOUNCEMENT from now on. */
void pyro_thread_adopt (PyroThread *thread, PyroAnnouncement *announcement);
