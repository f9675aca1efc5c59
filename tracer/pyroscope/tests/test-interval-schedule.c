/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "interval-schedule.h"

#define MS G_TIME_SPAN_MILLISECOND
#define SECOND G_USEC_PER_SEC
#define BEGIN (1000 * SECOND)

/* Without pauses, from TIME on; returns when the interval has ended. */
static gint64
run_to_end (PyroIntervalSchedule *schedule, gint64 time)
{
  gint64 end = pyro_interval_schedule_next_end (schedule);

  g_assert_true (end <= time
                 || !pyro_interval_schedule_is_over (schedule, end - 1));
  g_assert_true (pyro_interval_schedule_is_over (schedule, MAX (end, time)));
  while (!pyro_interval_schedule_is_over (schedule, time))
    time += 10 * MS;
  pyro_interval_schedule_next (schedule, time, FALSE);
  return time;
}

static void
test_first_intervals (void)
{
  static const gint64 lengths[] = { 1, 2, 4, 8, 10, 10 };
  PyroIntervalSchedule schedule;
  gint64 now = BEGIN;

  pyro_interval_schedule_init (&schedule, now, 10 * SECOND);
  for (guint i = 0; i < G_N_ELEMENTS (lengths); i++) {
    gint64 end = run_to_end (&schedule, now);

    g_assert_cmpint (end - now, ==, lengths[i] * SECOND);
    now = end;
  }
  pyro_interval_schedule_init (&schedule, now, 500 * MS);
  g_assert_cmpint (run_to_end (&schedule, now), ==, now + 500 * MS);
}

static void
test_pauses (void)
{
  PyroIntervalSchedule schedule;
  gint64 now = BEGIN;

  pyro_interval_schedule_init (&schedule, now, 10 * SECOND);
  pyro_interval_schedule_pause (&schedule, now);
  /* A later one puts it off: a pipeline that ends says so twice. */
  pyro_interval_schedule_pause (&schedule, now + 100 * MS);
  g_assert_cmpint (run_to_end (&schedule, now), ==, BEGIN + 300 * MS);
  now = BEGIN + 300 * MS;
  for (guint i = 0; i < 9; i++)
    pyro_interval_schedule_pause (&schedule, now + i * 100 * MS);
  g_assert_cmpint (run_to_end (&schedule, now), ==, now + 2 * SECOND);
  pyro_interval_schedule_pause (&schedule, now + 10 * SECOND);
  g_assert_cmpint (run_to_end (&schedule, now + 10 * SECOND), <=,
                   now + 10 * SECOND + 200 * MS);
}

static void
test_pause_without_samples (void)
{
  PyroIntervalSchedule schedule;
  gint64 now = BEGIN;

  pyro_interval_schedule_init (&schedule, now, 10 * SECOND);
  pyro_interval_schedule_pause (&schedule, now);
  pyro_interval_schedule_next (&schedule, now + 200 * MS, TRUE);
  now += 300 * MS;
  pyro_interval_schedule_pause (&schedule, now);
  g_assert_cmpint (run_to_end (&schedule, now), ==, now + 200 * MS);
}

static void
test_rest (void)
{
  PyroIntervalSchedule schedule;
  gint64 now = BEGIN + 700 * MS;

  pyro_interval_schedule_init (&schedule, BEGIN, 10 * SECOND);
  pyro_interval_schedule_rest (&schedule, now);
  g_assert_cmpint (run_to_end (&schedule, now), ==, now + 30 * MS);
  now += 30 * MS;
  /* One pipeline after another: not a profile for each. */
  pyro_interval_schedule_rest (&schedule, now);
  g_assert_cmpint (run_to_end (&schedule, now), ==, now + 2 * SECOND);
  now += 2 * SECOND;
  pyro_interval_schedule_rest (&schedule, now);
  g_assert_cmpint (run_to_end (&schedule, now), ==, now + 30 * MS);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func (
      "/interval-schedule/the first intervals double to the longest",
      test_first_intervals);
  g_test_add_func (
      "/interval-schedule/one pause in the longest ends an interval",
      test_pauses);
  g_test_add_func ("/interval-schedule/a pause without samples does not count",
                   test_pause_without_samples);
  g_test_add_func ("/interval-schedule/rest ends one interval, not two",
                   test_rest);
  return g_test_run ();
}
