/* SPDX-License-Identifier: LGPL-2.1-or-later */

#define GST_USE_UNSTABLE_API
#include "tracer-control.h"

void
tracer_control (const gchar *action)
{
  GList *tracers = gst_tracing_get_active_tracers ();
  gboolean done = FALSE;

  for (GList *item = tracers; item != NULL; item = item->next)
    if (g_str_equal (G_OBJECT_TYPE_NAME (item->data), "GstPyroscopeTracer")) {
      g_signal_emit_by_name (item->data, action);
      done = TRUE;
    }
  g_list_free_full (tracers, gst_object_unref);
  if (!done)
    g_error ("no tracer: GST_PLUGIN_PATH_1_0 must name its folder");
}
