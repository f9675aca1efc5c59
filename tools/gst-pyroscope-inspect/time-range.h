/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: which captures --since, --until and --last choose.
 * Owner: plain data.
 * Threads: any; no state.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  gint64 since_ns; /* UNIX time; G_MININT64: no limit */
  gint64 until_ns; /* G_MAXINT64: no limit */
  gint64 last_ns;  /* before the end of the newest capture; 0: not asked for */
} PyroTimeRange;

/* Texts may be NULL. A point in time is "2026-11-29T12:30[:00][Z]",
 * "2026-11-29", "12:30[:00]" of today, "@SECONDS" of UNIX time, or "10m" ago; a
 * length is a number and ms, s, m, h or d. FALSE with an error where a text is
 * none of these, or nothing can lie between. */
gboolean
pyro_time_range_parse (PyroTimeRange *range, const gchar *since,
                       const gchar *until, const gchar *last, GError **error);

gboolean pyro_time_range_is_limited (const PyroTimeRange *range);

/* Whether any part of a capture that began at TIME_NS (0: unknown, never) lies
 * in the range. A capture is not divided. */
gboolean pyro_time_range_has (const PyroTimeRange *range, gint64 time_ns,
                              gint64 duration_ns);

G_END_DECLS
