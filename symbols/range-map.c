/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "symbols/range-map.h"

struct _PyroRangeMap {
  GArray *ranges; /* of PyroRange */
  PyroRangeMapCompare compare;
  gconstpointer user_data;
};

PyroRangeMap *
pyro_range_map_new (void)
{
  PyroRangeMap *map = g_new0 (PyroRangeMap, 1);

  map->ranges = g_array_new (FALSE, FALSE, sizeof (PyroRange));
  return map;
}

void
pyro_range_map_free (PyroRangeMap *map)
{
  g_array_unref (map->ranges);
  g_free (map);
}

void
pyro_range_map_add (PyroRangeMap *map, guint64 start, guint64 end,
                    guint32 value)
{
  const PyroRange range = { .start = start, .end = end, .value = value };

  if (start < end && map->ranges->len < G_MAXINT)
    g_array_append_val (map->ranges, range);
}

guint
pyro_range_map_get_size (const PyroRangeMap *map)
{
  return map->ranges->len;
}

const PyroRange *
pyro_range_map_get (const PyroRangeMap *map, guint index)
{
  return &g_array_index (map->ranges, PyroRange, index);
}

/* By start, the longest first, the best of equals last. */
static gint
compare_ranges (gconstpointer a, gconstpointer b, gpointer user_data)
{
  const PyroRange *x = a, *y = b;
  const PyroRangeMap *map = user_data;

  if (x->start != y->start)
    return x->start < y->start ? -1 : 1;
  if (x->end != y->end)
    return x->end > y->end ? -1 : 1;
  if (map->compare != NULL)
    return map->compare (x->value, y->value, map->user_data);
  return x->value > y->value ? -1 : x->value < y->value;
}

void
pyro_range_map_finish (PyroRangeMap *map, PyroRangeMapCompare compare,
                       gconstpointer user_data)
{
  GArray *ranges = map->ranges;
  guint64 reach = 0;
  guint kept = 0;

  map->compare = compare;
  map->user_data = user_data;
  g_array_sort_with_data (ranges, compare_ranges, map);
  for (guint i = 0; i < ranges->len; i++) {
    const PyroRange *range = &g_array_index (ranges, PyroRange, i);

    if (i + 1 < ranges->len && range[1].start == range->start
        && range[1].end == range->end)
      continue;
    reach = MAX (reach, range->end);
    g_array_index (ranges, PyroRange, kept) = *range;
    g_array_index (ranges, PyroRange, kept).reach = reach;
    kept++;
  }
  g_array_set_size (ranges, kept);
}

gint
pyro_range_map_find_last (const PyroRangeMap *map, guint64 address)
{
  guint low = 0, high = map->ranges->len;

  while (low < high) {
    guint middle = low + (high - low) / 2;

    if (g_array_index (map->ranges, PyroRange, middle).start <= address)
      low = middle + 1;
    else
      high = middle;
  }
  return (gint)low - 1;
}

const PyroRange *
pyro_range_map_lookup (const PyroRangeMap *map, guint64 address)
{
  /* Ranges may lie inside others, so one that ended before says nothing;
   * that all of them up to here have ended does. */
  for (gint i = pyro_range_map_find_last (map, address); i >= 0; i--) {
    const PyroRange *range = &g_array_index (map->ranges, PyroRange, i);

    if (address < range->end)
      return range;
    if (address >= range->reach)
      break;
  }
  return NULL;
}

gboolean
pyro_range_map_find_gap (const PyroRangeMap *map, guint64 address,
                         guint64 *start, guint64 *end)
{
  const gint last = pyro_range_map_find_last (map, address);

  *start = last >= 0 ? pyro_range_map_get (map, last)->reach : 0;
  if (address < *start) {
    *end = *start;
    return FALSE;
  }
  *end = last + 1 < (gint)map->ranges->len
             ? pyro_range_map_get (map, last + 1)->start
             : G_MAXUINT64;
  return TRUE;
}
