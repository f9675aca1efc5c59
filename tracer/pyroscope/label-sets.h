/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the labels of samples; a profile has a bounded number of sets of them.
 * Owner: the caller owns a PyroLabelSets; labels that it makes are valid until
 * it is cleared.
 * Threads: the delivery thread.
 */
#pragma once

#include "aggregate.h"
#include "profile/profile-types.h"

G_BEGIN_DECLS

#define PYRO_MAX_LABELS 6

/* Each set of labels is a series on the server. Where an aggregate has more
 * than the bound, generated names lose their numbers: "queue12" → "queue". */
typedef struct {
  guint wanted; /* PyroLabelFlags */
  gboolean numberless;
  GHashTable *stripped; /* name → the same without numbers */
} PyroLabelSets;

void pyro_label_sets_init (PyroLabelSets *sets, guint wanted, guint max_sets,
                           const PyroAggregate *aggregate);
void pyro_label_sets_clear (PyroLabelSets *sets);

/* Returns how many LABELS were filled. Unknown ones are left out, all but
 * "attribution", which is "none" then. */
guint
pyro_label_sets_make (PyroLabelSets *sets, const PyroAggregateEntry *entry,
                      PyroLabel labels[PYRO_MAX_LABELS]);

/* The path of the element that ENTRY belongs to, as the label has it, or NULL
 * where none is known. */
const gchar *
pyro_label_sets_path (PyroLabelSets *sets, const PyroAggregateEntry *entry);

G_END_DECLS
