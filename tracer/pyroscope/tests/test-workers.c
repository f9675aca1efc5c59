/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Threads that elements make themselves: two elements of one plugin, each with
 * threads of one kind, have the CPU time that their threads used.
 */

#include "profiled.h"

/* The pool's idle threads wait for the next pool, whoever's it is. */
#define MANY_IDLE_THREADS 8

static PyroCaptured *
play_workers (const gchar *threads, GstElement **pipeline)
{
  g_autofree gchar *description = pyro_describe_two_workers (threads);

  *pipeline = pyro_launch (threads, description);
  return pyro_play_for (*pipeline, 3000);
}

static void
expect_owners (const gchar *threads, const gchar *attribution)
{
  g_autoptr (GstElement) pipeline = NULL;
  g_autoptr (PyroCaptured) captured = play_workers (threads, &pipeline);
  guint64 used = pyro_used (pipeline);

  pyro_expect_elements (captured, pipeline, "left", "right", NULL);
  /* What no sample saw is their owners', too. */
  pyro_expect_time (captured, attribution,
                    pyro_captured_cpu (captured, "pipeline", threads,
                                       "attribution", attribution, NULL)
                        + pyro_captured_cpu (captured, "pipeline", threads,
                                             "attribution", "unsampled", NULL),
                    used, 5);
}

GST_START_TEST (an_elements_own_pthreads_are_its_own)
{
  expect_owners ("pthreads", "inherited");
}
GST_END_TEST

GST_START_TEST (a_workers_own_threads_are_its_owners)
{
  expect_owners ("nested", "inherited");
}
GST_END_TEST

GST_START_TEST (an_elements_gthreads_are_its_own)
{
  expect_owners ("gthreads", "inherited");
}
GST_END_TEST

GST_START_TEST (tasks_of_a_pool_are_whose_they_are)
{
  expect_owners ("pool", "exact");
}
GST_END_TEST

GST_START_TEST (idle_threads_that_change_pools_change_their_owners)
{
  gint before = g_thread_pool_get_max_unused_threads ();

  g_thread_pool_set_max_unused_threads (MANY_IDLE_THREADS);
  expect_owners ("new-pool", "exact");
  g_thread_pool_set_max_unused_threads (before);
}
GST_END_TEST

GST_START_TEST (pools_threads_that_live_for_one_task_are_its_owners)
{
  gint before = g_thread_pool_get_max_unused_threads ();

  g_thread_pool_set_max_unused_threads (0);
  expect_owners ("new-pool", "exact");
  g_thread_pool_set_max_unused_threads (before);
}
GST_END_TEST

GST_START_TEST (tasks_of_a_shared_task_pool_are_whose_they_are)
{
  expect_owners ("tasks", "exact");
}
GST_END_TEST

/* Threads that were there before the profiler: only their library tells. */
static void
expect_of_early_threads (const gchar *description, const gchar *attribution)
{
  g_autoptr (GstElement) pipeline = pyro_launch ("early", description);
  g_autoptr (PyroCaptured) captured = NULL;
  guint64 used, expected, other;

  pyro_profiled_emit ("stop");
  pyro_play (pipeline);
  pyro_wait_for_cpu (pipeline, 100);
  pyro_profiled_begin ();
  used = pyro_used (pipeline);
  pyro_wait_for_cpu (pipeline, 1000);
  used = pyro_used (pipeline) - used;
  captured = pyro_profiled_end ();
  gst_element_set_state (pipeline, GST_STATE_NULL);

  /* What they used before they had a timer has no stack, hence no library. */
  expected = pyro_captured_cpu (captured, "thread", "worker", "attribution",
                                attribution, NULL);
  other = pyro_captured_cpu (captured, "thread", "worker", NULL) - expected
          - pyro_captured_cpu (captured, "thread", "worker", "attribution",
                               "unsampled", "element", NULL, NULL);
  fail_unless (expected > used * 95 / 100,
               "%" G_GUINT64_FORMAT " us are marked %s, but %" G_GUINT64_FORMAT
               " used",
               expected / 1000, attribution, used / 1000);
  fail_unless (other == 0 || g_str_equal (attribution, "library"),
               "%" G_GUINT64_FORMAT " us are somebody's", other / 1000);
}

