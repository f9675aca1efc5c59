/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: where the names of a profile's frames come from.
 * Owner: values. Threads: any; no state.
 */
#pragma once

#include "profile/profile.h"

G_BEGIN_DECLS

typedef enum {
  PYRO_ORIGIN_SYMBOLS,    /* a symbol table, or debug information */
  PYRO_ORIGIN_STATEMENTS, /* debug statements in the code */
  PYRO_ORIGIN_NONE,       /* there is none: "library!0xoffset" */
  PYRO_N_ORIGINS
} PyroOrigin;

typedef struct {
  /* A sample counts for each of its frames, but for those that are no code. */
  gint64 values[PYRO_N_ORIGINS];
  gint64 total;
} PyroNameOrigins;

PyroOrigin pyro_name_origin (const PyroLocation *location);
PyroNameOrigins
pyro_name_origins_count (const PyroProfile *profile, guint type);

G_END_DECLS
