/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an application can do with the tracer while its pipelines play.
 */

#define GST_USE_UNSTABLE_API
#include "profiled.h"

#include "profile/profile-comments.h"

#define N_RESTARTS 200

static GstElement *
launch_two (const gchar *name)
{
  return pyro_launch (name, "pyroburnsrc name=source data-cost=3000 ! queue ! "
                            "pyroburn name=work data-cost=6000 ! fakesink");
}

static void
wait_for_captures (guint n)
{
  for (guint i = 0; pyro_captured_count (pyro_profiled_folder ()) < n; i++) {
    fail_unless (i < 1000, "no capture after 10 s");
    g_usleep (10000);
  }
}

GST_START_TEST (stop_ends_and_start_begins_again)
{
  g_autoptr (GstElement) pipeline = launch_two ("restarted");
  g_autoptr (PyroCaptured) before = NULL;
  g_autoptr (PyroCaptured) after = NULL;
  guint64 used_before;

  pyro_profiled_begin ();
  pyro_play (pipeline);
  pyro_wait_for_cpu (pipeline, 500);
  before = pyro_profiled_end ();
  fail_unless (pyro_captured_cpu (before, "pipeline", "restarted", NULL) > 0);

  pyro_captured_clear (pyro_profiled_folder ());
  pyro_wait_for_cpu (pipeline, 300);
  fail_unless_equals_int (pyro_captured_count (pyro_profiled_folder ()), 0);

  pyro_profiled_begin ();
  used_before = pyro_used (pipeline);
  pyro_wait_for_cpu (pipeline, 500);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  after = pyro_profiled_end ();
  fail_unless (pyro_captured_cpu (after, "pipeline", "restarted", NULL)
               > (pyro_used (pipeline) - used_before) * 90 / 100);
}
GST_END_TEST

/* Its tasks have told long ago whose they are; what a source does between two
 * buffers is under no hook. */
GST_START_TEST (a_pipeline_that_plays_already_is_known_at_once)
{
  g_autoptr (GstElement) pipeline = launch_two ("playing");
  g_autoptr (PyroCaptured) captured = NULL;
  PyroTruth truth[] = { { "element", "source" }, { "element", "work" } };

  pyro_profiled_emit ("stop");
  pyro_play (pipeline);
  pyro_wait_for_cpu (pipeline, 100);
  pyro_profiled_begin ();
  for (guint i = 0; i < G_N_ELEMENTS (truth); i++)
    truth[i].used_ns = -pyro_used_by (pipeline, truth[i].value);
  pyro_wait_for_cpu (pipeline, 1500);
  for (guint i = 0; i < G_N_ELEMENTS (truth); i++)
    truth[i].used_ns += pyro_used_by (pipeline, truth[i].value);
  captured = pyro_profiled_end ();
  gst_element_set_state (pipeline, GST_STATE_NULL);

  pyro_expect_shares (captured, truth, G_N_ELEMENTS (truth));
  fail_unless (pyro_captured_cpu (captured, "element", "source", "attribution",
                                  "exact", NULL)
               == pyro_captured_cpu (captured, "element", "source", NULL));
}
GST_END_TEST

GST_START_TEST (flush_delivers_while_it_goes_on)
{
  g_autoptr (GstElement) pipeline = launch_two ("flushed");
  g_autoptr (PyroCaptured) flushed = NULL;
  g_autoptr (PyroCaptured) all = NULL;

  pyro_profiled_begin ();
  pyro_play (pipeline);
  pyro_wait_for_cpu (pipeline, 300);
  pyro_profiled_emit ("flush");
  wait_for_captures (1);
  flushed = pyro_captured_read (pyro_profiled_folder ());
  pyro_wait_for_cpu (pipeline, 300);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  all = pyro_profiled_end ();
  fail_unless (pyro_captured_count (pyro_profiled_folder ()) >= 2);
  fail_unless (pyro_captured_cpu (flushed, "pipeline", "flushed", NULL)
               > 150 * GST_MSECOND);
  pyro_expect_time (all, "pipeline=flushed",
                    pyro_captured_cpu (all, "pipeline", "flushed", NULL),
                    pyro_used (pipeline), 5);
}
GST_END_TEST

static guint64
count_of (GstStructure *stats, const gchar *name)
{
  guint64 n;

  fail_unless (gst_structure_get_uint64 (stats, name, &n), "%s", name);
  return n;
}

