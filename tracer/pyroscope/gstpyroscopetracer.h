/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the tracer "pyroscope": properties, hooks, life cycle.
 * Owner: GStreamer owns the tracers that GST_TRACERS names, until gst_deinit().
 * Threads: properties and signals from any thread.
 */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_PYROSCOPE_TRACER (gst_pyroscope_tracer_get_type ())
G_DECLARE_FINAL_TYPE (GstPyroscopeTracer, gst_pyroscope_tracer, GST,
                      PYROSCOPE_TRACER, GstTracer)

G_END_DECLS
