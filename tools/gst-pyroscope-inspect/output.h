/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: standard output as a file that is there once it is whole.
 * Owner: the output owns its names.
 * Threads: main only; one at a time.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  gchar *path; /* NULL: standard output itself */
  gchar *partial;
  int before; /* what standard output was */
} PyroOutput;

/* All that is printed from here on goes to PATH; NULL or "-": where it went
 * before. BINARY: refused where that is a terminal. */
gboolean pyro_output_begin (PyroOutput *output, const gchar *path,
                            gboolean binary, GError **error);

/* Puts the file in its place, or drops it unless GOOD. Standard output is what
 * it was before. FALSE where it could not be written. */
gboolean pyro_output_end (PyroOutput *output, gboolean good, GError **error);

G_END_DECLS
