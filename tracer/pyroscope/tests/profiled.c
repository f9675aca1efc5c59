/* SPDX-License-Identifier: LGPL-2.1-or-later */

#define GST_USE_UNSTABLE_API
#include "profiled.h"

#include <math.h>
#include <stdlib.h>

#define MAX_ELEMENTS 8
#define POLL_US 5000

#define START_US 300000

/* A test that waits so long for its CPU time has none. */
#define LIMIT_US (60 * G_USEC_PER_SEC)

static gchar *folder;

const gchar *
pyro_profiled_folder (void)
{
  return folder;
}

guint
pyro_profiled_scale (void)
{
  const gchar *text = g_getenv ("PYRO_TEST_SCALE");

  return text != NULL ? MAX (1, (guint)strtoul (text, NULL, 10)) : 1;
}

GObject *
pyro_profiled_tracer (void)
{
  GList *tracers = gst_tracing_get_active_tracers ();
  GObject *tracer = NULL;

  for (GList *item = tracers; item != NULL && tracer == NULL; item = item->next)
    if (g_str_equal (G_OBJECT_TYPE_NAME (item->data), "GstPyroscopeTracer"))
      tracer = g_object_ref (item->data);
  g_list_free_full (tracers, gst_object_unref);
  /* Not fail(): also called outside of any test. */
  if (tracer == NULL)
    g_error ("no tracer: GST_PLUGIN_PATH must name its folder");
  return tracer;
}

void
pyro_profiled_emit (const gchar *action)
{
  g_autoptr (GObject) tracer = pyro_profiled_tracer ();

  g_signal_emit_by_name (tracer, action);
}

GstStructure *
pyro_profiled_stats (void)
{
  g_autoptr (GObject) tracer = pyro_profiled_tracer ();
  GstStructure *stats = NULL;

  g_object_get (tracer, "stats", &stats, NULL);
  return stats;
}

void
pyro_profiled_begin (void)
{
  pyro_profiled_emit ("stop");
  pyro_captured_clear (folder);
  pyro_profiled_emit ("start");
  /* What is used before the collector has come to the threads is not counted.
   */
  g_usleep (START_US);
}

PyroCaptured *
pyro_profiled_end (void)
{
  pyro_profiled_emit ("stop");
  return pyro_captured_read (folder);
}

gchar *
pyro_describe_two_workers (const gchar *threads)
{
  return g_strdup_printf ("pyroburnsrc ! tee name=t "
                          "t. ! queue max-size-buffers=1 ! pyroburnworkers "
                          "name=left threads=%s data-cost=6000 ! "
                          "fakesink async=false "
                          "t. ! queue max-size-buffers=1 ! pyroburnworkers "
                          "name=right threads=%s data-cost=14000 ! "
                          "fakesink async=false",
                          threads, threads);
}

GstElement *
pyro_launch (const gchar *name, const gchar *description)
{
  g_autoptr (GError) error = NULL;
  GstElement *pipeline = gst_parse_launch (description, &error);

  fail_unless (pipeline != NULL && error == NULL, "%s",
               error != NULL ? error->message : "");
  gst_object_set_name (GST_OBJECT (pipeline), name);
  return pipeline;
}

guint64
pyro_used_of (GstElement *element)
{
  guint64 used = 0;

  if (g_object_class_find_property (G_OBJECT_GET_CLASS (element), "used"))
    g_object_get (element, "used", &used, NULL);
  return used;
}

guint64
pyro_used_by (GstElement *bin, const gchar *name)
{
  g_autoptr (GstElement) element = gst_bin_get_by_name (GST_BIN (bin), name);

  fail_unless (element != NULL, "no element %s", name);
  return pyro_used_of (element);
}

guint64
pyro_used (GstElement *bin)
{
  g_autoptr (GstIterator) iterator = gst_bin_iterate_recurse (GST_BIN (bin));
  GValue item = G_VALUE_INIT;
  guint64 used = 0;
  GstIteratorResult result;

  while ((result = gst_iterator_next (iterator, &item)) == GST_ITERATOR_OK
         || result == GST_ITERATOR_RESYNC) {
    if (result == GST_ITERATOR_RESYNC) {
      gst_iterator_resync (iterator);
      used = 0;
      continue;
    }
    used += pyro_used_of (g_value_get_object (&item));
    g_value_reset (&item);
  }
  if (G_IS_VALUE (&item))
    g_value_unset (&item);
  return used;
}

void
pyro_play (GstElement *bin)
{
  fail_unless (gst_element_set_state (bin, GST_STATE_PLAYING)
               != GST_STATE_CHANGE_FAILURE);
}

