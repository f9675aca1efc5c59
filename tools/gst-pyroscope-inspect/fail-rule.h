/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: what --fail-on asks for: "element=x264enc0:+5%".
 * Owner: a rule owns its texts.
 * Threads: main only.
 */
#pragma once

#include "diff.h"

G_BEGIN_DECLS

typedef struct {
  gchar *text;
  gchar *key;       /* of --by; NULL: the total */
  gchar *name;      /* of the row */
  gdouble fraction; /* 0.05 for +5%, negative: has fallen by more */
} PyroFailRule;

/* (transfer full) NULL with an error where TEXT is no rule. */
PyroFailRule *pyro_fail_rule_parse (const gchar *text, GError **error);
void pyro_fail_rule_free (gpointer rule);

/* TRUE with a MESSAGE (transfer full) where what the rule is about has changed
 * by more than it allows, and that is significant. FALSE with an error where it
 * is in neither profile, or nothing is known of the sampling. */
gboolean
pyro_fail_rule_check (const PyroFailRule *rule, const PyroSelection *a,
                      const PyroSelection *b, gboolean by_cum,
                      PyroNormalise normalise, gchar **message, GError **error);

G_END_DECLS
