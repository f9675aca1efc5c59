/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the text of --filter, --focus and their kin as the filters that they
 * stand for.
 * Owner: results belong to the caller.
 * Threads: any; no state.
 */
#pragma once

#include "profile/profile-filter.h"

G_BEGIN_DECLS

/* "LABEL=VALUE", "LABEL!=VALUE", "LABEL~EXPRESSION", "LABEL!~EXPRESSION"; with
 * *, ? or [ in it VALUE is a pattern, "(none)" stands for the lack of the
 * label. FALSE with an error where TEXT is none of these. */
gboolean
pyro_filter_parse (const gchar *text, PyroLabelFilter *filter, GError **error);

/* OPTION is for the message. NULL with an error where TEXT is no expression.
 * (transfer full) */
GRegex *
pyro_regex_parse (const gchar *option, const gchar *text, GError **error);

/* The label that KEY names: "label:function" is the label "function", which
 * would mean something else without it. Points into KEY. */
const gchar *pyro_label_key (const gchar *key);

G_END_DECLS