GST_START_TEST (threads_of_before_are_the_only_element_of_their_library)
{
  expect_of_early_threads ("pyroburnsrc ! pyroburnworkers data-cost=4000 ! "
                           "fakesink",
                           "library");
}
GST_END_TEST

GST_START_TEST (threads_of_before_are_nobodys_where_two_may_own_them)
{
  expect_of_early_threads ("pyroburnsrc ! pyroburnworkers data-cost=4000 ! "
                           "pyroburnworkers data-cost=4000 ! fakesink",
                           "none");
}
GST_END_TEST

/* What an application does itself before and behind its pipeline. */

typedef struct {
  GstElement *source, *sink;
  guint n;
  guint64 used_ns;
} Application;

static gpointer
feed (gpointer data)
{
  Application *self = data;
  GstFlowReturn flow;

  for (guint i = 0; i < self->n; i++) {
    GstBuffer *buffer = gst_buffer_new ();

    self->used_ns += pyro_burn_cpu (5 * GST_MSECOND);
    g_signal_emit_by_name (self->source, "push-buffer", buffer, &flow);
    gst_buffer_unref (buffer);
  }
  g_signal_emit_by_name (self->source, "end-of-stream", &flow);
  return NULL;
}

GST_START_TEST (application_threads_are_nobodys)
{
  g_autoptr (GstElement) pipeline
      = pyro_launch ("application", "appsrc name=in max-bytes=0 ! "
                                    "pyroburn name=work data-cost=5000 ! "
                                    "appsink name=out sync=false");
  Application self = { .source = gst_bin_get_by_name (GST_BIN (pipeline), "in"),
                       .sink = gst_bin_get_by_name (GST_BIN (pipeline), "out"),
                       .n = 200 * pyro_profiled_scale () };
  g_autoptr (PyroCaptured) captured = NULL;
  GstSample *sample = NULL;
  guint64 used = 0;
  GThread *thread;

  pyro_profiled_begin ();
  pyro_play (pipeline);
  thread = g_thread_new ("feeder", feed, &self);
  for (;;) {
    g_signal_emit_by_name (self.sink, "pull-sample", &sample);
    if (sample == NULL)
      break;
    used += pyro_burn_cpu (5 * GST_MSECOND);
    gst_sample_unref (sample);
  }
  g_thread_join (thread);
  captured = pyro_profiled_end ();
  pyro_expect_time (captured, "the feeding thread",
                    pyro_captured_cpu (captured, "thread", "feeder",
                                       "attribution", "none", NULL),
                    self.used_ns, 5);
  pyro_expect_time (captured, "the pulling thread",
                    pyro_captured_cpu (captured, "thread", "test-workers",
                                       "attribution", "none", NULL),
                    used, 5);
  pyro_expect_time (captured, "the element in between",
                    pyro_captured_cpu (captured, "element", "work",
                                       "attribution", "exact", NULL),
                    pyro_used (pipeline), 5);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (self.source);
  gst_object_unref (self.sink);
}
GST_END_TEST

static Suite *
make_suite (void)
{
  Suite *suite = suite_create ("workers");
  TCase *tcase = tcase_create ("owners");

  suite_add_tcase (suite, tcase);
  tcase_add_test (tcase, an_elements_own_pthreads_are_its_own);
  tcase_add_test (tcase, a_workers_own_threads_are_its_owners);
  tcase_add_test (tcase, an_elements_gthreads_are_its_own);
  tcase_add_test (tcase, tasks_of_a_pool_are_whose_they_are);
  tcase_add_test (tcase, idle_threads_that_change_pools_change_their_owners);
  tcase_add_test (tcase, pools_threads_that_live_for_one_task_are_its_owners);
  tcase_add_test (tcase, tasks_of_a_shared_task_pool_are_whose_they_are);
  tcase_add_test (tcase,
                  threads_of_before_are_the_only_element_of_their_library);
  tcase_add_test (tcase, threads_of_before_are_nobodys_where_two_may_own_them);
  tcase_add_test (tcase, application_threads_are_nobodys);
  return suite;
}

int
main (int argc, char **argv)
{
  return pyro_profiled_main (argc, argv, ",sample-rate=1000", make_suite);
}
