/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Many elements and pipelines, short ones, and elements that come and go while
 * their pipeline plays.
 */

#include <string.h>

#include "profile/profile-comments.h"
#include "profiled.h"

#define N_ELEMENTS 500
#define N_PIPELINES 64
#define N_SHORT 12
#define N_SWAPS 20
#define N_ENDLESS 600
#define MAX_SETS 20

/* CPU time of threads without an element, but for the profiler's own threads
 * and the one that the test runs in. */
static guint64
cpu_of_nobody (const PyroCaptured *captured)
{
  const gchar *const known[] = { "pyro-collector", "pyro-delivery",
                                 "pyro-files", "pyro-end", "test-many" };
  guint64 ns = pyro_captured_cpu (captured, "element", NULL, NULL);

  for (guint i = 0; i < G_N_ELEMENTS (known); i++)
    ns -= pyro_captured_cpu (captured, "element", NULL, "thread", known[i],
                             "attribution", "none", NULL);
  /* At a thread's end the kernel's tick misses some milliseconds. */
  return ns
         - pyro_captured_cpu (captured, "element", NULL, "attribution",
                              "unsampled", NULL);
}

/* Costs nothing but what GStreamer does, unless a test sets it. */
static void
add_elements (GstElement *pipeline, guint n)
{
  GstElement *last = gst_element_factory_make ("pyroburnsrc", "source");
  GstElement *sink = gst_element_factory_make ("fakesink", "sink");

  gst_bin_add (GST_BIN (pipeline), last);
  for (guint i = 0; i < n; i++) {
    g_autofree gchar *name = g_strdup_printf ("e%u", i);
    GstElement *next = gst_element_factory_make ("pyroburn", name);

    gst_bin_add (GST_BIN (pipeline), next);
    fail_unless (gst_element_link_pads_full (last, "src", next, "sink",
                                             GST_PAD_LINK_CHECK_NOTHING));
    last = next;
  }
  gst_bin_add (GST_BIN (pipeline), sink);
  fail_unless (gst_element_link (last, sink));
}

static void
set_cost (GstElement *pipeline, const gchar *name, guint cost)
{
  g_autoptr (GstElement) element
      = gst_bin_get_by_name (GST_BIN (pipeline), name);

  g_object_set (element, "data-cost", cost, NULL);
}

GST_START_TEST (of_500_elements_in_one_thread_each_has_its_own)
{
  g_autoptr (GstElement) pipeline = gst_pipeline_new ("long");
  g_autoptr (PyroCaptured) captured = NULL;

  add_elements (pipeline, N_ELEMENTS);
  set_cost (pipeline, "e100", 15000);
  set_cost (pipeline, "e101", 6000);
  set_cost (pipeline, "e499", 9000);
  captured = pyro_play_for (pipeline, 2500);
  pyro_expect_elements (captured, pipeline, "e100", "e101", "e499", NULL);
}
GST_END_TEST

/* The tracer's bound for what follows; returns the one before. */
static guint
set_max_label_sets (guint max)
{
  g_autoptr (GObject) tracer = pyro_profiled_tracer ();
  guint before;

  g_object_get (tracer, "max-label-sets", &before, NULL);
  g_object_set (tracer, "max-label-sets", max, NULL);
  return before;
}

GST_START_TEST (elements_beyond_max_label_sets_lose_their_numbers)
{
  g_autoptr (GstElement) pipeline = gst_pipeline_new ("bounded");
  g_autoptr (PyroCaptured) captured = NULL;
  guint before = set_max_label_sets (4), n_numbered = 0;
  guint64 cpu = 0;

  add_elements (pipeline, 20);
  for (guint i = 0; i < 20; i++) {
    g_autofree gchar *name = g_strdup_printf ("e%u", i);

    set_cost (pipeline, name, i == 7 ? 4000 : 1000);
  }
  captured = pyro_play_for (pipeline, 600);
  set_max_label_sets (before);

  cpu = pyro_captured_cpu (captured, "element", "e", NULL);
  for (guint i = 0; i < 20; i++) {
    g_autofree gchar *name = g_strdup_printf ("e%u", i);
    guint64 own = pyro_captured_cpu (captured, "element", name, NULL);

    n_numbered += own > 0;
    cpu += own;
  }
  /* What used most of the CPU has kept its name. */
  fail_unless (pyro_captured_cpu (captured, "element", "e7", NULL) > 0);
  fail_unless (n_numbered <= 4, "%u", n_numbered);
  pyro_expect_time (captured, "element=e...", cpu, pyro_used (pipeline), 3);
}
GST_END_TEST

