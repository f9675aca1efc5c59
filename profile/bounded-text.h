/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: names as a Pyroscope server takes them: valid UTF-8 of a bounded
 * length. It refuses a whole profile for one label that is too long.
 * Owner: the caller owns what is returned.
 * Threads: no state; any thread.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Bytes, the server's defaults: validation.max-length-label-name, -label-value
 * and validation.max-profile-symbol-value-length. */
#define PYRO_MAX_LABEL_NAME 1024
#define PYRO_MAX_LABEL_VALUE 2048
#define PYRO_MAX_STRING 65535

/* TEXT, made valid (U+FFFD for what is not) and cut where it is longer than MAX
 * bytes: then its head, "...#" and a hash of all of it, in hexadecimal, so that
 * two long names that differ remain two. Equal text gives equal text. MAX is 64
 * at least. *IS_CUT, or NULL, says whether it was cut. (transfer full) */
gchar *pyro_bounded_text (const gchar *text, gsize max, gboolean *is_cut);

G_END_DECLS
