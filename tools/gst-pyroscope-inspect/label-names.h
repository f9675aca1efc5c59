/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: which labels a profile's samples have, and with which values.
 * Owner: results belong to the caller.
 * Threads: any; no state.
 */
#pragma once

#include "profile/profile.h"

G_BEGIN_DECLS

/* Stands for the value of a label that a sample does not have. */
#define PYRO_LABEL_NONE "(none)"

/* Sorted, NULL-terminated. (transfer full) */
gchar **pyro_label_names (const PyroProfile *profile);

/* The values of the label KEY, sorted, NULL-terminated. (transfer full) */
gchar **pyro_label_values (const PyroProfile *profile, const gchar *key);

/* The texts of SET (gchar *), sorted, NULL-terminated. (transfer full) */
gchar **pyro_names_sorted (GHashTable *set);

/* The value of label KEY of SAMPLE, several as "a, b", or "(none)". (transfer
 * full) */
gchar *pyro_label_value_or_none (const PyroSample *sample, const gchar *key);

/* FALSE with PYRO_INSPECT_ERROR_UNKNOWN, which says what there is, where no
 * sample has the label KEY. In a profile without samples every label is
 * right. */
gboolean
pyro_label_check (const PyroProfile *profile, const gchar *key, GError **error);

G_END_DECLS
