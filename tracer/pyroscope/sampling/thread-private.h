/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: what the two files about a thread share: thread.c keeps the balance of
 * its CPU time, thread-timer.c its timer.
 * Owner: see thread.h.
 * Threads: the collector.
 *
 * All times of a thread are on one clock, its CPU clock as thread->clock
 * believes it, and this holds between any two calls:
 *   base_ns <= told_ns       what was reported, with a stack or without
 *   counted_ns <= told_ns    told_ns when the period in force began
 *   next_ns                  when that period's first expiration was due
 *   clock_ns                 what the last check read
 * A sample, or CPU time without one, moves told_ns on, and nothing else does.
 * So the ring is emptied before anything is compared with told_ns (the rest is
 * reported, the period changes, what is missing is explained), and a period
 * that changes notes next_ns and counted_ns anew. Of the record's lost_ns and
 * lost_weight, those of the same names here were reported.
 */
#pragma once

#include "thread.h"

/* FALSE: it is gone. */
gboolean pyro_thread_read_clock (PyroThread *thread, gint64 *ns);

/* Reports NS without a stack. WEIGHT: see PyroThreadsSink. */
void
pyro_thread_tell (PyroThread *thread, PyroUnsampledReason reason, gint64 ns,
                  guint64 weight, const PyroThreadsSink *sink, gpointer data);