static gsize
read_resident_kb (void)
{
  g_autofree gchar *status = NULL;
  const gchar *line;

  fail_unless (g_file_get_contents ("/proc/self/status", &status, NULL, NULL));
  line = strstr (status, "VmRSS:");
  fail_unless (line != NULL);
  return (gsize)g_ascii_strtoull (line + strlen ("VmRSS:"), NULL, 10);
}

/* An application that goes on making pipelines, with the names that GStreamer
 * generates, or ones that have no number to lose. */
static void
expect_flat (const gchar *format, const gchar *others, const gchar *counter)
{
  const guint n = N_ENDLESS * pyro_profiled_scale ();
  g_autoptr (PyroCaptured) captured = NULL;
  g_auto (GStrv) paths = NULL;
  g_auto (GStrv) threads = NULL;
  guint before = set_max_label_sets (MAX_SETS);
  /* The least of a quarter: what a profile that is being made takes for a while
   * does not count. */
  gsize middle = G_MAXSIZE, after = G_MAXSIZE;
  guint64 used = 0, cpu;

  pyro_profiled_begin ();
  for (guint i = 0; i < n; i++) {
    g_autofree gchar *name = g_strdup_printf (format, i);
    g_autofree gchar *description = g_strdup_printf (
        "pyroburnsrc name=source-%s buffers=3 data-cost=300 ! "
        "pyroburn name=work-%s data-cost=300 ! fakesink name=sink-%s",
        name, name, name);
    g_autoptr (GstElement) pipeline = pyro_launch (name, description);
    g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);

    pyro_play (pipeline);
    gst_message_unref (
        gst_bus_timed_pop_filtered (bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_EOS));
    gst_element_set_state (pipeline, GST_STATE_NULL);
    used += pyro_used (pipeline);
    if (i % 100 == 99)
      pyro_profiled_emit ("flush");
    if (i >= n / 4 && i < n / 2)
      middle = MIN (middle, read_resident_kb ());
    else if (i >= n - n / 4)
      after = MIN (after, read_resident_kb ());
  }
  captured = pyro_profiled_end ();
  set_max_label_sets (before);

  paths = pyro_captured_values (captured, "path");
  threads = pyro_captured_values (captured, "thread");
  cpu = pyro_captured_cpu (captured, "path", others, NULL);
  GST_INFO ("%u paths, %u threads; resident %" G_GSIZE_FORMAT
            " kB, then %" G_GSIZE_FORMAT " kB; %s: %" G_GUINT64_FORMAT
            " us of %" G_GUINT64_FORMAT,
            g_strv_length (paths), g_strv_length (threads), middle, after,
            others, cpu / 1000, used / 1000);
  fail_unless (g_strv_length (paths) <= 2 * MAX_SETS + 1, "%u paths",
               g_strv_length (paths));
  fail_unless (g_strv_length (threads) <= 2 * MAX_SETS + 1, "%u threads",
               g_strv_length (threads));
  fail_unless (cpu > 0);
  fail_unless (pyro_captured_has_comment (captured, counter, NULL), "no %s",
               counter);
  /* In a short run names are still being read, which keeps some memory. */
  fail_unless (after < middle + middle / (pyro_profiled_scale () > 1 ? 10 : 5),
               "%" G_GSIZE_FORMAT " kB resident, then %" G_GSIZE_FORMAT, middle,
               after);
}

GST_START_TEST (pipelines_without_end_keep_memory_and_series_flat)
{
  expect_flat ("session-%u", "session/work-session",
               PYRO_COMMENT_SETS_NUMBERLESS);
}
GST_END_TEST

GST_START_TEST (names_that_have_no_number_to_lose_become_others)
{
  expect_flat ("session-%ux", "(others)", PYRO_COMMENT_SETS_OTHERS);
}
GST_END_TEST

