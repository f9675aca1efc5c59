/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: reads k=v lists (tags, http-headers) and checks labels and headers.
 * Owner: the list is the caller's.
 * Threads: any.
 *
 * A list is NAME=VALUE,NAME=VALUE; blanks around names and values do not
 * count. A value, or a whole pair, may be in single or double quotes. A
 * backslash takes the meaning from what is behind it: in quotes from anything,
 * outside of them from , = ; \ " ' and a blank (and else stands for itself).
 * The list may stand in {}, [] or <>, as GStreamer writes lists. Headers may be
 * one flat JSON object of strings instead.
 */
#pragma once

#include "settings/table.h"

G_BEGIN_DECLS

/* Labels of a series at most, with those that the tracer adds itself
 * (Pyroscope's default limit, validation.max-label-names-per-series). */
#define PYRO_MAX_SERIES_LABELS 30

/* An array of PyroLabel (transfer full) with all pairs that are good; the
 * others are reported, each with its remedy. NULL: none of TEXT can be used;
 * *WHY as in pyro_setting_parse(). */
GArray *
pyro_pairs_parse (const PyroSetting *setting, const gchar *text,
                  const gchar *origin, gchar **why, GPtrArray *messages);

/* TEXT without blanks and one pair of brackets around it. Transfer full. */
gchar *pyro_pairs_strip_brackets (const gchar *text);

/* A quoted string: *P is at its quote and moves behind its end. In it, a
 * backslash takes the meaning from any character; with KEEP, only from the
 * quote and the backslash, for text in which others have a meaning of their
 * own. NULL: it does not end. Transfer full. */
gchar *pyro_pairs_unquote (const gchar **p, gboolean keep);

/* LENGTH bytes of TEXT outside of quotes, with their backslashes resolved and
 * without the blanks around. Transfer full. */
gchar *pyro_pairs_unescape (const gchar *text, gsize length);

/* A quote at P, within the text from START on, opens a quoted string: it does
 * where a value, a pair or a list's member begins, but not in "it's". */
gboolean pyro_pairs_opens_quote (const gchar *start, const gchar *p);

/* The end of the pair at P in the text from START on: its comma, or the end of
 * the text. */
const gchar *pyro_pairs_item_end (const gchar *start, const gchar *p);

/* The length of a GStreamer type in brackets, as "(string)", at P; 0: none. */
gsize pyro_pairs_type_prefix (const gchar *p);

G_END_DECLS
