/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Kinds of pipelines: each element has the CPU time that it used.
 *
 * Kernels notice with their tick that a CPU timer is due (4 ms at 250 Hz). What
 * a thread does in less than that after each wake-up may be in step with the
 * tick on a busy machine, where threads are woken and replaced at ticks: an
 * aggregator of 3 ms in front of 1 ms had 3 points less than it used. Hence
 * costs of several milliseconds.
 */

#include <gst/check/gstharness.h>

#include "profiled.h"

GST_START_TEST (two_elements_of_unequal_cost_have_their_shares)
{
  g_autoptr (GstElement) pipeline = pyro_launch (
      "unequal", "pyroburnsrc ! "
                 "pyroburn name=cheap data-cost=3000 ! "
                 "pyroburn name=dear data-cost=12000 ! fakesink");
  g_autoptr (PyroCaptured) captured = pyro_play_for (pipeline, 2500);

  pyro_expect_elements (captured, pipeline, "cheap", "dear", NULL);
}
GST_END_TEST

GST_START_TEST (a_source_and_queues_have_threads_of_their_own)
{
  g_autoptr (GstElement) pipeline = pyro_launch (
      "threads", "pyroburnsrc name=source data-cost=6000 ! "
                 "pyroburn name=first data-cost=3000 ! queue name=one ! "
                 "pyroburn name=second data-cost=9000 ! queue name=two ! "
                 "pyroburn name=third data-cost=1500 ! fakesink");
  g_autoptr (PyroCaptured) captured = pyro_play_for (pipeline, 3000);
  PyroTruth threads[] = {
    { "thread", "source:src",
      pyro_used_by (pipeline, "source") + pyro_used_by (pipeline, "first") },
    { "thread", "one:src", pyro_used_by (pipeline, "second") },
    { "thread", "two:src", pyro_used_by (pipeline, "third") }
  };

  pyro_expect_elements (captured, pipeline, "source", "first", "second",
                        "third", NULL);
  pyro_expect_shares (captured, threads, G_N_ELEMENTS (threads));
}
GST_END_TEST

GST_START_TEST (a_tee_does_not_mix_up_its_branches)
{
  g_autoptr (GstElement) pipeline = pyro_launch (
      "tee", "pyroburnsrc ! tee name=t "
             "t. ! pyroburn name=left data-cost=12000 ! fakesink async=false "
             "t. ! pyroburn name=right data-cost=3000 ! fakesink async=false "
             "t. ! queue ! pyroburn name=apart data-cost=6000 ! "
             "fakesink async=false");
  g_autoptr (PyroCaptured) captured = pyro_play_for (pipeline, 3000);

  pyro_expect_elements (captured, pipeline, "left", "right", "apart", NULL);
}
GST_END_TEST

/* A bin of DEPTH bins in each other with ghost pads, around an element that has
 * one and the same name everywhere. */
static GstElement *
make_bin (const gchar *name, guint depth, guint cost)
{
  GstElement *bin = gst_bin_new (name);
  GstElement *inner;
  g_autoptr (GstPad) sink = NULL;
  g_autoptr (GstPad) src = NULL;

  if (depth > 1) {
    inner = make_bin ("inner", depth - 1, cost);
  } else {
    inner = gst_element_factory_make ("pyroburn", "same");
    g_object_set (inner, "data-cost", cost, NULL);
  }
  gst_bin_add (GST_BIN (bin), inner);
  sink = gst_element_get_static_pad (inner, "sink");
  src = gst_element_get_static_pad (inner, "src");
  gst_element_add_pad (bin, gst_ghost_pad_new ("sink", sink));
  gst_element_add_pad (bin, gst_ghost_pad_new ("src", src));
  return bin;
}

