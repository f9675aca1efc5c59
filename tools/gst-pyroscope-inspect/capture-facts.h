/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: what a summary says about a profile, gathered.
 * Owner: strings are borrowed from the profile, lists are the facts' own.
 * Threads: any; no state.
 */
#pragma once

#include "profile/profile.h"

G_BEGIN_DECLS

/* A comment "key=value", without the prefix of its kind. */
typedef struct {
  gchar *key; /* owned */
  const gchar *value;
} PyroFact;

/* The values of one label. */
typedef struct {
  gchar *key; /* owned */
  guint n_values;
  gint64 covered; /* of the type's total, on samples with this label */
} PyroLabelFact;

typedef struct {
  GArray *series;    /* PyroFact: labels of the series */
  GArray *stats;     /* PyroFact: counters */
  GArray *sampler;   /* PyroFact: how the samples were taken */
  GArray *truncated; /* PyroFact: counters by reason */
  GArray *names;     /* PyroFact: which libraries are named by what */
  GPtrArray *notes;  /* const gchar *: all other comments */
  GArray *labels;    /* PyroLabelFact */
  gint64 *totals;    /* one for each sample type */
} PyroCaptureFacts;

/* TYPE: the sample type that the labels' shares are of. */
void pyro_capture_facts_init (PyroCaptureFacts *facts,
                              const PyroProfile *profile, guint type);
void pyro_capture_facts_clear (PyroCaptureFacts *facts);

/* The first value of KEY, or NULL. Borrowed. */
const gchar *pyro_fact_get (const GArray *facts, const gchar *key);

/* FALSE where KEY is not there or is no number. */
gboolean
pyro_fact_get_count (const GArray *facts, const gchar *key, gint64 *count);

G_END_DECLS
