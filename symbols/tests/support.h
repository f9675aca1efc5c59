/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: what the tests of this room share: the sample libraries, copies of
 * them made with binutils, and a folder to put these in.
 * Owner: returned strings belong to the caller. Threads: the test's.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  gchar *directory; /* temporary, removed with all that is in it */
} Fixture;

void fixture_set_up (Fixture *fixture, gconstpointer data);
void fixture_tear_down (Fixture *fixture, gconstpointer data);

/* A path in the temporary folder; the folders on the way are made. */
gchar *fixture_path (Fixture *fixture, const gchar *name);

/* The path of a library that was built for the tests. */
gchar *sample_path (const gchar *name);

/* The value of the symbol NAME in the unstripped file PATH. */
guint64 sample_address (const gchar *path, const gchar *name);

/* The line of sample.c that says COMMENT. */
gint sample_line (const gchar *comment);

/* The build id of the file at PATH. */
gchar *sample_build_id (const gchar *path);

/* DEBUG_DIRECTORY/.build-id/xx/yyyy.debug in the temporary folder. */
gchar *build_id_path (Fixture *fixture, const gchar *build_id);

/* Runs a program, which must succeed. */
void run (const gchar *program, ...) G_GNUC_NULL_TERMINATED;

G_END_DECLS
