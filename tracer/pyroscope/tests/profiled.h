/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: pipelines of known cost under the tracer of this process, and the
 * comparison of their captures with the truth.
 * Owner: the folder of captures is the program's, removed at its end.
 * Threads: the tests' own.
 *
 * A process has one profiler, so all tests of a program share it, and are not
 * forked; each has a run of the profiler for itself.
 */
#pragma once

#include <gst/check/gstcheck.h>

#include "burn.h"
#include "captured.h"

G_BEGIN_DECLS

/* The main() of a test program: SETTINGS follow server-url and output-dir.
 * PYRO_TEST_SCALE=10 in the environment makes every test ten times as long. */
#define PYRO_LONG_SCALE 10
int pyro_profiled_main (int argc, char **argv, const gchar *settings,
                        Suite *(*make_suite) (void));

const gchar *pyro_profiled_folder (void);
guint pyro_profiled_scale (void);

/* Starts the profiler with no captures; stops it and reads them. */
void pyro_profiled_begin (void);
PyroCaptured *pyro_profiled_end (void);

/* The tracer that has the profiler. (transfer full) */
GObject *pyro_profiled_tracer (void);

/* Its property "stats", or NULL. (transfer full) */
GstStructure *pyro_profiled_stats (void);

/* Its action signal "start", "stop" or "flush". */
void pyro_profiled_emit (const gchar *action);

/* A pipeline whose elements "left" and "right" have workers of the kind
 * THREADS, for gst_parse_launch(). (transfer full) */
gchar *pyro_describe_two_workers (const gchar *threads);

/* gst_parse_launch() with a name for the pipeline. (transfer full) */
GstElement *pyro_launch (const gchar *name, const gchar *description);

/* Sets BIN to PLAYING; waits until its burning elements have used so many
 * milliseconds of CPU time (times the scale), whatever the machine does. */
void pyro_play (GstElement *bin);
void pyro_wait_for_cpu (GstElement *bin, guint cpu_ms);

/* All of it: from pyro_profiled_begin() over NULL to pyro_profiled_end(). */
PyroCaptured *pyro_play_for (GstElement *bin, guint cpu_ms);

/* CPU time that ELEMENT, the element NAME in BIN, or all in BIN used, in
 * nanoseconds; 0 for elements that do not count it. */
guint64 pyro_used_of (GstElement *element);
guint64 pyro_used_by (GstElement *bin, const gchar *name);
guint64 pyro_used (GstElement *bin);

/* What is to be found in the samples that have the label KEY=VALUE. */
typedef struct {
  const gchar *key, *value;
  guint64 used_ns;
} PyroTruth;

/* Each one's share of the CPU time of all N is the truth's, to within 1 point
 * or, where there are too few samples for that, four standard errors: n looks
 * at a share p have one of sqrt (p (1 - p) / n), and one comparison in 16 000
 * is further off. From PYRO_LONG_SCALE on, to within 1 point. */
void pyro_expect_shares (const PyroCaptured *captured, const PyroTruth *truth,
                         guint n);

/* The same for elements of BIN, whose names follow up to a NULL. */
void pyro_expect_elements (const PyroCaptured *captured, GstElement *bin,
                           ...) G_GNUC_NULL_TERMINATED;

/* CPU_NS of captured time is NS to within PERCENT and four standard errors. */
void pyro_expect_time (const PyroCaptured *captured, const gchar *what,
                       guint64 cpu_ns, guint64 ns, gdouble percent);

G_END_DECLS