GST_START_TEST (equal_names_in_nested_bins_are_different_paths)
{
  g_autoptr (GstElement) pipeline = gst_pipeline_new ("bins");
  GstElement *source = gst_element_factory_make ("pyroburnsrc", "source");
  GstElement *first = make_bin ("first", 1, 3000);
  GstElement *second = make_bin ("second", 3, 12000);
  GstElement *sink = gst_element_factory_make ("fakesink", NULL);

  gst_bin_add_many (GST_BIN (pipeline), source, first, second, sink, NULL);
  fail_unless (gst_element_link_many (source, first, second, sink, NULL));
  {
    g_autoptr (PyroCaptured) captured = pyro_play_for (pipeline, 2500);
    guint64 used_first = pyro_used_by (first, "same");
    guint64 used_second = pyro_used_by (second, "same");
    PyroTruth truth[]
        = { { "path", "bins/first/same", used_first },
            { "path", "bins/second/inner/inner/same", used_second } };

    pyro_expect_shares (captured, truth, G_N_ELEMENTS (truth));
    pyro_expect_time (captured, "element=same",
                      pyro_captured_cpu (captured, "element", "same", NULL),
                      used_first + used_second, 3);
  }
}
GST_END_TEST

static void
on_pad_added (GstElement *demux, GstPad *pad, gpointer data)
{
  GstElement *pipeline = data;
  g_autofree gchar *pad_name = gst_pad_get_name (pad);
  g_autofree gchar *name = g_strconcat ("burn-", pad_name, NULL);
  GstElement *burn = gst_element_factory_make ("pyroburn", name);
  GstElement *sink = gst_element_factory_make ("fakesink", NULL);
  gboolean is_first = g_str_equal (pad_name, "src_0");

  g_object_set (burn, "data-cost", is_first ? 9000 : 3000, NULL);
  g_object_set (sink, "async", FALSE, NULL);
  gst_bin_add_many (GST_BIN (pipeline), burn, sink, NULL);
  fail_unless (gst_element_link (burn, sink));
  fail_unless (gst_element_link_pads (demux, pad_name, burn, "sink"));
  gst_element_sync_state_with_parent (sink);
  gst_element_sync_state_with_parent (burn);
}

static void
expect_shares_behind_a_demuxer (const gchar *description)
{
  g_autoptr (GstElement) pipeline = pyro_launch ("demux", description);
  g_autoptr (GstElement) demux
      = gst_bin_get_by_name (GST_BIN (pipeline), "demux");
  g_autoptr (PyroCaptured) captured = NULL;

  g_signal_connect (demux, "pad-added", G_CALLBACK (on_pad_added), pipeline);
  captured = pyro_play_for (pipeline, 3000);
  pyro_expect_elements (captured, pipeline, "source", "demux", "burn-src_0",
                        "burn-src_1", NULL);
}

GST_START_TEST (a_demuxers_task_pulls_works_and_pushes_to_dynamic_pads)
{
  expect_shares_behind_a_demuxer (
      "pyroburnsrc name=source data-cost=3000 ! "
      "pyroburndemux name=demux streams=2 data-cost=6000");
}
GST_END_TEST

GST_START_TEST (tasks_of_a_demuxers_dynamic_pads_are_the_demuxers)
{
  expect_shares_behind_a_demuxer (
      "pyroburnsrc name=source data-cost=3000 ! "
      "pyroburndemux name=demux streams=2 data-cost=6000 pad-tasks=true");
}
GST_END_TEST

GST_START_TEST (an_aggregators_task_is_the_aggregators)
{
  g_autoptr (GstElement) pipeline = pyro_launch (
      "aggregator", "pyroburnsrc name=one data-cost=1500 ! test/burn ! "
                    "pyroburnaggregator name=mix data-cost=9000 ! "
                    "pyroburn name=after data-cost=3000 ! fakesink "
                    "pyroburnsrc name=two data-cost=4500 ! test/burn ! mix.");
  g_autoptr (PyroCaptured) captured = pyro_play_for (pipeline, 3000);

  pyro_expect_elements (captured, pipeline, "one", "two", "mix", "after", NULL);
}
GST_END_TEST

