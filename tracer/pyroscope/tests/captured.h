/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the sums of a folder of captures, for a test to compare.
 * Owner: the caller.
 * Threads: one.
 */
#pragma once

#include <gst/gst.h>

#include "profile/profile-types.h"

G_BEGIN_DECLS

/* CPU time, in nanoseconds, of the samples in all captures of FOLDER that have
 * all of LABELS (up to one whose key is NULL; a value of NULL: the sample must
 * not have that label). Fails the test on a file that is no capture. */
guint64 captured_cpu (const gchar *folder, const PyroLabel *labels);

/* As a share of those that have the label pipeline=PIPELINE. */
gdouble captured_share (const gchar *folder, const gchar *pipeline,
                        const gchar *key, const gchar *value);

/* How many captures there are. */
guint captured_count (const gchar *folder);

/* Removes the folder with all its files. */
void captured_remove (const gchar *folder);

G_END_DECLS
