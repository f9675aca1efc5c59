/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: two profiles side by side, row by row, with how certain the difference
 * is.
 * Owner: the diff owns its rows.
 * Threads: one diff belongs to one thread.
 */
#pragma once

#include "selection.h"
#include "table.h"

G_BEGIN_DECLS

typedef enum {
  PYRO_NORMALISE_NONE,
  PYRO_NORMALISE_TIME, /* per second of the captures */
  PYRO_NORMALISE_CPU,  /* as a share of the total */
} PyroNormalise;

typedef struct {
  gint64 value; /* as it is in the profile */
  gint64 cum;
  gdouble scaled;   /* the value, normalised */
  gdouble variance; /* of that */
} PyroDiffSide;

typedef struct {
  gchar *name;
  gchar **parts; /* one for each key */
  PyroDiffSide a, b;
  gdouble delta;     /* b.scaled - a.scaled */
  gdouble half;      /* of the 95 % confidence interval around it */
  gboolean is_known; /* HALF is; else nothing is known of the sampling */
  gboolean significant;
} PyroDiffRow;

typedef struct {
  GPtrArray *rows;   /* PyroDiffRow; the last is not among them: */
  PyroDiffRow total; /* its name is "total" */
} PyroDiff;

/* Both selections have the same type by name and unit. */
PyroDiff *pyro_diff_new (const PyroSelection *a, const PyroSelection *b,
                         const gchar *const *keys, gboolean by_cum,
                         PyroNormalise normalise);
void pyro_diff_free (PyroDiff *diff);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PyroDiff, pyro_diff_free)

/* Whether the row is larger (for a negative FRACTION: smaller) than it was by
 * more than FRACTION, and that is not the sampling's chance (95 %). */
gboolean pyro_diff_row_exceeds (const PyroDiffRow *row, gdouble fraction);

G_END_DECLS
