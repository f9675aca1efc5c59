/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: a CPU clock whose readings are believed only as far as they can be
 * true: a thread cannot use more CPU time than has passed.
 * Owner: the caller.
 * Threads: one at a time.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Clocks jump where a virtual machine was halted or moved, and where somebody
 * emulates the system call. A jump is left out, and the clock goes on from
 * where it was. */
typedef struct {
  gint64 last_ns;   /* the last reading, without jumps */
  gint64 time;      /* not after it; monotonic, microseconds */
  gint64 credit_ns; /* what it may be ahead of the time, at most */
  gint64 jumps_ns;  /* all of them */
} PyroBoundedClock;

/* It said NS at TIME, or later. */
void pyro_bounded_clock_start (PyroBoundedClock *clock, gint64 ns, gint64 time);

/* It says READ_NS; the caller read the time BEFORE. N_CPUS: how many it may
 * count at once. Returns the reading without jumps, and adds to *IMPOSSIBLE_NS
 * what could not be. A clock that runs backwards is another one: it is
 * returned, and not noted. */
gint64
pyro_bounded_clock_take (PyroBoundedClock *clock, gint64 read_ns, gint64 before,
                         guint n_cpus, gint64 *impossible_ns);

/* What a clock of one CPU can show by now at the most. */
gint64 pyro_bounded_clock_limit (const PyroBoundedClock *clock);

G_END_DECLS