GST_START_TEST (a_bin_needs_no_pipeline)
{
  g_autoptr (GstElement) bin = gst_object_ref_sink (gst_bin_new ("bare"));
  GstElement *source = gst_element_factory_make ("pyroburnsrc", "source");
  GstElement *burn = gst_element_factory_make ("pyroburn", "work");
  GstElement *sink = gst_element_factory_make ("fakesink", NULL);
  g_autoptr (PyroCaptured) captured = NULL;

  g_object_set (source, "data-cost", 4000, NULL);
  g_object_set (burn, "data-cost", 8000, NULL);
  gst_bin_add_many (GST_BIN (bin), source, burn, sink, NULL);
  fail_unless (gst_element_link_many (source, burn, sink, NULL));
  captured = pyro_play_for (bin, 1500);
  pyro_expect_elements (captured, bin, "source", "work", NULL);
  fail_unless (pyro_captured_cpu (captured, "pipeline", "bare", NULL) > 0);
}
GST_END_TEST

GST_START_TEST (an_element_in_a_harness_needs_no_bin)
{
  GstElement *element = gst_element_factory_make ("pyroburn", "alone");
  GstHarness *harness = gst_harness_new_with_element (element, "sink", "src");
  g_autoptr (PyroCaptured) captured = NULL;
  guint64 used;

  gst_object_unref (element);
  g_object_set (harness->element, "data-cost", 2000, NULL);
  pyro_profiled_begin ();
  gst_harness_set_src_caps_str (harness, "test/burn");
  for (guint i = 0; i < 400 * pyro_profiled_scale (); i++) {
    gst_harness_push (harness, gst_buffer_new ());
    gst_buffer_unref (gst_harness_pull (harness));
  }
  captured = pyro_profiled_end ();
  g_object_get (harness->element, "used", &used, NULL);
  gst_harness_teardown (harness);
  pyro_expect_time (
      captured, "element=alone",
      pyro_captured_cpu (captured, "element", "alone", "pipeline", NULL, NULL),
      used, 3);
}
GST_END_TEST

/* What the application's own thread makes an element do. */
static void
expect_time_of_calls (void (*call) (GstPad *before, GstPad *pad),
                      const gchar *cost)
{
  g_autofree gchar *description = g_strdup_printf (
      "identity name=before ! pyroburn name=work %s=2000 ! identity", cost);
  g_autoptr (GstElement) pipeline = pyro_launch ("calls", description);
  g_autoptr (GstElement) before
      = gst_bin_get_by_name (GST_BIN (pipeline), "before");
  g_autoptr (GstElement) work
      = gst_bin_get_by_name (GST_BIN (pipeline), "work");
  g_autoptr (GstPad) src = gst_element_get_static_pad (before, "src");
  g_autoptr (GstPad) sink = gst_element_get_static_pad (work, "sink");
  g_autoptr (PyroCaptured) captured = NULL;

  pyro_profiled_begin ();
  pyro_play (pipeline);
  for (guint i = 0; i < 400 * pyro_profiled_scale (); i++)
    call (src, sink);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  captured = pyro_profiled_end ();
  pyro_expect_time (captured, cost,
                    pyro_captured_cpu (captured, "element", "work", "pipeline",
                                       "calls", NULL),
                    pyro_used (pipeline), 3);
}

static void
push_event (GstPad *before, GstPad *pad)
{
  gst_pad_push_event (before,
                      gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM_OOB,
                                            gst_structure_new_empty ("test")));
}

GST_START_TEST (events_are_the_receivers)
{
  expect_time_of_calls (push_event, "event-cost");
}
GST_END_TEST

static void
query (GstPad *before, GstPad *pad)
{
  GstQuery *custom = gst_query_new_custom (GST_QUERY_CUSTOM,
                                           gst_structure_new_empty ("test"));

  gst_pad_query (pad, custom);
  gst_query_unref (custom);
}

GST_START_TEST (queries_are_the_one_that_answers)
{
  expect_time_of_calls (query, "query-cost");
}
GST_END_TEST

static GstPadProbeReturn
end_query (GstPad *pad, GstPadProbeInfo *info, gpointer what)
{
  return (GstPadProbeReturn)GPOINTER_TO_INT (what);
}

/* GStreamer 1.22 does not report the end of a query that a probe answers or
 * drops. */
