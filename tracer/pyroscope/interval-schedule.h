/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: when an interval ends and its profile is delivered. The first ones are
 * short and double until they are as long as they may be: a process that ends
 * without a word has delivered most of what it did. What has come to its end is
 * delivered soon, since the process may end next.
 * Owner: plain data, the collector's.
 * Threads: one at a time.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Times are monotonic, in microseconds. */
typedef struct {
  gint64 max_length, length;
  gint64 end;
  gint64 pause_end;   /* 0: there was no pause */
  gint64 next_pause;  /* pauses do not count before that */
  gint64 rest_end;    /* 0: something plays, as far as is known */
  gboolean from_rest; /* it began when nothing played */
} PyroIntervalSchedule;

/* An interval begins at NOW. */
void pyro_interval_schedule_init (PyroIntervalSchedule *schedule, gint64 now,
                                  gint64 max_length);

/* A stream or a pipeline has come to its end; others go on. Ends the interval
 * 200 ms later, and that once in the time of the longest: elements that come
 * and go all the time end no intervals. */
void pyro_interval_schedule_pause (PyroIntervalSchedule *schedule, gint64 now);

/* The last pipeline is at rest. Ends the interval 30 ms later (an orderly end
 * of the process has one profile, not two), but not the one after that, too. */
void pyro_interval_schedule_rest (PyroIntervalSchedule *schedule, gint64 now);

/* When to ask the next one at the latest. */
gint64 pyro_interval_schedule_next_end (const PyroIntervalSchedule *schedule);

gboolean pyro_interval_schedule_is_over (const PyroIntervalSchedule *schedule,
                                         gint64 now);

/* The interval ends at NOW, for whatever reason, and the next one begins.
 * IS_EMPTY: there is nothing to deliver. */
void pyro_interval_schedule_next (PyroIntervalSchedule *schedule, gint64 now,
                                  gboolean is_empty);

G_END_DECLS
