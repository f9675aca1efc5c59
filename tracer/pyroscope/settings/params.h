/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: splits a tracer's parameters, "name=value,name=value", tolerantly.
 * Owner: the values are the caller's.
 * Threads: any.
 *
 * gst_structure_from_string() is not used: it takes types from the look of a
 * value ("123" is an int) and refuses all for one character that it does not
 * know, among them the '=' of tags=env=dev,team=video.
 *
 * Blanks around names, values and commas do not count; neither do empty parts,
 * a ';' at the end and a structure's name (pyroscope, params) at the start. A
 * value is
 *  - in single or double quotes; a backslash takes the meaning from what is
 *    behind it (in tags and http-headers, from the quote and the backslash,
 *    the rest is left to them);
 *  - for lists, in {}, [] or <>, or a JSON object;
 *  - else bare: up to the next comma that has no backslash before it.
 * A GStreamer type, "(string)", may stand before it and is skipped. A comma
 * ends bare tags and http-headers only where the name of a setting and '='
 * follow, or what looks like a slip in one (see pyro_setting_nearest(): what
 * is meant as a tag named "tag" wants quotes); it ends bare profiles and labels
 * only where any name and '=' follow.
 */
#pragma once

#include "settings/table.h"

G_BEGIN_DECLS

/* The values that PARAMS gives, one for each row of the table, NULL where it
 * gives none; free with pyro_settings_params_free(). What cannot be understood
 * is reported with its position, counted in bytes from 1. */
gchar **pyro_settings_params_split (const gchar *params, GPtrArray *messages);
void pyro_settings_params_free (gchar **values);

/* Says that NAME, which stands at WHERE ("byte 12 of the parameters"), is no
 * setting, and which one may be meant. */
void pyro_settings_say_unknown (const gchar *name, const gchar *where,
                                GPtrArray *messages);

G_END_DECLS
