/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the labels of samples. Each set of labels is a series on the server, so
 * their number is bounded, over an hour of profiles: where there are more,
 * those that used the CPU least and came last have labels without the numbers
 * that were generated ("queue12" → "queue"), and where that is not enough,
 * "(others)".
 * Owner: the caller owns a PyroLabelHistory and a PyroLabelSets; labels that a
 * PyroLabelSets makes are valid until it is cleared.
 * Threads: the delivery thread.
 */
#pragma once

#include "aggregate.h"
#include "profile/profile-types.h"

G_BEGIN_DECLS

#define PYRO_MAX_LABELS 6

/* How much of the names is told. */
typedef enum {
  PYRO_LABELS_FULL,
  PYRO_LABELS_NUMBERLESS,
  PYRO_LABELS_OTHERS,
  PYRO_LABELS_N_LEVELS
} PyroLabelLevel;

typedef struct {
  guint wanted;   /* PyroLabelFlags */
  guint max_sets; /* of each level but the last */
  /* The sets that were sent, as text → when, in microseconds. */
  GHashTable *sent[PYRO_LABELS_OTHERS];
} PyroLabelHistory;

void pyro_label_history_init (PyroLabelHistory *history, guint wanted,
                              guint max_sets);
void pyro_label_history_clear (PyroLabelHistory *history);

typedef struct {
  PyroLabelHistory *history;
  GHashTable *by_entry;  /* of those with equal labels, one → its set */
  GStringChunk *strings; /* names without numbers */
  guint n[PYRO_LABELS_N_LEVELS];
} PyroLabelSets;

/* NOW: monotonic time, in microseconds. */
void pyro_label_sets_init (PyroLabelSets *sets, PyroLabelHistory *history,
                           const PyroAggregate *aggregate, gint64 now);
void pyro_label_sets_clear (PyroLabelSets *sets);

/* Returns how many LABELS were filled. Unknown ones are left out, all but
 * "attribution", which is "none" then. */
guint pyro_label_sets_make (const PyroLabelSets *sets,
                            const PyroAggregateEntry *entry,
                            PyroLabel labels[PYRO_MAX_LABELS]);

/* The path of the element that ENTRY belongs to, as the label has it, or NULL
 * where none is known. */
const gchar *pyro_label_sets_path (const PyroLabelSets *sets,
                                   const PyroAggregateEntry *entry);

G_END_DECLS
