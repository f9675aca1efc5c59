/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: finds the index of a pprof id in its table.
 * Owner: the map borrows the ids and owns its own index.
 * Threads: read-only once it is made.
 *
 * Nearly all writers number from 1. Others may use any number, addresses for
 * example, and hostile ones choose them; sorting has no bad case.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  const guint64 *ids;
  gsize n;
  gsize *sorted; /* indices by id; NULL where ids are 1, 2, 3, … */
} PyroIdMap;

/* FALSE where an id is 0 or there twice; *BAD is then that id, and the map
 * needs clearing all the same. */
gboolean
pyro_id_map_init (PyroIdMap *map, const guint64 *ids, gsize n, guint64 *bad);
void pyro_id_map_clear (PyroIdMap *map);

/* FALSE where there is no such id. */
gboolean pyro_id_map_find (const PyroIdMap *map, guint64 id, gsize *index);

G_END_DECLS
