/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a profile adds up to: the CPU clocks of the process.
 */

#include <math.h>
#include <time.h>

#include "profiled.h"

static guint64
process_time (void)
{
  struct timespec time;

  clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &time);
  return (guint64)time.tv_sec * GST_SECOND + (guint64)time.tv_nsec;
}

static void
set_rate (guint rate)
{
  g_autoptr (GObject) tracer = pyro_profiled_tracer ();

  g_object_set (tracer, "sample-rate", rate, NULL);
}

/* Of several threads, and some that come and go. All that is not exact is the
 * last period of each thread, whose phase is random: of 10 ms and in some 15
 * threads that is 16 ms, one standard error; less than 0.5 % of a long run. */
static void
expect_the_clocks (guint rate)
{
  guint64 error_ns
      = pyro_profiled_scale () < 3 ? G_GUINT64_CONSTANT (4000000000) / rate : 0;
  g_autoptr (GstElement) pipeline = pyro_launch (
      "clocks", "pyroburnsrc name=source data-cost=2000 ! tee name=t "
                "t. ! queue ! pyroburn data-cost=5000 ! fakesink async=false "
                "t. ! queue ! pyroburn data-cost=3000 ! fakesink async=false");
  g_autoptr (PyroCaptured) captured = NULL;
  guint64 begin, used, all, with_element;

  set_rate (rate);
  pyro_profiled_begin ();
  begin = process_time ();
  for (guint i = 0; i < 4; i++) {
    pyro_play (pipeline);
    pyro_wait_for_cpu (pipeline, 1500);
    gst_element_set_state (pipeline, GST_STATE_READY);
  }
  used = process_time () - begin;
  gst_element_set_state (pipeline, GST_STATE_NULL);
  captured = pyro_profiled_end ();

  all = pyro_captured_cpu (captured, NULL);
  fail_unless (all > used - used * 5 / 1000 - error_ns
                   && all < used + used * 5 / 1000 + error_ns,
               "%" G_GUINT64_FORMAT " us are told of %" G_GUINT64_FORMAT,
               all / 1000, used / 1000);
  with_element = all - pyro_captured_cpu (captured, "element", NULL, NULL);
  GST_INFO ("%u Hz: %.1f ms told, %.1f ms used, %.2f %% with an element", rate,
            (gdouble)all / 1e6, (gdouble)used / 1e6,
            (gdouble)with_element * 100 / (gdouble)all);
  fail_unless (with_element * 100 >= all * 95,
               "only %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
               " us carry an element",
               with_element / 1000, all / 1000);
}

GST_START_TEST (at_100_hz_samples_add_up_to_the_clocks)
{
  expect_the_clocks (100);
}
GST_END_TEST

GST_START_TEST (at_1000_hz_samples_add_up_to_the_clocks)
{
  expect_the_clocks (1000);
}
GST_END_TEST

/* Threads that live for 200 ms: what they used before they had a timer, and
 * after its last expiration, is in the sum. Where the last period of each
 * thread ends is random: that is 0.41 periods, one standard error (the root of
 * 1/6). */
static void
expect_the_clocks_of_short_pipelines (guint rate)
{
  /* Long enough that 0.5 % are four standard errors. */
  const guint n_pipelines
      = pyro_profiled_scale () < 3 ? 10 : 48 * pyro_profiled_scale ();
  const guint n_threads = 3 * n_pipelines;
  gdouble error_ns = 0.41 * GST_SECOND / rate * sqrt (n_threads);
  g_autoptr (PyroCaptured) captured = NULL;
  guint64 begin;
  gdouble used, all, limit, with_element;

  set_rate (rate);
  pyro_profiled_begin ();
  begin = process_time ();
  for (guint i = 0; i < n_pipelines; i++) {
    g_autoptr (GstElement) pipeline = pyro_launch (
        "short", "pyroburnsrc data-cost=1000 ! pyroburn data-cost=1000 ! queue "
                 "! pyroburn data-cost=2000 ! queue ! pyroburn data-cost=500 ! "
                 "fakesink");

    pyro_play (pipeline);
    g_usleep (200000);
    gst_element_set_state (pipeline, GST_STATE_NULL);
  }
  used = (gdouble)(process_time () - begin);
  captured = pyro_profiled_end ();

  all = (gdouble)pyro_captured_cpu (captured, NULL);
  with_element
      = all - (gdouble)pyro_captured_cpu (captured, "element", NULL, NULL);
  limit = MAX (used * 0.005, 4 * error_ns);
  GST_INFO ("short, %u Hz: %.1f ms told, %.1f ms used, %.2f %% with an element",
            rate, all / 1e6, used / 1e6, with_element * 100 / all);
  fail_unless (fabs (all - used) < limit,
               "%.1f ms are told of %.1f; %.1f are allowed to differ",
               all / 1e6, used / 1e6, limit / 1e6);
  /* Of threads with several elements, what no sample saw has none. */
  with_element += (gdouble)pyro_captured_cpu (captured, "element", NULL,
                                              "attribution", "unsampled", NULL);
  fail_unless (with_element > all * 0.9, "only %.1f %% are somebody's",
               with_element * 100 / all);
}

GST_START_TEST (at_100_hz_short_pipelines_add_up_to_the_clocks)
{
  expect_the_clocks_of_short_pipelines (100);
}
GST_END_TEST

GST_START_TEST (at_1000_hz_short_pipelines_add_up_to_the_clocks)
{
  expect_the_clocks_of_short_pipelines (1000);
}
GST_END_TEST

/* Two elements that are done at exactly 16 and 20 of every 20 ms of their
 * thread's CPU clock: a sampler with a fixed period of 10 ms sees the same two
 * moments for ever. (Where the CPU clock keeps step with a tick of 4 ms, the
 * kernel shows five moments of them, whatever the period is: a share that is no
 * fifth could not be told exactly.) */
GST_START_TEST (exactly_regular_work_is_not_mistaken)
{
  g_autoptr (GstElement) pipeline = pyro_launch (
      "regular", "pyroburnsrc ! pyroburn name=long period=20000 phase=16000 ! "
                 "pyroburn name=short period=20000 phase=0 ! fakesink");
  g_autoptr (PyroCaptured) captured = NULL;

  set_rate (100);
  captured = pyro_play_for (pipeline, 5000);
  pyro_expect_elements (captured, pipeline, "long", "short", NULL);
}
GST_END_TEST

static Suite *
make_suite (void)
{
  Suite *suite = suite_create ("clocks");
  TCase *tcase = tcase_create ("clocks");

  suite_add_tcase (suite, tcase);
  tcase_add_test (tcase, at_100_hz_samples_add_up_to_the_clocks);
  tcase_add_test (tcase, at_1000_hz_samples_add_up_to_the_clocks);
  tcase_add_test (tcase, at_100_hz_short_pipelines_add_up_to_the_clocks);
  tcase_add_test (tcase, at_1000_hz_short_pipelines_add_up_to_the_clocks);
  tcase_add_test (tcase, exactly_regular_work_is_not_mistaken);
  return suite;
}

int
main (int argc, char **argv)
{
  return pyro_profiled_main (argc, argv, "", make_suite);
}