GST_START_TEST (stats_are_what_became_of_samples_and_profiles)
{
  g_autoptr (GstElement) pipeline = launch_two ("counted");
  g_autoptr (PyroCaptured) captured = NULL;
  g_autoptr (GstStructure) stats = NULL;
  guint64 samples;

  pyro_profiled_begin ();
  pyro_play (pipeline);
  pyro_wait_for_cpu (pipeline, 300);
  pyro_profiled_emit ("flush");
  wait_for_captures (1);
  pyro_wait_for_cpu (pipeline, 100);
  stats = pyro_profiled_stats ();
  pyro_profiled_emit ("flush");
  wait_for_captures (2);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  captured = pyro_profiled_end ();

  samples = count_of (stats, "samples");
  fail_unless (samples > 10 && count_of (stats, "intervals") >= 1);
  fail_unless (count_of (stats, "profiles-captured") >= 1);
  fail_unless (count_of (stats, "samples-dropped") == 0
               && count_of (stats, "profiles-lost") == 0
               && count_of (stats, "profiles-sent") == 0);
  /* Profiles say it of those before them. */
  fail_unless (
      pyro_captured_has_comment (captured, "stats.delivery.captured", "1"));
  pyro_profiled_emit ("stop");
  fail_unless (pyro_profiled_stats () == NULL);
}
GST_END_TEST

static guint
count_captures_with_pauses (guint n, gulong us)
{
  g_autoptr (GstElement) pipeline = launch_two ("busy-meanwhile");
  g_autoptr (PyroCaptured) captured = NULL;

  pyro_profiled_begin ();
  pyro_play (pipeline);
  for (guint i = 0; i < n; i++) {
    g_autoptr (GstElement) element
        = gst_element_factory_make ("identity", NULL);

    gst_element_set_state (element, GST_STATE_READY);
    gst_element_set_state (element, GST_STATE_NULL);
    g_usleep (us);
  }
  gst_element_set_state (pipeline, GST_STATE_NULL);
  captured = pyro_profiled_end ();
  return captured->profiles->len;
}

/* Each could be the end of the work; at most one is delivered for that, the
 * last one at the stop, and the first intervals of 1 s and 2 s. */
GST_START_TEST (elements_that_come_and_go_do_not_end_intervals)
{
  fail_unless (count_captures_with_pauses (40, 50000) <= 4);
}
GST_END_TEST

GST_START_TEST (pauses_end_one_interval_and_not_each)
{
  fail_unless (count_captures_with_pauses (6, 500000) <= 4);
}
GST_END_TEST

GST_START_TEST (a_sample_rate_counts_from_now_on)
{
  g_autoptr (GstElement) pipeline = launch_two ("rated");
  g_autoptr (GObject) tracer = pyro_profiled_tracer ();
  g_autoptr (PyroCaptured) captured = NULL;

  pyro_profiled_begin ();
  pyro_play (pipeline);
  pyro_wait_for_cpu (pipeline, 700);
  g_object_set (tracer, "sample-rate", 50, NULL);
  pyro_wait_for_cpu (pipeline, 700);
  g_object_set (tracer, "sample-rate", 1000, NULL);
  pyro_wait_for_cpu (pipeline, 700);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  captured = pyro_profiled_end ();

  fail_unless (pyro_captured_has_comment (captured, PYRO_COMMENT_RATE, "1000"));
  fail_unless (pyro_captured_has_comment (captured, PYRO_COMMENT_RATE, "50"));
  /* Each change may cost or bring each thread half a period and a tick. */
  pyro_expect_time (captured, "pipeline=rated",
                    pyro_captured_cpu (captured, "pipeline", "rated", NULL),
                    pyro_used (pipeline), 5);
  pyro_expect_elements (captured, pipeline, "source", "work", NULL);
}
GST_END_TEST

GST_START_TEST (labels_selects_what_samples_carry)
{
  g_autoptr (GstElement) pipeline = launch_two ("labelled");
  g_autoptr (GObject) tracer = pyro_profiled_tracer ();
  g_autoptr (PyroCaptured) captured = NULL;
  guint64 all;
  guint before;

  g_object_get (tracer, "labels", &before, NULL);
  gst_util_set_object_arg (tracer, "labels", "element+factory");
  captured = pyro_play_for (pipeline, 400);
  g_object_set (tracer, "labels", before, NULL);

  all = pyro_captured_cpu (captured, NULL);
  fail_unless (pyro_captured_cpu (captured, "element", "work", "factory",
                                  "pyroburn", NULL)
               > 0);
  fail_unless (pyro_captured_cpu (captured, "path", NULL, "pipeline", NULL,
                                  "thread", NULL, "attribution", NULL, NULL)
               == all);
}
GST_END_TEST

