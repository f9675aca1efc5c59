/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What was there before the profiler began, and threads that several elements
 * share. The pipelines of the first tests are made before the first session.
 */

#include "profiled.h"

static GstElement *early[3];
static const gchar *const kinds[] = { "early-pool", "early-tasks", "task" };

static GThreadPool *applications_pool;

static GstElement *
make_workers (const gchar *threads)
{
  GstElement *pipeline;
  g_autofree gchar *description = pyro_describe_two_workers (threads);

  /* Outside of any test nothing can fail. */
  pipeline = gst_parse_launch (description, NULL);
  g_assert_nonnull (pipeline);
  gst_object_set_name (GST_OBJECT (pipeline), threads);
  return pipeline;
}

static void
expect_both (guint i)
{
  GstElement *pipeline = early[i];
  g_autoptr (PyroCaptured) captured = pyro_play_for (pipeline, 2000);
  guint64 used = pyro_used (pipeline);

  pyro_expect_elements (captured, pipeline, "left", "right", NULL);
  pyro_expect_time (captured, kinds[i],
                    pyro_captured_cpu (captured, "pipeline", kinds[i],
                                       "attribution", "exact", NULL),
                    used, 5);
}

GST_START_TEST (tasks_of_pools_made_with_elements_are_theirs)
{
  expect_both (0);
}
GST_END_TEST

GST_START_TEST (tasks_of_task_pools_made_with_elements_are_theirs)
{
  expect_both (1);
}
GST_END_TEST

/* The first one: each test of gstcheck's begins with another default pool. */
GST_START_TEST (tasks_made_with_elements_are_theirs)
{
  early[2] = make_workers (kinds[2]);
  expect_both (2);
}
GST_END_TEST

/* The application's own work, which it hands to its pool in a callback of an
 * element's. */

typedef struct {
  guint64 used_ns;
  guint pushed, done;
} Job;

static void
do_job (gpointer data, gpointer user_data)
{
  Job *job = data;

  __atomic_add_fetch (&job->used_ns, pyro_burn_cpu (5 * GST_MSECOND),
                      __ATOMIC_RELAXED);
  __atomic_add_fetch (&job->done, 1, __ATOMIC_RELEASE);
}

static void
on_handoff (GstElement *element, GstBuffer *buffer, GstPad *pad, gpointer data)
{
  ((Job *)data)->pushed++;
  g_thread_pool_push (applications_pool, data, NULL);
}

GST_START_TEST (tasks_of_the_applications_pool_are_nobodys)
{
  g_autoptr (GstElement) pipeline
      = pyro_launch ("application", "pyroburnsrc ! pyroburn name=work "
                                    "data-cost=5000 ! fakesink name=sink "
                                    "signal-handoffs=true");
  g_autoptr (GstElement) sink
      = gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  g_autoptr (PyroCaptured) captured = NULL;
  static Job job;
  guint64 jobs = 0;

  g_signal_connect (sink, "handoff", G_CALLBACK (on_handoff), &job);
  pyro_profiled_begin ();
  pyro_play (pipeline);
  pyro_wait_for_cpu (pipeline, 1000);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  while (__atomic_load_n (&job.done, __ATOMIC_ACQUIRE) < job.pushed)
    g_usleep (5000);
  captured = pyro_profiled_end ();
  jobs = pyro_captured_cpu (captured, "attribution", "none", NULL);
  /* And the profiler's own. */
  fail_unless (jobs > job.used_ns * 95 / 100,
               "%" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " us have none",
               jobs / 1000, job.used_ns / 1000);
  fail_unless (pyro_captured_cpu (captured, "element", "sink", NULL)
                   < job.used_ns / 20,
               "the sink has what the application did");
}
GST_END_TEST