GST_START_TEST (of_64_pipelines_at_once_each_has_its_own)
{
  GstElement *pipelines[N_PIPELINES];
  g_autoptr (PyroCaptured) captured = NULL;
  guint64 used = 0;

  pyro_profiled_begin ();
  for (guint i = 0; i < N_PIPELINES; i++) {
    g_autofree gchar *name = g_strdup_printf ("one-of-%u", i);
    g_autofree gchar *description = g_strdup_printf (
        "pyroburnsrc buffers=%u data-cost=%u ! "
        "pyroburn data-cost=%u ! fakesink",
        10 * pyro_profiled_scale (), 500 + i % 4 * 2000, 1000);

    pipelines[i] = pyro_launch (name, description);
    pyro_play (pipelines[i]);
  }
  for (guint i = 0; i < N_PIPELINES; i++) {
    GstBus *bus = gst_element_get_bus (pipelines[i]);
    GstMessage *end = gst_bus_timed_pop_filtered (bus, GST_CLOCK_TIME_NONE,
                                                  GST_MESSAGE_EOS);

    gst_message_unref (end);
    gst_object_unref (bus);
    gst_element_set_state (pipelines[i], GST_STATE_NULL);
  }
  captured = pyro_profiled_end ();
  for (guint i = 0; i < N_PIPELINES; i++) {
    const gchar *name = GST_OBJECT_NAME (pipelines[i]);

    /* A thread's time is exact to one period and one tick. */
    pyro_expect_time (
        captured, name, pyro_captured_cpu (captured, "pipeline", name, NULL),
        pyro_used (pipelines[i]), MAX (2, 15 / pyro_profiled_scale ()));
    used += pyro_used (pipelines[i]);
    gst_object_unref (pipelines[i]);
  }
  fail_unless (cpu_of_nobody (captured) < used / 100,
               "%" G_GUINT64_FORMAT " us of %" G_GUINT64_FORMAT
               " have no element",
               cpu_of_nobody (captured) / 1000, used / 1000);
}
GST_END_TEST

GST_START_TEST (pipelines_that_live_for_a_moment_are_not_missed)
{
  g_autoptr (PyroCaptured) captured = NULL;
  guint64 used = 0, cpu = 0;

  pyro_profiled_begin ();
  for (guint i = 0; i < N_SHORT * pyro_profiled_scale (); i++) {
    g_autofree gchar *name = g_strdup_printf ("short-%u", i);
    g_autoptr (GstElement) pipeline = pyro_launch (
        name, "pyroburnsrc data-cost=1000 ! pyroburn data-cost=1000 ! queue ! "
              "pyroburn data-cost=2000 ! fakesink");

    pyro_play (pipeline);
    g_usleep (200000);
    gst_element_set_state (pipeline, GST_STATE_NULL);
    used += pyro_used (pipeline);
  }
  captured = pyro_profiled_end ();
  for (guint i = 0; i < N_SHORT * pyro_profiled_scale (); i++) {
    g_autofree gchar *name = g_strdup_printf ("short-%u", i);

    cpu += pyro_captured_cpu (captured, "pipeline", name, NULL);
  }
  pyro_expect_time (captured, "all short ones", cpu, used, 3);
}
GST_END_TEST

/* Elements that are exchanged while the pipeline plays. */

typedef struct {
  GstElement *pipeline, *source, *sink;
  GstElement *work; /* what is in the middle */
  GstElement *next; /* what is to be there; NULL: the same */
  const gchar *name;
  guint64 used_ns; /* by what was there before */
  gint done;
} Exchange;

static GstPadProbeReturn
exchange (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  Exchange *self = data;
  GstElement *before = self->work;

  if (g_atomic_int_get (&self->done))
    return GST_PAD_PROBE_REMOVE;
  gst_element_unlink_many (self->source, before, self->sink, NULL);
  gst_bin_remove (GST_BIN (self->pipeline), before);
  gst_element_set_state (before, GST_STATE_NULL);
  self->used_ns = pyro_used_of (before);
  if (self->next != NULL) {
    /* Freed: its address is used again soon. */
    gst_object_unref (before);
    self->work = gst_object_ref_sink (self->next);
  }
  gst_object_set_name (GST_OBJECT (self->work), self->name);
  gst_bin_add (GST_BIN (self->pipeline), self->work);
  gst_element_link_many (self->source, self->work, self->sink, NULL);
  gst_element_sync_state_with_parent (self->work);
  g_atomic_int_set (&self->done, TRUE);
  return GST_PAD_PROBE_REMOVE;
}

/* NEXT (or NULL: the same element) is in the middle from now on, as NAME. */
static void
put_in_the_middle (Exchange *self, GstElement *next, const gchar *name)
{
  g_autoptr (GstPad) pad = gst_element_get_static_pad (self->source, "src");

  self->next = next;
  self->name = name;
  g_atomic_int_set (&self->done, FALSE);
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_IDLE, exchange, self, NULL);
  while (!g_atomic_int_get (&self->done))
    g_usleep (500);
}

