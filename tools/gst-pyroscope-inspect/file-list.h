/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the profiles in a folder, and one file's bytes within a limit.
 * Owner: results belong to the caller.
 * Threads: any; no state.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Adds the paths of all *.pb.gz, *.pb and *.pprof under FOLDER, in order, to
 * FILES. Hidden entries are left out, and so is what is not a file, such as a
 * FIFO; links to folders are not followed. FALSE where a folder could not be
 * read, which was reported. */
gboolean pyro_file_list_add_folder (GPtrArray *files, const gchar *folder);

/* The bytes of the file PATH, "-": of standard input. NULL with an error where
 * it cannot be read or has more than MAX_SIZE bytes. (transfer full) */
GBytes *pyro_file_read (const gchar *path, gsize max_size, GError **error);

G_END_DECLS