/* Nobody was there when the task began: its stack says whose it is. */
GST_START_TEST (a_task_that_runs_already_is_its_only_elements)
{
  g_autoptr (GstElement) pipeline
      = pyro_launch ("running", "fakesrc ! pyroburnworkers name=one "
                                "threads=task data-cost=6000 ! fakesink");
  g_autoptr (PyroCaptured) captured = NULL;
  guint64 used;

  pyro_profiled_emit ("stop");
  pyro_play (pipeline);
  pyro_wait_for_cpu (pipeline, 100);
  pyro_profiled_begin ();
  used = pyro_used (pipeline);
  pyro_wait_for_cpu (pipeline, 1500);
  used = pyro_used (pipeline) - used;
  captured = pyro_profiled_end ();
  gst_element_set_state (pipeline, GST_STATE_NULL);

  pyro_expect_time (captured, "one",
                    pyro_captured_cpu (captured, "element", "one",
                                       "attribution", "library", NULL),
                    used, 10);
}
GST_END_TEST

/* OpenMP keeps one team for each thread that calls it, whoever that works for:
 * nothing tells the elements of one streaming thread apart. */
GST_START_TEST (a_team_of_one_element_is_its_own)
{
  g_autoptr (GstElement) pipeline = pyro_launch (
      "team", "pyroburnsrc ! pyroburnworkers name=one threads=team "
              "data-cost=6000 ! fakesink");
  g_autoptr (PyroCaptured) captured = pyro_play_for (pipeline, 2000);

  pyro_expect_time (captured, "one",
                    pyro_captured_cpu (captured, "element", "one", NULL),
                    pyro_used (pipeline), 10);
  fail_unless (pyro_captured_cpu (captured, "attribution", "shared", NULL)
               == 0);
}
GST_END_TEST

GST_START_TEST (a_team_of_two_elements_is_shared)
{
  g_autoptr (GstElement) pipeline = pyro_launch (
      "team", "pyroburnsrc ! pyroburnworkers name=left threads=team "
              "data-cost=2000 ! pyroburnworkers name=right threads=team "
              "data-cost=10000 ! fakesink");
  g_autoptr (PyroCaptured) captured = pyro_play_for (pipeline, 2000);
  guint64 shared = pyro_captured_cpu (captured, "attribution", "shared", NULL);

  fail_unless (shared > pyro_used (pipeline) * 4 / 10,
               "%" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " us are shared",
               shared / 1000, pyro_used (pipeline) / 1000);
  /* A thread of the test before may end only now. */
  fail_unless (pyro_captured_cpu (captured, "element", "left", "attribution",
                                  "inherited", NULL)
               == 0);
  fail_unless (pyro_captured_cpu (captured, "element", "right", "attribution",
                                  "inherited", NULL)
               == 0);
}
GST_END_TEST

static Suite *
make_suite (void)
{
  Suite *suite = suite_create ("early");
  TCase *tcase = tcase_create ("early");

  suite_add_tcase (suite, tcase);
  for (guint i = 0; i < 2; i++)
    early[i] = make_workers (kinds[i]);
  applications_pool = g_thread_pool_new (do_job, NULL, 2, FALSE, NULL);
  tcase_add_test (tcase, tasks_made_with_elements_are_theirs);
  tcase_add_test (tcase, tasks_of_pools_made_with_elements_are_theirs);
  tcase_add_test (tcase, tasks_of_task_pools_made_with_elements_are_theirs);
  tcase_add_test (tcase, tasks_of_the_applications_pool_are_nobodys);
  tcase_add_test (tcase, a_task_that_runs_already_is_its_only_elements);
#if defined(HAVE_OPENMP)
  tcase_add_test (tcase, a_team_of_one_element_is_its_own);
  tcase_add_test (tcase, a_team_of_two_elements_is_shared);
#endif
  return suite;
}

int
main (int argc, char **argv)
{
  /* Else teams use CPU time while they wait. */
  g_setenv ("OMP_WAIT_POLICY", "passive", TRUE);
  return pyro_profiled_main (argc, argv, ",sample-rate=1000", make_suite);
}
