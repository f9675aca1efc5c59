/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "shared-map.h"

#include <string.h>

#include "unwinding/published.h"

/* Fibonacci hashing: the low bits of a pointer say little. */
static guint
find_bucket (const PyroSharedMap *map, guint64 key, guint64 other)
{
  return (guint)((key + other * 31) * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15)
                 >> (64 - map->bits));
}

static PyroSharedItem *
load (PyroSharedItem *const *link)
{
  return __atomic_load_n (link, __ATOMIC_ACQUIRE);
}

static gboolean
is_used (guint64 value)
{
  return value != 0 && value != PYRO_SHARED_GONE;
}

PyroSharedItem *
pyro_shared_map_find (const PyroSharedMap *map, guint64 key, guint64 other)
{
  PyroSharedItem *item = load (&map->buckets[find_bucket (map, key, other)]);

  while (item != NULL
         && (item->key != key || item->other != other
             || !is_used (pyro_shared_item_get (item))))
    item = load (&item->next);
  return item;
}

PyroSharedItem *
pyro_shared_map_find_oldest (const PyroSharedMap *map, guint64 key,
                             guint64 other)
{
  PyroSharedItem *item = load (&map->buckets[find_bucket (map, key, other)]);
  PyroSharedItem *oldest = NULL;

  for (; item != NULL; item = load (&item->next))
    if (item->key == key && item->other == other
        && is_used (pyro_shared_item_get (item)))
      oldest = item;
  return oldest;
}

static PyroSharedItem *
new_item (guint64 key, guint64 other, guint64 value)
{
  PyroSharedItem *item = g_new (PyroSharedItem, 1);

  *item = (PyroSharedItem){ NULL, NULL, key, other, value };
  return item;
}

/* FALSE: it is not HEAD any more that the bucket begins with. */
static gboolean
put_before (PyroSharedItem **bucket, PyroSharedItem *head, PyroSharedItem *item)
{
  item->next = head;
  return __atomic_compare_exchange_n (bucket, &head, item, FALSE,
                                      __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

PyroSharedItem *
pyro_shared_map_get (PyroSharedMap *map, guint64 key, guint64 other)
{
  PyroSharedItem **bucket = &map->buckets[find_bucket (map, key, other)];
  PyroSharedItem *fresh = NULL;

  for (;;) {
    PyroSharedItem *head = load (bucket), *item = head;

    while (item != NULL
           && (item->key != key || item->other != other
               || pyro_shared_item_get (item) == PYRO_SHARED_GONE))
      item = load (&item->next);
    if (item != NULL) {
      g_free (fresh);
      return item;
    }
    if (fresh == NULL)
      fresh = new_item (key, other, 0);
    /* As long as the head is the same, nobody has put one with this key there:
     * no item comes back to where it was while we are a reader. */
    if (put_before (bucket, head, fresh))
      return fresh;
  }
}

void
pyro_shared_map_add (PyroSharedMap *map, guint64 key, guint64 other,
                     guint64 value)
{
  PyroSharedItem **bucket = &map->buckets[find_bucket (map, key, other)];
  PyroSharedItem *item = new_item (key, other, value);

  while (!put_before (bucket, load (bucket), item))
    ;
}

void
pyro_shared_map_foreach (const PyroSharedMap *map, PyroSharedItemFunc func,
                         gpointer data)
{
  for (guint i = 0; i < 1u << map->bits; i++)
    for (PyroSharedItem *item = load (&map->buckets[i]); item != NULL;
         item = load (&item->next))
      if (is_used (pyro_shared_item_get (item)) && !func (item, data))
        return;
}

/* sweeps */

/* Takes ITEM out, which follows *LINK; only the bucket's sweeper does that, and
 * others put items at the bucket's head alone. */
static PyroSharedItem **
take_out (PyroSharedItem **bucket, PyroSharedItem **link, PyroSharedItem *item)
{
  PyroSharedItem *expected = item;

  if (link == bucket) {
    if (__atomic_compare_exchange_n (bucket, &expected, item->next, FALSE,
                                     __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE))
      return link;
    for (link = &expected->next; *link != item; link = &(*link)->next)
      ;
  }
  __atomic_store_n (link, item->next, __ATOMIC_SEQ_CST);
  return link;
}

static PyroSharedItem *
sweep_bucket (PyroSharedMap *map, guint at, PyroSharedItem *swept)
{
  PyroSharedItem **bucket = &map->buckets[at], **link = bucket, *item;

  if (load (bucket) == NULL
      || __atomic_exchange_n (&map->sweeping[at], TRUE, __ATOMIC_ACQUIRE))
    return swept;
  while ((item = load (link)) != NULL) {
    guint64 value = pyro_shared_item_get (item);

    /* One may be GONE and still there after a fork(). */
    if (is_used (value)
        || (value == 0
            && !pyro_shared_item_swap (item, &value, PYRO_SHARED_GONE))) {
      link = &item->next;
      continue;
    }
    link = take_out (bucket, link, item);
    item->next_retired = swept;
    swept = item;
  }
  __atomic_store_n (&map->sweeping[at], FALSE, __ATOMIC_RELEASE);
  return swept;
}

static void
free_items (PyroSharedItem *items)
{
  while (items != NULL) {
    PyroSharedItem *item = items;

    items = item->next_retired;
    g_free (item);
  }
}

static void
put_aside (PyroSharedMap *map, PyroSharedItem *items)
{
  PyroSharedItem *last = items, *before;

  if (items == NULL)
    return;
  while (last->next_retired != NULL)
    last = last->next_retired;
  before = load (&map->retired);
  do
    last->next_retired = before;
  while (!__atomic_compare_exchange_n (&map->retired, &before, items, FALSE,
                                       __ATOMIC_RELEASE, __ATOMIC_RELAXED));
}

/* ITEMS are not in the table any more: frees them if nobody can still read
 * them. */
static void
retire (PyroSharedMap *map, PyroSharedItem *items)
{
  if (!pyro_readers_are_gone ()) {
    put_aside (map, items);
    return;
  }
  free_items (items);
  if (load (&map->retired) == NULL)
    return;
  /* Others may have put some there since the readers were counted. */
  items = __atomic_exchange_n (&map->retired, NULL, __ATOMIC_ACQ_REL);
  if (pyro_readers_are_gone ())
    free_items (items);
  else
    put_aside (map, items);
}

void
pyro_shared_map_sweep (PyroSharedMap *map)
{
  PyroSharedItem *swept = NULL;

  for (guint i = 0; i < 1u << map->bits; i++)
    swept = sweep_bucket (map, i, swept);
  retire (map, swept);
}

void
pyro_shared_map_sweep_key (PyroSharedMap *map, guint64 key, guint64 other)
{
  retire (map, sweep_bucket (map, find_bucket (map, key, other), NULL));
}

void
pyro_shared_map_fork_child (PyroSharedMap *map)
{
  memset (map->sweeping, FALSE, (gsize)1 << map->bits);
}
