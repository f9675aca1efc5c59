/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: reads one flat JSON object of strings, which is how the Pyroscope
 * agents take PYROSCOPE_HTTP_HEADERS. GLib has no JSON, and a library for one
 * object of strings would be one more in every GStreamer process.
 * Owner: the caller.
 * Threads: any.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* TEXT is meant to be a JSON object: '{' with a member's quoted name and ':'
 * behind it, or with nothing. GStreamer's lists begin with '{', too. */
gboolean pyro_json_is_object (const gchar *text);

/* The members (RFC 8259) as an array of PyroLabel, in their order. NULL: it is
 * no object of strings; *WHY (transfer full) says where, but not what is
 * there, as headers are secret. */
GArray *pyro_json_read_object (const gchar *text, gchar **why);

G_END_DECLS
