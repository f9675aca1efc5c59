/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How processes end, and fork: each test runs this program again, as one that
 * plays a pipeline and then does what the test is about.
 */

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiled.h"

static const gchar *program;

static void
play (const gchar *name)
{
  GstElement *pipeline = gst_parse_launch (
      "pyroburnsrc buffers=100 ! pyroburn data-cost=3000 ! fakesink", NULL);
  GstBus *bus = gst_element_get_bus (pipeline);

  gst_object_set_name (GST_OBJECT (pipeline), name);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  gst_message_unref (gst_bus_timed_pop_filtered (
      bus, 30 * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR));
  gst_object_unref (bus);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
}

/* What a child of this program does. */
static int
act (const gchar *what)
{
  gst_init (NULL, NULL);
  pyro_burn_register (NULL);

  if (g_str_equal (what, "deinit")) {
    play ("main");
    gst_deinit ();
  } else if (g_str_equal (what, "exit")) {
    play ("main");
  } else if (g_str_equal (what, "pause")) {
    /* Ends without any notice, but a moment after its pipeline. */
    play ("main");
    g_usleep (G_USEC_PER_SEC);
    _exit (0);
  } else if (g_str_equal (what, "fork")) {
    pid_t child;
    int status;

    /* Not after a pipeline: GLib's idle pool threads are missing in a child,
     * and it would wait for them. */
    pyro_profiled_emit ("start");
    pyro_burn_cpu (50 * GST_MSECOND);
    child = fork ();
    if (child == 0) {
      play ("child");
      exit (0);
    }
    play ("main");
    if (waitpid (child, &status, 0) != child || status != 0)
      return 1;
    gst_deinit ();
  } else if (g_str_equal (what, "fork-deinit")) {
    pid_t child;
    int status;

    /* Not after a pipeline either: gst_deinit() would wait for its threads. */
    pyro_profiled_emit ("start");
    pyro_burn_cpu (50 * GST_MSECOND);
    child = fork ();
    if (child == 0) {
      gst_deinit ();
      _exit (0);
    }
    if (waitpid (child, &status, 0) != child || status != 0)
      return 1;
    play ("main");
    gst_deinit ();
  } else if (g_str_equal (what, "construct")) {
    /* Elements are made, as gst-inspect-1.0 does it; nothing plays. */
    gst_object_unref (gst_element_factory_make ("fakesink", NULL));
    gst_deinit ();
  } else {
    return 2;
  }
  return 0;
}

/* Runs WHAT to its end. Returns its folder of captures. */
static gchar *
run (const gchar *what, const gchar *more_settings)
{
  gchar *folder = g_dir_make_tmp ("test-life-cycle-XXXXXX", NULL);
  g_autofree gchar *tracers = g_strdup_printf (
      "pyroscope(server-url=,output-dir=%s%s)", folder, more_settings);
  const gchar *argv[] = { program, what, NULL };
  g_auto (GStrv) environment
      = g_environ_setenv (g_get_environ (), "GST_TRACERS", tracers, TRUE);
  g_autoptr (GError) error = NULL;
  gint status;

  fail_unless (g_spawn_sync (NULL, (gchar **)argv, environment, G_SPAWN_DEFAULT,
                             NULL, NULL, NULL, NULL, &status, &error),
               "%s", error != NULL ? error->message : "");
  fail_unless_equals_int (status, 0);
  return folder;
}

/* With what no sample saw: on a busy machine that may be most of a thread's
 * first tenths of a second, and not known to be the pipeline's. */
static guint64
cpu_of_pipeline (const gchar *folder, const gchar *name)
{
  g_autoptr (PyroCaptured) captured = pyro_captured_read (folder);
  guint64 sampled = pyro_captured_cpu (captured, "pipeline", name,
                                       "attribution", "exact", NULL);

  fail_unless (sampled > 0);
  return sampled
         + pyro_captured_cpu (captured, "attribution", "unsampled", NULL);
}

static void
finish (gchar *folder)
{
  pyro_captured_remove (folder);
  g_free (folder);
}

GST_START_TEST (gst_deinit_delivers_captures)
{
  gchar *folder = run ("deinit", "");

  /* The first intervals are short: there may be more than one. */
  fail_unless (pyro_captured_count (folder) >= 1);
  fail_unless (cpu_of_pipeline (folder, "main") > 200 * GST_MSECOND);
  finish (folder);
}
GST_END_TEST

GST_START_TEST (an_exit_without_gst_deinit_delivers)
{
  gchar *folder = run ("exit", "");

  /* The first intervals are short: there may be more than one. */
  fail_unless (pyro_captured_count (folder) >= 1);
  fail_unless (cpu_of_pipeline (folder, "main") > 200 * GST_MSECOND);
  finish (folder);
}
GST_END_TEST

GST_START_TEST (with_stop_agent_on_dispose_false_the_exit_delivers)
{
  gchar *folder = run ("deinit", ",stop-agent-on-dispose=false");

  fail_unless (pyro_captured_count (folder) >= 1);
  fail_unless (cpu_of_pipeline (folder, "main") > 200 * GST_MSECOND);
  finish (folder);
}
GST_END_TEST

GST_START_TEST (the_end_of_a_pipeline_delivers_before_the_process_ends)
{
  gchar *folder = run ("pause", "");

  fail_unless (pyro_captured_count (folder) >= 1);
  fail_unless (cpu_of_pipeline (folder, "main") > 200 * GST_MSECOND);
  finish (folder);
}
GST_END_TEST

GST_START_TEST (a_forked_child_has_captures_of_its_own)
{
  gchar *folder = run ("fork", "");

  fail_unless (pyro_captured_count (folder) >= 2);
  fail_unless (cpu_of_pipeline (folder, "main") > 200 * GST_MSECOND);
  fail_unless (cpu_of_pipeline (folder, "child") > 200 * GST_MSECOND);
  finish (folder);
}
GST_END_TEST

GST_START_TEST (a_forked_child_may_call_gst_deinit)
{
  gchar *folder = run ("fork-deinit", "");

  fail_unless (cpu_of_pipeline (folder, "main") > 200 * GST_MSECOND);
  finish (folder);
}
GST_END_TEST

GST_START_TEST (nothing_starts_before_anything_plays)
{
  gchar *folder = run ("construct", "");

  fail_unless_equals_int (pyro_captured_count (folder), 0);
  finish (folder);
}
GST_END_TEST

static Suite *
life_cycle_suite (void)
{
  Suite *suite = suite_create ("life-cycle");
  TCase *tcase = tcase_create ("general");

  suite_add_tcase (suite, tcase);
  tcase_set_timeout (tcase, 60);
  tcase_add_test (tcase, gst_deinit_delivers_captures);
  tcase_add_test (tcase, an_exit_without_gst_deinit_delivers);
  tcase_add_test (tcase, with_stop_agent_on_dispose_false_the_exit_delivers);
  tcase_add_test (tcase,
                  the_end_of_a_pipeline_delivers_before_the_process_ends);
  tcase_add_test (tcase, a_forked_child_has_captures_of_its_own);
  tcase_add_test (tcase, a_forked_child_may_call_gst_deinit);
  tcase_add_test (tcase, nothing_starts_before_anything_plays);
  return suite;
}

int
main (int argc, char **argv)
{
  program = argv[0];
  if (argc > 1)
    return act (argv[1]);
  /* check forks for each test: the tracer of this process lives through it. */
  gst_check_init (&argc, &argv);
  return gst_check_run_suite (life_cycle_suite (), "life-cycle", __FILE__);
}
