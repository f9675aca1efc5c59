/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: a hash table that any thread reads and writes at any time, and that
 * nobody ever waits for: items are put at the head of their bucket's list by
 * compare-and-swap, and are in it until a sweep, however often they are used
 * again meanwhile.
 * Owner: the table owns its items. One that was swept out is freed when nobody
 * can read it any more (pyro_readers_enter() in unwinding/published.h).
 * Threads: any, between pyro_readers_enter() and pyro_readers_leave(), but for
 * the sweeps, which are called outside of them. A bucket that one thread sweeps
 * is left alone by others.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _PyroSharedItem {
  struct _PyroSharedItem *next;
  struct _PyroSharedItem *next_retired; /* of those that are not in the table */
  guint64 key, other;                   /* together they are the key */
  guint64 value; /* atomic; 0: nothing, the next sweep may take it out */
} PyroSharedItem;

/* The value of an item that is being taken out. */
#define PYRO_SHARED_GONE G_MAXUINT64

/* In zeroed memory: { .buckets = array, .sweeping = array, .bits = log2 of how
 * many there are }. */
typedef struct {
  PyroSharedItem **buckets;
  guint8 *sweeping; /* one for each bucket */
  guint bits;
  PyroSharedItem *retired; /* swept out, but perhaps still read */
} PyroSharedMap;

#define PYRO_SHARED_MAP(name, n_bits)                    \
  static PyroSharedItem *name##_buckets[1u << (n_bits)]; \
  static guint8 name##_sweeping[1u << (n_bits)];         \
  static PyroSharedMap name = { name##_buckets, name##_sweeping, n_bits, NULL }

/* The newest item with this key whose value is neither 0 nor GONE; NULL: none.
 */
PyroSharedItem *
pyro_shared_map_find (const PyroSharedMap *map, guint64 key, guint64 other);

/* Likewise the oldest one. */
PyroSharedItem *pyro_shared_map_find_oldest (const PyroSharedMap *map,
                                             guint64 key, guint64 other);

/* The item with this key, whatever its value is; if there is none, a new one of
 * value 0. What has been GONE since is asked for again. */
PyroSharedItem *
pyro_shared_map_get (PyroSharedMap *map, guint64 key, guint64 other);

/* A new item, beside others of its key. VALUE is not 0. */
void pyro_shared_map_add (PyroSharedMap *map, guint64 key, guint64 other,
                          guint64 value);

/* Items in no order, until FUNC returns FALSE. Those that come or go meanwhile
 * may be missed. */
typedef gboolean (*PyroSharedItemFunc) (PyroSharedItem *item, gpointer data);
void pyro_shared_map_foreach (const PyroSharedMap *map, PyroSharedItemFunc func,
                              gpointer data);

/* Takes out the items of value 0: all, or those in the bucket of a key. What
 * cannot be freed yet is freed by a later sweep. */
void pyro_shared_map_sweep (PyroSharedMap *map);
void pyro_shared_map_sweep_key (PyroSharedMap *map, guint64 key, guint64 other);

/* In the child of a fork(): a sweep whose thread is not there has ended. */
void pyro_shared_map_fork_child (PyroSharedMap *map);

static inline guint64
pyro_shared_item_get (const PyroSharedItem *item)
{
  return __atomic_load_n (&item->value, __ATOMIC_ACQUIRE);
}

/* FALSE: it was not EXPECTED, which then says what it was. */
static inline gboolean
pyro_shared_item_swap (PyroSharedItem *item, guint64 *expected, guint64 value)
{
  return __atomic_compare_exchange_n (&item->value, expected, value, FALSE,
                                      __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

G_END_DECLS