static void
expect_own_work_after_query (GstPadProbeReturn what)
{
  g_autoptr (GstElement) pipeline
      = pyro_launch ("stuck", "pyroburn name=innocent state-cost=200000 "
                              "identity");
  g_autoptr (GstElement) element
      = gst_bin_get_by_name (GST_BIN (pipeline), "innocent");
  g_autoptr (GstPad) pad = gst_element_get_static_pad (element, "src");
  g_autoptr (PyroCaptured) captured = NULL;
  guint64 own_ns = 0;

  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_QUERY_BOTH, end_query,
                     GINT_TO_POINTER (what), NULL);
  pyro_profiled_begin ();
  pyro_play (pipeline);
  for (guint i = 0; i < 10 * pyro_profiled_scale (); i++) {
    gint64 position;

    gst_pad_query_position (pad, GST_FORMAT_TIME, &position);
    own_ns += pyro_burn_cpu (100 * 1000000);
  }
  gst_element_set_state (pipeline, GST_STATE_NULL);
  captured = pyro_profiled_end ();
  pyro_expect_time (captured, "element=innocent",
                    pyro_captured_cpu (captured, "element", "innocent", NULL),
                    pyro_used (pipeline), 5);
  fail_unless (pyro_captured_cpu (captured, "element", NULL, NULL)
               > own_ns / 100 * 95);
}

GST_START_TEST (work_after_a_dropped_query_is_nobodys)
{
  expect_own_work_after_query (GST_PAD_PROBE_DROP);
}
GST_END_TEST

GST_START_TEST (work_after_an_answered_query_is_nobodys)
{
  expect_own_work_after_query (GST_PAD_PROBE_HANDLED);
}
GST_END_TEST

GST_START_TEST (changes_of_state_are_the_elements)
{
  g_autoptr (GstElement) pipeline
      = pyro_launch ("states", "pyroburn name=one state-cost=10000 ! "
                               "pyroburn name=two state-cost=30000");
  g_autoptr (PyroCaptured) captured = NULL;

  pyro_profiled_begin ();
  for (guint i = 0; i < 20 * pyro_profiled_scale (); i++) {
    pyro_play (pipeline);
    gst_element_set_state (pipeline, GST_STATE_NULL);
  }
  captured = pyro_profiled_end ();
  pyro_expect_elements (captured, pipeline, "one", "two", NULL);
  pyro_expect_time (captured, "pipeline=states",
                    pyro_captured_cpu (captured, "pipeline", "states", NULL),
                    pyro_used (pipeline), 3);
}
GST_END_TEST

static Suite *
make_suite (void)
{
  Suite *suite = suite_create ("pipelines");
  TCase *tcase = tcase_create ("kinds");

  suite_add_tcase (suite, tcase);
  tcase_add_test (tcase, two_elements_of_unequal_cost_have_their_shares);
  tcase_add_test (tcase, a_source_and_queues_have_threads_of_their_own);
  tcase_add_test (tcase, a_tee_does_not_mix_up_its_branches);
  tcase_add_test (tcase, equal_names_in_nested_bins_are_different_paths);
  tcase_add_test (tcase,
                  a_demuxers_task_pulls_works_and_pushes_to_dynamic_pads);
  tcase_add_test (tcase, tasks_of_a_demuxers_dynamic_pads_are_the_demuxers);
  tcase_add_test (tcase, an_aggregators_task_is_the_aggregators);
  tcase_add_test (tcase, a_bin_needs_no_pipeline);
  tcase_add_test (tcase, an_element_in_a_harness_needs_no_bin);
  tcase_add_test (tcase, events_are_the_receivers);
  tcase_add_test (tcase, queries_are_the_one_that_answers);
  tcase_add_test (tcase, work_after_a_dropped_query_is_nobodys);
  tcase_add_test (tcase, work_after_an_answered_query_is_nobodys);
  tcase_add_test (tcase, changes_of_state_are_the_elements);
  return suite;
}

int
main (int argc, char **argv)
{
  return pyro_profiled_main (argc, argv, ",sample-rate=1000", make_suite);
}
