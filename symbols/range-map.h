/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: address ranges, which may lie inside each other, and a value for each.
 * Owner: whoever made it. Threads: filled by one, read-only afterwards.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _PyroRangeMap PyroRangeMap;

typedef struct {
  guint64 start;
  guint64 end;   /* exclusive */
  guint64 reach; /*< private >*/
  guint32 value;
} PyroRange;

/* Below 0, 0, above 0: value A is worse than, as good as, better than B. */
typedef gint (*PyroRangeMapCompare) (guint32 a, guint32 b,
                                     gconstpointer user_data);

PyroRangeMap *pyro_range_map_new (void);
void pyro_range_map_free (PyroRangeMap *map);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PyroRangeMap, pyro_range_map_free)

/* Empty ranges are left out. */
void pyro_range_map_add (PyroRangeMap *map, guint64 start, guint64 end,
                         guint32 value);
guint pyro_range_map_get_size (const PyroRangeMap *map);

/* By start, once the map is finished. All ranges lie one behind another. */
const PyroRange *pyro_range_map_get (const PyroRangeMap *map, guint index);

/* The index of the last range that starts at or before ADDRESS, or -1. */
gint pyro_range_map_find_last (const PyroRangeMap *map, guint64 address);

/* Sorts; to be called once, after the last pyro_range_map_add(). Of ranges
 * that are the same, the one whose value is best by COMPARE is kept; with
 * NULL, the lowest value. */
void pyro_range_map_finish (PyroRangeMap *map, PyroRangeMapCompare compare,
                            gconstpointer user_data);

/* The range that covers ADDRESS; of several, the one that starts closest
 * before it, and of these the shortest. NULL if there is none. */
const PyroRange *
pyro_range_map_lookup (const PyroRangeMap *map, guint64 address);

/* Whether no range covers ADDRESS. Then START is where the last one before it
 * ends (0 if there is none), and END where the next one starts, or G_MAXUINT64.
 * Else END is behind ADDRESS, and all up to there is covered. */
gboolean pyro_range_map_find_gap (const PyroRangeMap *map, guint64 address,
                                  guint64 *start, guint64 *end);

G_END_DECLS
