/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the rules that do not fit into a row, each once, shared by all tables.
 * Owner: a set owns its array; an array that was outgrown stays alive for as
 * long as tables in force refer to it.
 * Threads: the collector's; handlers read an array that a snapshot refers to.
 */
#pragma once

#include <glib.h>

#include "cfi-program.h"

G_BEGIN_DECLS

typedef struct _PyroRuleSet PyroRuleSet;

/* A reference-counted array. Rules are only ever appended, so who knows an
 * index may read that rule, whatever is appended later. */
typedef struct {
  gint ref_count;
  guint capacity;
  PyroRule rules[];
} PyroRuleArray;

PyroRuleSet *pyro_rule_set_new (void);
void pyro_rule_set_free (PyroRuleSet *set);
guint pyro_rule_set_get_n_rules (PyroRuleSet *set);

/* The array that holds every index given so far; a new reference. */
PyroRuleArray *pyro_rule_set_ref_array (PyroRuleSet *set);
void pyro_rule_array_unref (PyroRuleArray *array);

/* The 22 bits of a row for STATE. PYRO_SPECIAL_UNSUPPORTED if no rule can hold
 * it, or if the set is full (2^20 rules). WITH_SAVED: also carry the slots of
 * the callee-saved registers. */
guint32 pyro_rule_set_pack (PyroRuleSet *set, const PyroCfiState *state,
                            gboolean is_signal, gboolean with_saved);

G_END_DECLS
