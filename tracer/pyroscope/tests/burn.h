/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: elements of a known cost, to compare a profile with: "burn" passes
 * buffers on and uses CPU time for each; "burnsrc" makes buffers that way.
 * Owner: the test program; burn_register() makes them known to GStreamer.
 * Threads: the elements' own counters may be read when the pipeline is in NULL.
 */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* Properties of both: "cost" (microseconds of CPU time for each buffer),
 * "used" (nanoseconds of CPU time so far, by the thread's clock; read-only);
 * of burnsrc: "num-buffers". */
void burn_register (void);

/* Property "used" of the element called NAME somewhere in BIN. */
guint64 burn_used (GstBin *bin, const gchar *name);

/* Uses CPU time of the calling thread; returns how much, in nanoseconds. */
guint64 burn_cpu (guint64 ns);

G_END_DECLS
