/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* GST_PLUGIN_DEFINE wants them; this project has no home page. */
#define PACKAGE "gst-pyroscope"
#define GST_PACKAGE_ORIGIN "Unknown package origin"
#define GST_USE_UNSTABLE_API
#include <gst/gst.h>

#include "gstpyroscopetracer.h"
#include "log.h"

static gboolean
plugin_init (GstPlugin *plugin)
{
  pyro_log_init ();
  return gst_tracer_register (plugin, "pyroscope", GST_TYPE_PYROSCOPE_TRACER);
}

GST_PLUGIN_DEFINE (GST_VERSION_MAJOR, GST_VERSION_MINOR, pyroscopetracer,
                   "Continuous CPU profiling by element, to Grafana Pyroscope "
                   "or to files: GST_TRACERS='pyroscope(server-url=URL,"
                   "output-dir=DIR,sample-rate=HZ,tags=\"k=v\")'; every "
                   "parameter: man 7 gst-pyroscope-tracer",
                   plugin_init, PYRO_VERSION, "LGPL", "gst-pyroscope",
                   GST_PACKAGE_ORIGIN)