GST_START_TEST (a_second_tracer_leaves_the_first_alone)
{
  g_autoptr (GstElement) pipeline = launch_two ("first-of-two");
  g_autoptr (PyroCaptured) captured = NULL;
  GList *factories = gst_tracer_factory_get_list ();
  GObject *other = NULL;
  GstStructure *stats = NULL;
  guint64 before, used;

  pyro_profiled_begin ();
  pyro_play (pipeline);
  before = pyro_used (pipeline);
  for (GList *item = factories; item != NULL; item = item->next)
    if (g_str_equal (GST_OBJECT_NAME (item->data), "pyroscope"))
      other = g_object_new (gst_tracer_factory_get_tracer_type (item->data),
                            "params", "server-url=,output-dir=/nonexistent",
                            NULL);
  gst_plugin_feature_list_free (factories);
  fail_unless (other != NULL);
  for (guint i = 0; i < 3; i++) {
    g_signal_emit_by_name (other, "start");
    g_signal_emit_by_name (other, "flush");
    g_object_get (other, "stats", &stats, NULL);
    fail_unless (stats == NULL);
    g_object_set (other, "sample-rate", 1, NULL);
    pyro_wait_for_cpu (pipeline, 200);
    g_signal_emit_by_name (other, "stop");
  }
  gst_object_unref (other);
  pyro_wait_for_cpu (pipeline, 300);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  used = pyro_used (pipeline) - before;
  captured = pyro_profiled_end ();
  pyro_expect_time (
      captured, "pipeline=first-of-two",
      pyro_captured_cpu (captured, "pipeline", "first-of-two", NULL), used, 5);
}
GST_END_TEST

GST_START_TEST (starts_and_stops_under_load_leave_no_trace)
{
  g_autoptr (GstElement) pipeline = pyro_launch (
      "stressed", "pyroburnsrc data-cost=200 ! pyroburn data-cost=200 ! "
                  "queue max-size-buffers=4 ! pyroburn data-cost=200 ! tee "
                  "name=t t. ! fakesink async=false t. ! fakesink async=false");
  g_autoptr (GstElement) last = launch_two ("after-stress");
  g_autoptr (PyroCaptured) captured = NULL;

  pyro_play (pipeline);
  for (guint i = 0; i < N_RESTARTS; i++) {
    pyro_profiled_emit ("start");
    if (i % 3 == 0)
      pyro_profiled_emit ("flush");
    g_usleep (i % 5 * 1000);
    pyro_profiled_emit ("stop");
    if (i % 7 == 0)
      g_usleep (2000);
  }
  pyro_wait_for_cpu (pipeline, 100);
  gst_element_set_state (pipeline, GST_STATE_NULL);

  captured = pyro_play_for (last, 1000);
  pyro_expect_elements (captured, last, "source", "work", NULL);
}
GST_END_TEST

static Suite *
make_suite (void)
{
  Suite *suite = suite_create ("control");
  TCase *tcase = tcase_create ("control");

  suite_add_tcase (suite, tcase);
  tcase_add_test (tcase, stop_ends_and_start_begins_again);
  tcase_add_test (tcase, a_pipeline_that_plays_already_is_known_at_once);
  tcase_add_test (tcase, flush_delivers_while_it_goes_on);
  tcase_add_test (tcase, stats_are_what_became_of_samples_and_profiles);
  tcase_add_test (tcase, elements_that_come_and_go_do_not_end_intervals);
  tcase_add_test (tcase, pauses_end_one_interval_and_not_each);
  tcase_add_test (tcase, a_sample_rate_counts_from_now_on);
  tcase_add_test (tcase, labels_selects_what_samples_carry);
  tcase_add_test (tcase, a_second_tracer_leaves_the_first_alone);
  tcase_add_test (tcase, starts_and_stops_under_load_leave_no_trace);
  return suite;
}

int
main (int argc, char **argv)
{
  return pyro_profiled_main (argc, argv, ",sample-rate=1000", make_suite);
}
