/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: which labels and values there are, for a filter that matches none.
 * Owner: the facts copy what they keep.
 * Threads: main only.
 */
#pragma once

#include "profile/profile-filter.h"

G_BEGIN_DECLS

typedef struct {
  const GArray *filters; /* PyroLabelFilter, borrowed */
  GHashTable *names;     /* of labels */
  GPtrArray *values;     /* for each filter, a set of values */
  gsize n_samples;
} PyroFilterFacts;

void pyro_filter_facts_init (PyroFilterFacts *facts, const GArray *filters);
void pyro_filter_facts_clear (PyroFilterFacts *facts);

/* Before the profile is filtered. */
void pyro_filter_facts_add (PyroFilterFacts *facts, const PyroProfile *profile);

/* FALSE with an error where a filter's label is nowhere, or its value is, and
 * it is not negated. Without any samples every filter is right. */
gboolean pyro_filter_facts_check (const PyroFilterFacts *facts, GError **error);

G_END_DECLS
