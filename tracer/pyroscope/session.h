/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: one run of the profiler: the collector's thread and its loop.
 * Owner: the tracer owns the session; the session owns its threads. What the
 * signal handler may look at (thread records, tables, maps) outlives it.
 * Threads: one session at a time in a process. Functions may be called from
 * any thread but a signal handler; none but stop waits for anything.
 */
#pragma once

#include "delivery/delivery.h"
#include "settings.h"

G_BEGIN_DECLS

typedef struct _PyroSession PyroSession;

/* What a session did, for the line at its end. */
typedef struct {
  guint64 samples;
  guint64 dropped; /* by full rings */
  guint64 truncated;
  guint64 impossible_ns; /* left out: clocks cannot have counted it */
  guint64 intervals;
  PyroDeliveryStats delivery;
} PyroSessionStats;

/* Starts the collector. SETTINGS are copied. NULL and ERROR where its thread
 * cannot be made. */
PyroSession *pyro_session_new (const PyroSettings *settings, GError **error);

/* Of the intervals that have ended so far, and of their profiles. */
void pyro_session_get_stats (PyroSession *session, PyroSessionStats *stats);

/* Ends the interval now. */
void pyro_session_flush (PyroSession *session);

/* A stream or a pipeline has come to its end, and perhaps the process with it:
 * the interval ends 200 ms later, or 30 ms later if no element is in use any
 * more. See interval-schedule.h. */
void pyro_session_pause (PyroSession *session);

/* From now on RATE (Hz) counts; ends the interval. */
void pyro_session_set_rate (PyroSession *session, guint rate);

/* Takes the last samples, delivers, ends the threads; at most stop-timeout, or
 * 0.1 s if that is longer. Frees SESSION, or leaves it to a thread that could
 * not end in time. FALSE: not everything was delivered, which is reported. */
gboolean pyro_session_stop (PyroSession *session, PyroSessionStats *stats);

/* Around fork(). In the child the threads of SESSION (or NULL) are not there:
 * it is forgotten with all that belongs to it. */
void pyro_session_fork_prepare (void);
void pyro_session_fork_parent (void);
void pyro_session_fork_child (PyroSession *session);

G_END_DECLS
