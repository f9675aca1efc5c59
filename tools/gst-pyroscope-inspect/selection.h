/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: of what was read, the samples and the sample type to be shown.
 * Owner: borrows from the input.
 * Threads: main only.
 */
#pragma once

#include "input.h"
#include "options.h"

G_BEGIN_DECLS

typedef struct {
  const PyroProfile *profile; /* filtered */
  guint n_files;
  guint type; /* index of the sample type */
  gint64 total;
} PyroSelection;

/* FALSE with an error where the options' filters have left nothing of GROUPS
 * (PyroInputGroup). */
gboolean pyro_selection_check (GPtrArray *groups, const PyroOptions *options,
                               GError **error);

/* Chooses the first group that has the asked type, by default that of "cpu" or
 * the first, and in it the type. Says on stderr what was left aside. With the
 * error PYRO_INSPECT_ERROR_NO_MATCH, the selection is an empty profile. */
gboolean pyro_selection_make (PyroSelection *selection, PyroInput *input,
                              const PyroOptions *options, GError **error);

/* The error that no group has the sample type TYPE, with those that there
 * are. */
void pyro_selection_set_unknown_type (const PyroInput *input, const gchar *type,
                                      GError **error);

/* Index of the sample type NAME, -1 where there is none. */
gint pyro_selection_find_type (const PyroProfile *profile, const gchar *name);

/* The type that is shown where none is asked for. */
guint pyro_selection_default_type (const PyroProfile *profile);

/* The sum of the values of TYPE. */
gint64 pyro_selection_sum (const PyroProfile *profile, guint type);

/* "cpu: 20.15s in 10.00s (201.5% of one core)" (transfer full) */
gchar *pyro_selection_describe_total (const PyroProfile *profile, guint type,
                                      gint64 total);

G_END_DECLS
