/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What happens past the bounds of the table of nodes: places are used again, no
 * id ever stands for two names, and what cannot have a place loses its number,
 * then its name. One table for the process: each test goes on with what the one
 * before has left.
 */

#include <malloc.h>

#include "attribution/node-table.h"

#define N_CHURN 200000

static guint32
intern (const gchar *format, guint number)
{
  g_autofree gchar *name = g_strdup_printf (format, number);
  g_autofree gchar *path = g_strconcat ("pipeline/", name, NULL);
  const PyroNode names = { "pipeline", path, name, "factory", "" };

  return pyro_node_table_intern (&names);
}

static void
assert_element (guint32 id, const gchar *format, guint number)
{
  g_autofree gchar *name = NULL;
  const PyroNode *node = pyro_node_table_ref (id);

  if (format == NULL) {
    g_assert_null (node);
    return;
  }
  g_assert_nonnull (node);
  name = g_strdup_printf (format, number);
  g_assert_cmpstr (node->element, ==, name);
  pyro_node_unref (node);
}

static PyroNodeTableStats
get_stats (void)
{
  PyroNodeTableStats stats;

  pyro_node_table_get_stats (&stats);
  return stats;
}

static void
test_equal_names (void)
{
  const PyroNode one = { "p", "p/a", "a", "queue", "" };
  const PyroNode other_factory = { "p", "p/a", "a", "tee", "" };
  guint32 id = pyro_node_table_intern (&one);

  g_assert_cmpuint (id, !=, 0);
  g_assert_cmpuint (pyro_node_table_intern (&one), ==, id);
  g_assert_cmpuint (pyro_node_table_intern (&other_factory), !=, id);
  g_assert_cmpuint (get_stats ().n, ==, 2);
  g_assert_cmpuint (get_stats ().n_in_use, ==, 0);
}

static void
test_unknown_ids (void)
{
  assert_element (0, NULL, 0);
  assert_element (30000, NULL, 0);
  assert_element (G_MAXUINT32, NULL, 0);
  g_assert_false (pyro_node_table_use (0));
  g_assert_false (pyro_node_table_use (30000));
  pyro_node_table_unuse (30000);
  g_assert_cmpstr (pyro_node_table_get_library (30000), ==, "");
}

static gsize
used_memory (void)
{
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 33)
  return mallinfo2 ().uordblks;
#else
  return 0;
#endif
}

/* An application that goes on making elements of new names and frees them. */
static void
test_places_are_used_again (void)
{
  guint64 interval = pyro_node_table_begin_interval ();
  guint32 kept = intern ("kept", 0), first;
  guint32 first_id = intern ("work%u", 0);
  gsize memory = 0;

  first = first_id;
  g_assert_true (pyro_node_table_use (kept));
  for (guint i = 0; i < N_CHURN; i++) {
    guint32 id = intern ("work%u", i);

    g_assert_true (pyro_node_table_use (id));
    assert_element (id, "work%u", i);
    pyro_node_table_unuse (id);
    if (i % 100 == 0) {
      guint64 next = pyro_node_table_begin_interval ();

      pyro_node_table_end_interval (interval);
      interval = next;
    }
    if (i == 2 * PYRO_MAX_NODES)
      memory = used_memory ();
  }
  g_test_message ("%u nodes, %" G_GUINT64_FORMAT " replaced; %" G_GSIZE_FORMAT
                  " bytes, before %" G_GSIZE_FORMAT,
                  get_stats ().n, get_stats ().replaced, used_memory (),
                  memory);
  g_assert_cmpuint (get_stats ().n, <, PYRO_MAX_NUMBERED_NODES);
  g_assert_cmpuint (get_stats ().n_in_use, ==, 1);
  g_assert_cmpuint (get_stats ().replaced, >, N_CHURN / 2);
  g_assert_cmpuint (get_stats ().numberless, ==, 0);
  /* Numbers have more digits now. */
  g_assert_cmpuint (used_memory (), <, memory + memory / 50 + 65536);
  assert_element (kept, "kept", 0);
  assert_element (first, NULL, 0);
  g_assert_cmpuint (intern ("work%u", 0), !=, first);
  pyro_node_table_unuse (kept);
  pyro_node_table_end_interval (interval);
}

/* What an interval has collected is known until it has been told. */
static void
test_open_intervals (void)
{
  guint64 interval = pyro_node_table_begin_interval ();
  guint32 asked = intern ("asked%u", 1), used = intern ("used%u", 1);
  guint64 next;

  g_assert_true (pyro_node_table_use (used));
  for (guint i = 0; i < 2 * PYRO_MAX_NODES; i++)
    intern ("during%u", i);
  assert_element (asked, "asked%u", 1);
  g_assert_cmpuint (get_stats ().numberless, >, 0);

  /* Rings are emptied into the next one. */
  next = pyro_node_table_begin_interval ();
  pyro_node_table_end_interval (interval);
  for (guint i = 0; i < 2 * PYRO_MAX_NODES; i++)
    intern ("after%u", i);
  assert_element (asked, "asked%u", 1);

  pyro_node_table_end_interval (next);
  for (guint i = 0; i < 2 * PYRO_MAX_NODES; i++)
    intern ("later%u", i);
  for (guint i = 0; i < PYRO_MAX_NODES; i++)
    intern ("latest%u", i);
  assert_element (asked, NULL, 0);
  g_assert_false (pyro_node_table_use (asked));
  assert_element (used, "used%u", 1);
  pyro_node_table_unuse (used);
}

