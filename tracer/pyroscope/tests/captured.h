/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: what a folder of captures says, for a test to compare.
 * Owner: the caller owns a PyroCaptured.
 * Threads: one.
 */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct {
  GPtrArray *profiles;
  /* How often the sampler looked; each expiration of a timer that came with
   * another one, because kernels look at CPU timers with their tick only, is
   * in the values, but tells nothing new. */
  guint64 looks;
} PyroCaptured;

/* Fails the test on a file that is no capture of CPU time. */
PyroCaptured *pyro_captured_read (const gchar *folder);
void pyro_captured_free (PyroCaptured *captured);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PyroCaptured, pyro_captured_free)

/* CPU time, in nanoseconds, of the samples that have all of the labels, which
 * follow as pairs of key and value up to a NULL; a value of NULL: the sample
 * must not have that label. */
guint64
pyro_captured_cpu (const PyroCaptured *captured, ...) G_GNUC_NULL_TERMINATED;

/* The different values of the label KEY, sorted. (transfer full) */
GStrv pyro_captured_values (const PyroCaptured *captured, const gchar *key);

/* Whether one of the captures has the comment KEY=VALUE; NULL: any VALUE. */
gboolean pyro_captured_has_comment (const PyroCaptured *captured,
                                    const gchar *key, const gchar *value);

/* How many files there are. */
guint pyro_captured_count (const gchar *folder);

/* Removes the files, or the folder with all its files. */
void pyro_captured_clear (const gchar *folder);
void pyro_captured_remove (const gchar *folder);

G_END_DECLS
