/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pipelines of known cost in this process, and what their captures say. Tests
 * share one tracer (a process has one profiler), hence the name of its
 * pipeline tells a test's samples from the others'; they run with CK_FORK=no.
 */

#include <gst/check/gstcheck.h>
#include <gst/check/gstharness.h>

#include "burn.h"
#include "captured.h"
#include "tracer-control.h"

/* Each pipeline uses about 2.5 s of CPU time: at 1000 Hz asked, and 250 Hz of
 * real signals on kernels with that tick, 625 independent samples, so a share
 * of one half has a standard error of 2 points. */
#define TOLERANCE 0.06

static gchar *folder;

/* Plays PIPELINE to its end; what it used is captured when this returns. */
static void
play (GstElement *pipeline)
{
  GstBus *bus = gst_element_get_bus (pipeline);
  GstMessage *message;

  tracer_control ("start");
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  message = gst_bus_timed_pop_filtered (bus, 60 * GST_SECOND,
                                        GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  fail_unless (message != NULL
               && GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS);
  gst_message_unref (message);
  gst_object_unref (bus);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  tracer_control ("stop");
}

static GstElement *
launch (const gchar *name, const gchar *description)
{
  g_autoptr (GError) error = NULL;
  GstElement *pipeline = gst_parse_launch (description, &error);

  fail_unless (pipeline != NULL && error == NULL, "%s",
               error != NULL ? error->message : "");
  gst_object_set_name (GST_OBJECT (pipeline), name);
  return pipeline;
}

static void
expect_share (const gchar *pipeline, const gchar *key, const gchar *value,
              gdouble expected)
{
  gdouble share = captured_share (folder, pipeline, key, value);

  fail_unless (ABS (share - expected) < TOLERANCE,
               "%s=%s has %.1f %% of the samples, but used %.1f %% of the CPU",
               key, value, share * 100, expected * 100);
}

/* Every burning element of BIN, by the truth of its own clock. */
static void
expect_shares_by_element (GstElement *bin, const gchar *const *names)
{
  g_autofree gchar *pipeline = gst_object_get_name (GST_OBJECT (bin));
  guint64 total = 0;

  for (guint i = 0; names[i] != NULL; i++)
    total += burn_used (GST_BIN (bin), names[i]);
  for (guint i = 0; names[i] != NULL; i++)
    expect_share (pipeline, "element", names[i],
                  (gdouble)burn_used (GST_BIN (bin), names[i])
                      / (gdouble)total);
}

GST_START_TEST (two_elements_of_unequal_cost_have_their_shares)
{
  const gchar *names[] = { "cheap", "dear", NULL };
  g_autoptr (GstElement) pipeline
      = launch ("unequal", "burnsrc name=source num-buffers=500 ! "
                           "burn name=cheap cost=1000 ! "
                           "burn name=dear cost=4000 ! fakesink");

  play (pipeline);
  expect_shares_by_element (pipeline, names);
}
GST_END_TEST

GST_START_TEST (a_source_and_a_queue_have_threads_of_their_own)
{
  const gchar *names[] = { "source", "first", "second", NULL };
  g_autoptr (GstElement) pipeline
      = launch ("threads", "burnsrc name=source cost=2000 num-buffers=400 ! "
                           "burn name=first cost=1000 ! queue name=between ! "
                           "burn name=second cost=3000 ! fakesink");
  gdouble second;

  play (pipeline);
  expect_shares_by_element (pipeline, names);
  second = captured_share (folder, "threads", "element", "second");
  expect_share ("threads", "thread", "between:src", second);
}
GST_END_TEST

GST_START_TEST (a_tee_does_not_mix_up_its_branches)
{
  const gchar *names[] = { "left", "right", NULL };
  g_autoptr (GstElement) pipeline
      = launch ("tee", "burnsrc num-buffers=500 ! tee name=t "
                       "t. ! burn name=left cost=4000 ! fakesink async=false "
                       "t. ! burn name=right cost=1000 ! fakesink async=false");

  play (pipeline);
  expect_shares_by_element (pipeline, names);
}
GST_END_TEST

/* A bin with ghost pads around burn elements of one and the same name. */
static GstElement *
make_bin (const gchar *name, guint cost)
{
  g_autoptr (GError) error = NULL;
  g_autofree gchar *description
      = g_strdup_printf ("burn name=same cost=%u", cost);
  GstElement *bin = gst_parse_bin_from_description (description, TRUE, &error);

  fail_unless (bin != NULL);
  gst_object_set_name (GST_OBJECT (bin), name);
  return bin;
}

GST_START_TEST (equal_names_in_two_bins_are_two_paths)
{
  g_autoptr (GstElement) pipeline = gst_pipeline_new ("bins");
  GstElement *source = gst_element_factory_make ("burnsrc", "source");
  GstElement *first = make_bin ("first", 1000);
  GstElement *second = make_bin ("second", 4000);
  GstElement *sink = gst_element_factory_make ("fakesink", NULL);
  guint64 used_first, used_second;
  gdouble share;

  g_object_set (source, "num-buffers", 500, NULL);
  gst_bin_add_many (GST_BIN (pipeline), source, first, second, sink, NULL);
  fail_unless (gst_element_link_many (source, first, second, sink, NULL));
  play (pipeline);

  used_first = burn_used (GST_BIN (first), "same");
  used_second = burn_used (GST_BIN (second), "same");
  share = (gdouble)used_first / (gdouble)(used_first + used_second);
  expect_share ("bins", "path", "bins/first/same", share);
  expect_share ("bins", "path", "bins/second/same", 1 - share);
}
GST_END_TEST

GST_START_TEST (nearly_all_samples_carry_an_element)
{
  PyroLabel all[] = { { NULL, NULL } };
  PyroLabel none[] = { { "element", NULL }, { NULL, NULL } };
  guint64 total, without;
  guint64 total_before = captured_cpu (folder, all);
  guint64 without_before = captured_cpu (folder, none);
  g_autoptr (GstElement) pipeline
      = launch ("carry", "burnsrc name=source cost=500 num-buffers=1000 ! "
                         "burn cost=1000 ! queue ! burn cost=1000 ! fakesink");

  play (pipeline);
  total = captured_cpu (folder, all) - total_before;
  without = captured_cpu (folder, none) - without_before;
  fail_unless (without * 20 < total,
               "%" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
               " ns have no element",
               without, total);
}
GST_END_TEST

GST_START_TEST (samples_add_up_to_what_the_elements_used)
{
  PyroLabel label[] = { { "pipeline", "sum" }, { NULL, NULL } };
  g_autoptr (GstElement) pipeline
      = launch ("sum", "burnsrc num-buffers=1000 ! burn name=a cost=1500 ! "
                       "queue ! burn name=b cost=1500 ! fakesink");
  guint64 used, sampled;

  play (pipeline);
  used = burn_used (GST_BIN (pipeline), "a")
         + burn_used (GST_BIN (pipeline), "b");
  sampled = captured_cpu (folder, label);
  /* The elements between the burning ones use a little, too. */
  fail_unless (sampled > used * 97 / 100 && sampled < used * 103 / 100,
               "%" G_GUINT64_FORMAT " ns used, %" G_GUINT64_FORMAT
               " ns sampled",
               used, sampled);
}
GST_END_TEST

GST_START_TEST (an_element_without_a_pipeline_is_profiled)
{
  GstHarness *harness = gst_harness_new_parse ("burn name=alone cost=2000");
  PyroLabel alone[] = { { "element", "alone" }, { NULL, NULL } };

  tracer_control ("stop");
  tracer_control ("start");
  gst_harness_set_src_caps_str (harness, "application/x-test");
  for (guint i = 0; i < 100; i++) {
    gst_harness_push (harness, gst_buffer_new ());
    gst_buffer_unref (gst_harness_pull (harness));
  }
  gst_harness_teardown (harness);
  tracer_control ("stop");
  fail_unless (captured_cpu (folder, alone) > 150 * GST_MSECOND);
}
GST_END_TEST

GST_START_TEST (many_runs_follow_each_other)
{
  for (guint i = 0; i < 50; i++) {
    tracer_control ("start");
    burn_cpu (2 * GST_MSECOND);
    tracer_control ("flush");
    tracer_control ("stop");
  }
}
GST_END_TEST

static Suite *
pipelines_suite (void)
{
  Suite *suite = suite_create ("pipelines");
  TCase *tcase = tcase_create ("general");

  suite_add_tcase (suite, tcase);
  tcase_set_timeout (tcase, 90);
  tcase_add_test (tcase, two_elements_of_unequal_cost_have_their_shares);
  tcase_add_test (tcase, a_source_and_a_queue_have_threads_of_their_own);
  tcase_add_test (tcase, a_tee_does_not_mix_up_its_branches);
  tcase_add_test (tcase, equal_names_in_two_bins_are_two_paths);
  tcase_add_test (tcase, nearly_all_samples_carry_an_element);
  tcase_add_test (tcase, samples_add_up_to_what_the_elements_used);
  tcase_add_test (tcase, an_element_without_a_pipeline_is_profiled);
  tcase_add_test (tcase, many_runs_follow_each_other);
  return suite;
}

int
main (int argc, char **argv)
{
  g_autofree gchar *tracers = NULL;
  int failed;

  folder = g_dir_make_tmp ("test-pipelines-XXXXXX", NULL);
  tracers = g_strdup_printf (
      "pyroscope(server-url=,output-dir=%s,sample-rate=1000)", folder);
  g_setenv ("GST_TRACERS", tracers, TRUE);
  g_setenv ("CK_FORK", "no", TRUE);
  gst_check_init (&argc, &argv);
  burn_register ();
  failed = gst_check_run_suite (pipelines_suite (), "pipelines", __FILE__);
  captured_remove (folder);
  g_free (folder);
  return failed;
}
