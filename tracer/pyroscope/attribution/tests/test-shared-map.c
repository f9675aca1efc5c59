/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The hash table that nobody waits for: by itself, with readers that stand
 * still, and with many threads at once. */

#include <pthread.h>

#include "attribution/shared-map.h"
#include "unwinding/published.h"

PYRO_SHARED_MAP (map, 3); /* few buckets: keys meet */

static gboolean
count (PyroSharedItem *item, gpointer data)
{
  ++*(guint *)data;
  return TRUE;
}

static guint
get_n (void)
{
  guint n = 0;

  pyro_shared_map_foreach (&map, count, &n);
  return n;
}

static void
set (guint64 key, guint64 other, guint64 value)
{
  guint64 before;

  do {
    PyroSharedItem *item = pyro_shared_map_get (&map, key, other);

    before = pyro_shared_item_get (item);
    while (before != PYRO_SHARED_GONE
           && !pyro_shared_item_swap (item, &before, value))
      ;
  } while (before == PYRO_SHARED_GONE);
}

static void
clear (void)
{
  guint left = 0;

  pyro_shared_map_sweep (&map);
  for (guint i = 0; i < 1u << map.bits; i++)
    for (PyroSharedItem *item = map.buckets[i]; item != NULL; item = item->next)
      left++;
  g_assert_cmpuint (left, ==, 0);
  g_assert_null (map.retired);
}

static void
test_keys (void)
{
  pyro_readers_enter ();
  g_assert_null (pyro_shared_map_find (&map, 1, 2));
  for (guint64 key = 0; key < 100; key++) {
    set (key, 1, 1000 + key);
    set (key, 2, 2000 + key);
  }
  for (guint64 key = 0; key < 100; key++) {
    g_assert_cmpuint (pyro_shared_map_find (&map, key, 1)->value, ==,
                      1000 + key);
    g_assert_cmpuint (pyro_shared_map_get (&map, key, 2)->value, ==,
                      2000 + key);
    g_assert_null (pyro_shared_map_find (&map, key, 3));
  }
  g_assert_cmpuint (get_n (), ==, 200);
  for (guint64 key = 0; key < 100; key++) {
    set (key, 1, 0);
    set (key, 2, 0);
  }
  g_assert_null (pyro_shared_map_find (&map, 7, 1));
  g_assert_cmpuint (get_n (), ==, 0);
  pyro_readers_leave ();
  clear ();
}

static void
test_equal_keys (void)
{
  pyro_readers_enter ();
  for (guint64 value = 1; value <= 20; value++)
    pyro_shared_map_add (&map, 5, 5, value);
  g_assert_cmpuint (pyro_shared_map_find (&map, 5, 5)->value, ==, 20);
  for (guint64 value = 1; value <= 20; value++) {
    PyroSharedItem *item = pyro_shared_map_find_oldest (&map, 5, 5);
    guint64 before = pyro_shared_item_get (item);

    g_assert_cmpuint (before, ==, value);
    g_assert_true (pyro_shared_item_swap (item, &before, 0));
    /* In the middle of the list, too. */
    if (value % 7 == 0)
      pyro_shared_map_sweep_key (&map, 5, 5);
  }
  g_assert_null (pyro_shared_map_find_oldest (&map, 5, 5));
  pyro_readers_leave ();
  clear ();
}

/* What a reader has found stays readable, however long it looks; and nobody
 * waits for it. */
static void
test_reader_stands_still (void)
{
  PyroSharedItem *item;

  pyro_readers_enter ();
  set (1, 1, 11);
  item = pyro_shared_map_find (&map, 1, 1);
  pyro_readers_enter (); /* another thread's */
  set (1, 1, 0);
  pyro_readers_leave ();
  pyro_shared_map_sweep (&map);
  /* It is not found any more, and another one takes its place. */
  g_assert_null (pyro_shared_map_find (&map, 1, 1));
  set (1, 1, 12);
  g_assert_true (pyro_shared_map_find (&map, 1, 1) != item);
  g_assert_cmpuint (item->key, ==, 1);
  g_assert_cmpuint (pyro_shared_item_get (item), ==, PYRO_SHARED_GONE);
  g_assert_true (map.retired == item);
  set (1, 1, 0);
  pyro_readers_leave ();
  clear ();
}

/* A sweep that stands still, too. */
static void
test_sweeper_stands_still (void)
{
  memset (map.sweeping, TRUE, (gsize)1 << map.bits);
  for (guint i = 0; i < 3; i++) {
    set (1, 1, 11);
    set (1, 1, 0);
    pyro_shared_map_sweep (&map);
  }
  pyro_shared_map_fork_child (&map);
  clear ();
}

/* threads */

#define N_THREADS 4
#define N_ROUNDS 30000

static gint n_wrong;

/* Keys of its own, beside one that all count up and down. */
static void *
run_thread (void *data)
{
  guint64 own = 100 + GPOINTER_TO_UINT (data);

  for (guint64 round = 1; round <= N_ROUNDS; round++) {
    PyroSharedItem *item;
    guint64 before;

    pyro_readers_enter ();
    set (own, round % 3, round);
    item = pyro_shared_map_find (&map, own, round % 3);
    if (item == NULL || pyro_shared_item_get (item) != round)
      __atomic_add_fetch (&n_wrong, 1, __ATOMIC_RELAXED);
    do {
      item = pyro_shared_map_get (&map, 1, 1);
      before = pyro_shared_item_get (item);
      while (before != PYRO_SHARED_GONE
             && !pyro_shared_item_swap (item, &before, before + 1))
        ;
    } while (before == PYRO_SHARED_GONE);
    set (own, round % 3, 0);
    __atomic_sub_fetch (&item->value, 1, __ATOMIC_ACQ_REL);
    pyro_readers_leave ();
    if (round % 2)
      pyro_shared_map_sweep_key (&map, own, round % 3);
    else if (round % 16 == 0)
      pyro_shared_map_sweep (&map);
  }
  return NULL;
}

static void
test_threads (void)
{
  pthread_t threads[N_THREADS];

  for (guint i = 0; i < N_THREADS; i++)
    pthread_create (&threads[i], NULL, run_thread, GUINT_TO_POINTER (i));
  for (guint i = 0; i < N_THREADS; i++)
    pthread_join (threads[i], NULL);
  g_assert_cmpint (n_wrong, ==, 0);
  g_assert_cmpuint (get_n (), ==, 0);
  clear ();
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/shared-map/both-parts-of-a-key-count", test_keys);
  g_test_add_func ("/shared-map/equal-keys-are-found-in-order",
                   test_equal_keys);
  g_test_add_func ("/shared-map/a-reader-that-stands-still",
                   test_reader_stands_still);
  g_test_add_func ("/shared-map/a-sweeper-that-stands-still",
                   test_sweeper_stands_still);
  g_test_add_func ("/shared-map/many-threads-at-once", test_threads);
  return g_test_run ();
}
