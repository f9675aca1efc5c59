/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "interval-schedule.h"

#define FIRST_LENGTH_US G_USEC_PER_SEC
#define PAUSE_US (200 * G_TIME_SPAN_MILLISECOND)
/* An orderly end, gst_deinit() or exit(), comes first where it follows. */
#define REST_US (30 * G_TIME_SPAN_MILLISECOND)

void
pyro_interval_schedule_init (PyroIntervalSchedule *schedule, gint64 now,
                             gint64 max_length)
{
  *schedule = (PyroIntervalSchedule){ .max_length = max_length };
  schedule->length = MIN (FIRST_LENGTH_US, max_length);
  schedule->end = now + schedule->length;
}

void
pyro_interval_schedule_pause (PyroIntervalSchedule *schedule, gint64 now)
{
  if (now >= schedule->next_pause)
    schedule->pause_end = now + PAUSE_US;
}

void
pyro_interval_schedule_rest (PyroIntervalSchedule *schedule, gint64 now)
{
  if (!schedule->from_rest && schedule->rest_end == 0)
    schedule->rest_end = now + REST_US;
}

static gboolean
is_after (gint64 end, gint64 now)
{
  return end != 0 && now >= end;
}

gint64
pyro_interval_schedule_next_end (const PyroIntervalSchedule *schedule)
{
  gint64 end = schedule->end;

  if (schedule->rest_end != 0)
    end = MIN (end, schedule->rest_end);
  if (schedule->pause_end != 0)
    end = MIN (end, schedule->pause_end);
  return end;
}

gboolean
pyro_interval_schedule_is_over (const PyroIntervalSchedule *schedule,
                                gint64 now)
{
  return now >= schedule->end || is_after (schedule->rest_end, now)
         || is_after (schedule->pause_end, now);
}

void
pyro_interval_schedule_next (PyroIntervalSchedule *schedule, gint64 now,
                             gboolean is_empty)
{
  if (is_after (schedule->pause_end, now) && !is_empty)
    schedule->next_pause = now + schedule->max_length;
  schedule->from_rest = schedule->rest_end != 0 && !is_empty;
  schedule->rest_end = 0;
  schedule->pause_end = 0;
  schedule->length = MIN (schedule->length * 2, schedule->max_length);
  schedule->end = now + schedule->length;
}