void
pyro_wait_for_cpu (GstElement *bin, guint cpu_ms)
{
  guint64 wanted = pyro_used (bin)
                   + (guint64)cpu_ms * pyro_profiled_scale () * GST_MSECOND;
  gint64 limit = g_get_monotonic_time () + LIMIT_US * pyro_profiled_scale ();

  while (pyro_used (bin) < wanted) {
    fail_unless (g_get_monotonic_time () < limit, "%s does not use the CPU",
                 GST_OBJECT_NAME (bin));
    g_usleep (POLL_US);
  }
}

PyroCaptured *
pyro_play_for (GstElement *bin, guint cpu_ms)
{
  pyro_profiled_begin ();
  pyro_play (bin);
  pyro_wait_for_cpu (bin, cpu_ms);
  gst_element_set_state (bin, GST_STATE_NULL);
  return pyro_profiled_end ();
}

/* The standard error of a SHARE that LOOKS were taken of. */
static gdouble
standard_error (gdouble share, gdouble looks)
{
  return sqrt (share * (1 - share) / MAX (1, looks));
}

void
pyro_expect_shares (const PyroCaptured *captured, const PyroTruth *truth,
                    guint n)
{
  guint64 cpu_ns = 0, used_ns = 0;
  gdouble looks = (gdouble)captured->looks;

  for (guint i = 0; i < n; i++) {
    cpu_ns += pyro_captured_cpu (captured, truth[i].key, truth[i].value, NULL);
    used_ns += truth[i].used_ns;
  }
  looks
      *= (gdouble)cpu_ns / (gdouble)MAX (1, pyro_captured_cpu (captured, NULL));
  fail_unless (looks > 50 && used_ns > 0, "only %.0f samples", looks);
  for (guint i = 0; i < n; i++) {
    gdouble expected = (gdouble)truth[i].used_ns / (gdouble)used_ns;
    gdouble share = (gdouble)pyro_captured_cpu (captured, truth[i].key,
                                                truth[i].value, NULL)
                    / (gdouble)cpu_ns;
    gdouble error = standard_error (expected, looks);
    gdouble limit = pyro_profiled_scale () < PYRO_LONG_SCALE
                        ? MAX (0.01, 4 * error)
                        : 0.01;

    GST_INFO ("%s=%s: %.2f %%, by the clock %.2f %%; standard error %.2f",
              truth[i].key, truth[i].value, share * 100, expected * 100,
              error * 100);
    fail_unless (fabs (share - expected) < limit,
                 "%s=%s has %.1f %% of %.0f samples, but used %.1f %% of the "
                 "CPU time",
                 truth[i].key, truth[i].value, share * 100, looks,
                 expected * 100);
  }
}

void
pyro_expect_elements (const PyroCaptured *captured, GstElement *bin, ...)
{
  PyroTruth truth[MAX_ELEMENTS];
  const gchar *name;
  guint n = 0;
  va_list args;

  va_start (args, bin);
  while (n < MAX_ELEMENTS && (name = va_arg (args, const gchar *)) != NULL)
    truth[n++] = (PyroTruth){ "element", name, pyro_used_by (bin, name) };
  va_end (args);
  pyro_expect_shares (captured, truth, n);
}

void
pyro_expect_time (const PyroCaptured *captured, const gchar *what,
                  guint64 cpu_ns, guint64 ns, gdouble percent)
{
  gdouble all_ns = (gdouble)pyro_captured_cpu (captured, NULL);
  gdouble error = all_ns
                  * standard_error (MIN (1, (gdouble)ns / MAX (1, all_ns)),
                                    (gdouble)captured->looks);

  GST_INFO ("%s: %.1f ms captured, %.1f ms used; standard error %.1f", what,
            (gdouble)cpu_ns / 1e6, (gdouble)ns / 1e6, error / 1e6);
  fail_unless (fabs ((gdouble)cpu_ns - (gdouble)ns)
                   < (gdouble)ns * percent / 100 + 4 * error,
               "%s: %.1f ms captured, but %.1f ms used", what,
               (gdouble)cpu_ns / 1e6, (gdouble)ns / 1e6);
}

int
pyro_profiled_main (int argc, char **argv, const gchar *settings,
                    Suite *(*make_suite) (void))
{
  g_autofree gchar *tracers = NULL;
  g_autofree gchar *name = g_path_get_basename (argv[0]);
  int failed;

  folder = g_dir_make_tmp ("test-pyroscope-XXXXXX", NULL);
  g_assert_nonnull (folder);
  tracers = g_strdup_printf ("pyroscope(server-url=,output-dir=%s%s)", folder,
                             settings);
  g_setenv ("GST_TRACERS", tracers, TRUE);
  g_setenv ("CK_FORK", "no", TRUE);
  gst_check_init (&argc, &argv);
  pyro_burn_register (NULL);
  failed = gst_check_run_suite (make_suite (), name, __FILE__);
  pyro_captured_remove (folder);
  g_clear_pointer (&folder, g_free);
  return failed;
}
