/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: writes comma-separated values (RFC 4180, with line feeds).
 * Owner: none.
 * Threads: main only; standard output.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Begins with the first field of a row; then each begins with a comma. */
void pyro_csv_text (gboolean first, const gchar *text);
void pyro_csv_int (gboolean first, gint64 value);
void pyro_csv_double (gboolean first, gdouble value);
void pyro_csv_end (void);
/* A whole row of texts, NULL-terminated. */
void pyro_csv_header (const gchar *first, ...) G_GNUC_NULL_TERMINATED;

G_END_DECLS