static void
exchange_begin (Exchange *self, const gchar *name)
{
  self->pipeline = pyro_launch (
      name, "pyroburnsrc name=source data-cost=3000 ! "
            "pyroburn name=one data-cost=6000 ! fakesink name=sink");
  self->source = gst_bin_get_by_name (GST_BIN (self->pipeline), "source");
  self->work = gst_bin_get_by_name (GST_BIN (self->pipeline), "one");
  self->sink = gst_bin_get_by_name (GST_BIN (self->pipeline), "sink");
  pyro_profiled_begin ();
  pyro_play (self->pipeline);
}

static PyroCaptured *
exchange_end (Exchange *self)
{
  gst_element_set_state (self->pipeline, GST_STATE_NULL);
  return pyro_profiled_end ();
}

static void
exchange_clear (Exchange *self)
{
  gst_object_unref (self->source);
  gst_object_unref (self->work);
  gst_object_unref (self->sink);
  gst_object_unref (self->pipeline);
}

static GstElement *
make_burn (guint cost)
{
  GstElement *burn = gst_element_factory_make ("pyroburn", NULL);

  g_object_set (burn, "data-cost", cost, NULL);
  return burn;
}

GST_START_TEST (elements_that_come_and_go_or_are_renamed_keep_apart)
{
  Exchange self;
  g_autoptr (PyroCaptured) captured = NULL;
  guint64 one, two;

  exchange_begin (&self, "changing");
  pyro_wait_for_cpu (self.pipeline, 900);
  put_in_the_middle (&self, make_burn (9000), "two");
  one = self.used_ns;
  pyro_wait_for_cpu (self.pipeline, 900);
  put_in_the_middle (&self, NULL, "three");
  two = self.used_ns;
  pyro_wait_for_cpu (self.pipeline, 900);
  captured = exchange_end (&self);
  {
    PyroTruth truth[]
        = { { "path", "changing/source", pyro_used_of (self.source) },
            { "path", "changing/one", one },
            { "path", "changing/two", two },
            { "path", "changing/three", pyro_used_of (self.work) - two } };

    pyro_expect_shares (captured, truth, G_N_ELEMENTS (truth));
  }
  exchange_clear (&self);
}
GST_END_TEST

GST_START_TEST (addresses_that_are_used_again_are_not_mistaken)
{
  Exchange self;
  PyroTruth truth[2] = { { "element", "even" }, { "element", "odd" } };
  g_autoptr (PyroCaptured) captured = NULL;

  exchange_begin (&self, "reused");
  for (guint i = 0; i < N_SWAPS * pyro_profiled_scale (); i++) {
    gboolean odd = i % 2;

    put_in_the_middle (&self, make_burn (odd ? 9000 : 3000),
                       odd ? "odd" : "even");
    if (i > 0)
      truth[!odd].used_ns += self.used_ns;
    g_usleep (100000);
  }
  put_in_the_middle (&self, make_burn (0), "last");
  truth[1].used_ns += self.used_ns;
  captured = exchange_end (&self);
  pyro_expect_shares (captured, truth, G_N_ELEMENTS (truth));
  exchange_clear (&self);
}
GST_END_TEST

static Suite *
make_suite (void)
{
  Suite *suite = suite_create ("many");
  TCase *tcase = tcase_create ("many");

  suite_add_tcase (suite, tcase);
  tcase_add_test (tcase, of_500_elements_in_one_thread_each_has_its_own);
  tcase_add_test (tcase, elements_beyond_max_label_sets_lose_their_numbers);
  tcase_add_test (tcase, pipelines_without_end_keep_memory_and_series_flat);
  tcase_add_test (tcase, names_that_have_no_number_to_lose_become_others);
  tcase_add_test (tcase, of_64_pipelines_at_once_each_has_its_own);
  tcase_add_test (tcase, pipelines_that_live_for_a_moment_are_not_missed);
  tcase_add_test (tcase, elements_that_come_and_go_or_are_renamed_keep_apart);
  tcase_add_test (tcase, addresses_that_are_used_again_are_not_mistaken);
  return suite;
}

int
main (int argc, char **argv)
{
  return pyro_profiled_main (
      argc, argv, ",sample-rate=1000,max-label-sets=2000", make_suite);
}
