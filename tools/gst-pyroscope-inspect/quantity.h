/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: values of samples in units that people read.
 * Owner: results belong to the caller.
 * Threads: any; no state.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* "1.50s", "12.00ms", "3.25MiB", "42" for counts, "7 frames" for units that
 * are not known. UNIT is pprof's ("nanoseconds"). (transfer full) */
gchar *pyro_quantity_to_string (gint64 value, const gchar *unit);

/* TRUE and the value in seconds where UNIT is one of time. */
gboolean
pyro_quantity_to_seconds (gint64 value, const gchar *unit, gdouble *seconds);

/* Hundred times PART / WHOLE, 0 where WHOLE is. */
gdouble pyro_percent (gint64 part, gint64 whole);

G_END_DECLS
