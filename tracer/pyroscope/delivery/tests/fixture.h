/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: settings, profiles, a log and a directory for the delivery's tests.
 * Owner: results belong to the caller unless it says otherwise.
 * Threads: the log may be written by any; the rest is the test's.
 */
#pragma once

#include "settings.h"

G_BEGIN_DECLS

/* The defaults, with no server and no directory. */
PyroSettings *fixture_settings_new (void);
void fixture_settings_free (PyroSettings *settings);
void fixture_set (gchar **setting, const gchar *value);
void fixture_add_label (GArray *list, const gchar *key, const gchar *value);

/* A valid pprof profile with N_SAMPLES samples, each with a label of
 * LABEL_BYTES and the value 7. */
GBytes *fixture_pprof_new (guint n_samples, guint label_bytes);

/* From now on the category's messages are kept instead of printed. */
void fixture_log_start (void);
/* All of them so far, "WARN text\n" lines, and none left. */
gchar *fixture_log_take (void);
/* How often NEEDLE is in TEXT. */
guint fixture_count (const gchar *text, const gchar *needle);

/* A fresh directory; remove takes what is in it along. */
gchar *fixture_dir_new (void);
void fixture_dir_remove (gchar *dir);
/* The names in DIR, sorted, or NULL where it cannot be read. */
GPtrArray *fixture_dir_list (const gchar *dir);

G_END_DECLS
