/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: leaves out samples by their labels, and samples and frames by names.
 * Owner: filters are borrowed; what they hold belongs to who made them.
 * Threads: as the profile's.
 */
#pragma once

#include "profile/profile.h"

G_BEGIN_DECLS

typedef enum {
  PYRO_LABEL_EQUALS,
  PYRO_LABEL_GLOB,   /* fnmatch(3)'s patterns; equal text matches, too */
  PYRO_LABEL_REGEX,  /* anywhere in the value */
  PYRO_LABEL_ABSENT, /* a sample that does not have the label */
} PyroLabelMatch;

typedef struct {
  gchar *key;
  PyroLabelMatch match;
  gboolean negated;
  gchar *value;  /* of EQUALS and GLOB */
  GRegex *regex; /* of REGEX */
} PyroLabelFilter;

void pyro_label_filter_clear (PyroLabelFilter *filter);

/* Whether the one value VALUE matches, without regard to NEGATED. A number
 * matches as pyro_sample_label_to_string() writes it. */
gboolean
pyro_label_filter_matches (const PyroLabelFilter *filter, const gchar *value);

/* Keeps the samples that all of FILTERS match. Where a sample has a label
 * several times, one value that matches is enough, and one is enough to leave
 * it out where the filter is negated. */
void
pyro_profile_filter_labels (PyroProfile *profile,
                            const PyroLabelFilter *filters, guint n_filters);

/* As pprof's options of these names: expressions are looked for in the names
 * and files of functions and in the mapping's file. NULL: not used. */
typedef struct {
  GRegex *focus;     /* keep only stacks in which it is */
  GRegex *ignore;    /* leave out stacks in which it is */
  GRegex *hide;      /* leave these frames out */
  GRegex *show_from; /* begin each stack at the outermost such frame */
} PyroStackFilter;

void pyro_stack_filter_clear (PyroStackFilter *filter);
gboolean pyro_stack_filter_is_empty (const PyroStackFilter *filter);

void pyro_profile_filter_stacks (PyroProfile *profile,
                                 const PyroStackFilter *filter);

G_END_DECLS
