/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: strings from files, fit to be shown; names that are nearly right.
 * Owner: results belong to the caller.
 * Threads: any; no state.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Valid UTF-8 on one line without control characters: a name in a file must
 * not talk to the terminal. (transfer full) */
gchar *pyro_text_printable (const gchar *text);

/* As above, and without ';', which separates frames in folded stacks.
 * (transfer full) */
gchar *pyro_text_folded (const gchar *text);

/* How many characters must change, at most, to make A of B. */
guint pyro_text_distance (const gchar *a, const gchar *b);

/* "; nearest: \"cpu\"; there are: cpu, samples" for the end of a message, from
 * NAMES (NULL-terminated; of many the first 20 and the number of the rest).
 * (transfer full) */
gchar *pyro_text_suggest (const gchar *wrong, const gchar *const *names);

G_END_DECLS
