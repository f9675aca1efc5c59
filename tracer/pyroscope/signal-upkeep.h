/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: which signal drives the sampling, for as long as the application leaves
 *   it alone, and another one then.
 * Owner: the session.
 * Threads: the collector.
 */
#pragma once

#include <glib.h>

#include "kernel-clock.h"
#include "sampling/threads.h"

G_BEGIN_DECLS

typedef struct {
  gint signo;        /* 0: none is available */
  gint64 time, wait; /* when to look again, how long after */
  gint64 since;
  gboolean lost; /* which was reported */
  PyroWakeup *wakeup;
} PyroSignalUpkeep;

/* Takes the first signal. Threads that have to be looked at send WAKEUP. */
void pyro_signal_upkeep_begin (PyroSignalUpkeep *upkeep, PyroThreads *threads,
                               PyroWakeup *wakeup, const PyroThreadsSink *sink,
                               gpointer data);

/* Somebody may have put another handler or the default over ours: leaves it
 * there and goes on with another signal. NOW is monotonic, in microseconds. */
void pyro_signal_upkeep_tick (PyroSignalUpkeep *upkeep, PyroThreads *threads,
                              gint64 now, const PyroThreadsSink *sink,
                              gpointer data);

/* Gives all signals back. */
void pyro_signal_upkeep_end (PyroSignalUpkeep *upkeep, PyroThreads *threads);

G_END_DECLS