/* Its element may be in use by a thread whose answer was not kept. */
static void
test_found_again (void)
{
  guint32 id = intern ("again%u", 1);
  guint64 interval;

  /* It has had no use for longest. */
  pyro_node_table_end_interval (pyro_node_table_begin_interval ());
  pyro_node_table_end_interval (pyro_node_table_begin_interval ());
  interval = pyro_node_table_begin_interval ();
  g_assert_cmpuint (intern ("again%u", 1), ==, id);
  for (guint i = 0; i < 2 * PYRO_MAX_NODES; i++)
    intern ("beside%u", i);
  assert_element (id, "again%u", 1);
  pyro_node_table_end_interval (interval);
}

/* A reference outlives the place. */
static void
test_references (void)
{
  guint32 id = intern ("held%u", 1);
  const PyroNode *node = pyro_node_table_ref (id);

  for (guint i = 0; i < 2 * PYRO_MAX_NODES; i++)
    intern ("other%u", i);
  assert_element (id, NULL, 0);
  g_assert_cmpstr (node->path, ==, "pipeline/held1");
  pyro_node_unref (node);
}

/* More elements than places, all at once. */
static void
test_more_than_places (void)
{
  const guint n = PYRO_MAX_NODES + 1000;
  g_autofree guint32 *ids = g_new0 (guint32, n);
  PyroNodeTableStats before = get_stats (), stats;
  guint32 short_id;
  guint n_short = 0;

  for (guint i = 0; i < n; i++) {
    /* A name that has no number at its end loses nothing. */
    ids[i] = intern (i % 2 != 0 ? "live%u" : "live%ux", i);
    g_assert_true (pyro_node_table_use (ids[i]));
  }
  stats = get_stats ();
  g_assert_cmpuint (stats.n, <=, PYRO_MAX_NODES);
  g_assert_cmpuint (stats.numberless, >, before.numberless);
  g_assert_cmpuint (stats.nameless, ==, before.nameless);
  short_id = intern ("live%u", n);
  assert_element (short_id, "live", 0);
  for (guint i = 0; i < n; i++)
    if (i >= PYRO_MAX_NUMBERED_NODES - 1 && ids[i] == short_id)
      n_short++;
    else
      assert_element (ids[i], i % 2 != 0 ? "live%u" : "live%ux", i);
  g_assert_cmpuint (n_short, >, 100);

  /* Names that are all different. */
  for (guint i = 0; i < PYRO_MAX_NODES; i++)
    pyro_node_table_use (intern ("unique%ux", i));
  stats = get_stats ();
  /* One place is for those without names, perhaps the last. */
  g_assert_cmpuint (stats.n, >=, PYRO_MAX_NODES - 2);
  g_assert_cmpuint (stats.nameless, >, 0);
  assert_element (intern ("unique%ux", PYRO_MAX_NODES), "(too many elements)",
                  0);

  /* Not for good: where one goes, a new one has its name. */
  pyro_node_table_unuse (ids[5]);
  assert_element (intern ("new%u", 7), "new%u", 7);
  assert_element (ids[5], NULL, 0);
  assert_element (ids[4], "live%ux", 4);
}

/* Names of any length, all at once. */
static void
test_long_names (void)
{
  guint64 interval = pyro_node_table_begin_interval ();
  g_autofree gchar *letters = g_strnfill (20000, 'l');
  g_autofree gchar *format = g_strconcat ("x%u", letters, NULL);
  guint64 nameless = get_stats ().nameless;

  for (guint i = 0; i < 2000; i++) {
    intern (format, i);
    g_assert_cmpuint (get_stats ().bytes, <, PYRO_MAX_NODES_SIZE + 1024);
  }
  g_assert_cmpuint (get_stats ().nameless, >, nameless);
  /* Later there is room again. */
  for (guint i = 0; i < 3; i++)
    pyro_node_table_end_interval (pyro_node_table_begin_interval ());
  pyro_node_table_end_interval (interval);
  pyro_node_table_end_interval (pyro_node_table_begin_interval ());
  g_assert_cmpuint (get_stats ().bytes, <, PYRO_MAX_NODES_SIZE / 2);
  assert_element (intern ("short%u", 1), "short%u", 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, func) g_test_add_func ("/node-table/" name, func)
  ADD ("equal-names-are-one-node", test_equal_names);
  ADD ("unknown-ids-have-no-names", test_unknown_ids);
  ADD ("places-are-used-again-and-memory-stays", test_places_are_used_again);
  ADD ("what-an-interval-has-collected-keeps-its-names", test_open_intervals);
  ADD ("a-name-that-comes-again-keeps-its-place", test_found_again);
  ADD ("a-reference-outlives-the-place", test_references);
  ADD ("names-of-any-length-take-bounded-memory", test_long_names);
  ADD ("more-elements-than-places", test_more_than_places);
#undef ADD
  return g_test_run ();
}
