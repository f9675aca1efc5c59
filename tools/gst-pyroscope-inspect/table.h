/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: a sample type's sums by function, mapping or label.
 * Owner: the table owns its rows.
 * Threads: one table belongs to one thread.
 */
#pragma once

#include "profile/profile.h"

G_BEGIN_DECLS

typedef struct {
  gchar *name;
  gint64 flat; /* of samples whose leaf it is */
  gint64 cum;  /* of samples in whose stack it is, once for each */

  /*< private >*/
  gsize seen; /* number of the last sample that counted for cum */
} PyroTableRow;

typedef struct {
  GPtrArray *rows; /* PyroTableRow, the largest first */

  /*< private >*/
  GHashTable *by_name;
} PyroTable;

/* BY: "function", "mapping" or the key of a label. For a label there is no
 * stack, flat and cum are the same. BY_CUM: sorted by cum, else by flat. */
PyroTable *pyro_table_new (const PyroProfile *profile, guint type,
                           const gchar *by, gboolean by_cum);
void pyro_table_free (PyroTable *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PyroTable, pyro_table_free)

/* Whether BY is one of the two that are no label. */
gboolean pyro_table_is_by_stack (const gchar *by);

G_END_DECLS
