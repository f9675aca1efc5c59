/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "profile/id-map.h"

static gint
compare (gconstpointer a, gconstpointer b, gpointer user_data)
{
  const guint64 *ids = user_data;
  guint64 x = ids[*(const gsize *)a], y = ids[*(const gsize *)b];

  return (x > y) - (x < y);
}

gboolean
pyro_id_map_init (PyroIdMap *map, const guint64 *ids, gsize n, guint64 *bad)
{
  gsize i = 0;

  map->ids = ids;
  map->n = n;
  map->sorted = NULL;
  while (i < n && ids[i] == i + 1)
    i++;
  if (i == n)
    return TRUE;

  map->sorted = g_new (gsize, n);
  for (i = 0; i < n; i++)
    map->sorted[i] = i;
  qsort_r (map->sorted, n, sizeof (*map->sorted), compare, (gpointer)ids);
  if (ids[map->sorted[0]] == 0) {
    *bad = 0;
    return FALSE;
  }
  for (i = 1; i < n; i++) {
    if (ids[map->sorted[i]] == ids[map->sorted[i - 1]]) {
      *bad = ids[map->sorted[i]];
      return FALSE;
    }
  }
  return TRUE;
}

void
pyro_id_map_clear (PyroIdMap *map)
{
  g_clear_pointer (&map->sorted, g_free);
}

gboolean
pyro_id_map_find (const PyroIdMap *map, guint64 id, gsize *index)
{
  gsize low = 0, high = map->n;

  if (id >= 1 && id <= map->n && map->ids[id - 1] == id) {
    *index = id - 1;
    return TRUE;
  }
  if (map->sorted == NULL)
    return FALSE;
  while (low < high) {
    gsize middle = low + (high - low) / 2;

    if (map->ids[map->sorted[middle]] < id)
      low = middle + 1;
    else
      high = middle;
  }
  if (low == map->n || map->ids[map->sorted[low]] != id)
    return FALSE;
  *index = map->sorted[low];
  return TRUE;
}
