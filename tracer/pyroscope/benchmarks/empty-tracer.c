/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: a tracer "empty" with the hooks of ours and nothing in them: what
 * GStreamer's own dispatch costs. Only for bench-hooks.
 * Owner: GStreamer.
 * Threads: any.
 */

#define PACKAGE "gst-pyroscope"
#define GST_PACKAGE_ORIGIN "Unknown package origin"
#define GST_USE_UNSTABLE_API
#include <gst/gst.h>

typedef struct {
  GstTracer parent;
} GstEmptyTracer;

typedef struct {
  GstTracerClass parent_class;
} GstEmptyTracerClass;

static GType gst_empty_tracer_get_type (void);
G_DEFINE_TYPE (GstEmptyTracer, gst_empty_tracer, GST_TYPE_TRACER)

static void
do_nothing (GObject *tracer, GstClockTime ts, gpointer object)
{
}

static void
gst_empty_tracer_init (GstEmptyTracer *self)
{
  static const gchar *const names[] = { PYRO_HOOK_NAMES };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    if (g_quark_try_string (names[i]) != 0)
      gst_tracing_register_hook (GST_TRACER (self), names[i],
                                 G_CALLBACK (do_nothing));
}

static void
gst_empty_tracer_class_init (GstEmptyTracerClass *klass)
{
}

static gboolean
plugin_init (GstPlugin *plugin)
{
  return gst_tracer_register (plugin, "empty", gst_empty_tracer_get_type ());
}

GST_PLUGIN_DEFINE (GST_VERSION_MAJOR, GST_VERSION_MINOR, emptytracer,
                   "Hooks without anything in them", plugin_init, PYRO_VERSION,
                   "LGPL", "gst-pyroscope", GST_PACKAGE_ORIGIN)
