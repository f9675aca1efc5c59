/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: a sample type's sums by whole stack, as names, root first.
 * Owner: the stacks own their names.
 * Threads: any; no state.
 */
#pragma once

#include "profile/profile.h"

G_BEGIN_DECLS

typedef struct {
  gchar **frames; /* root first, printable, NULL-terminated */
  gint64 value;
} PyroFoldedStack;

/* Stacks (PyroFoldedStack) in the order of their names; those that sum up to 0
 * are left out. ROOTS: keys of labels (NULL-terminated, or NULL) whose values
 * go below each stack as if they were its first callers. (transfer full) */
GPtrArray *pyro_folded_stacks (const PyroProfile *profile, guint type,
                               const gchar *const *roots);

G_END_DECLS
