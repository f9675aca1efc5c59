/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the files that a profile's code is in, and where the names of each
 * come from.
 * Owner: the list owns its entries, which point into the profile. Threads: any;
 * no state.
 */
#pragma once

#include "name-origins.h"

G_BEGIN_DECLS

typedef struct {
  const gchar *filename; /* as it was mapped: "[orc]", ... */
  const gchar *build_id; /* "": unknown */
  PyroNameOrigins origins;
  guint n_addresses;
  guint n_unnamed; /* of these */
} PyroLibrary;

/* Of PyroLibrary, those with most of TYPE's value first. A sample counts for
 * each of its frames. (transfer full) */
GPtrArray *pyro_libraries_list (const PyroProfile *profile, guint type);

G_END_DECLS
