/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How many sets of labels are made over many profiles, and which keep their
 * names. Samples of no element here: their threads' names make the sets. */

#include <string.h>

#include "label-sets.h"
#include "settings.h"

#define MAX_SETS 10
#define HOUR ((gint64)3600 * G_USEC_PER_SEC)

static PyroAggregate *
make_aggregate (void)
{
  PyroAggregate *aggregate = g_new0 (PyroAggregate, 1);

  aggregate->entries = g_hash_table_new_full (NULL, NULL, g_free, NULL);
  return aggregate;
}

static void
add (PyroAggregate *aggregate, const gchar *format, guint number, gint64 ns)
{
  PyroAggregateEntry *entry = g_new0 (PyroAggregateEntry, 1);

  g_snprintf (entry->thread, sizeof entry->thread, format, number);
  entry->nanoseconds = ns;
  g_hash_table_add (aggregate->entries, entry);
}

static gint
by_name (gconstpointer a, gconstpointer b)
{
  return strcmp (*(gchar *const *)a, *(gchar *const *)b);
}

/* The threads' names that a profile of AGGREGATE has, sorted, with spaces.
 * Takes the aggregate. */
static gchar *
tell (PyroLabelHistory *history, PyroAggregate *aggregate, gint64 now)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  PyroLabelSets sets;
  GHashTableIter iter;
  gpointer key;
  gchar *text;

  pyro_label_sets_init (&sets, history, aggregate, now);
  g_hash_table_iter_init (&iter, aggregate->entries);
  while (g_hash_table_iter_next (&iter, &key, NULL)) {
    PyroLabel labels[PYRO_MAX_LABELS];
    guint n = pyro_label_sets_make (&sets, key, labels);

    g_assert_cmpuint (n, ==, 2);
    g_assert_cmpstr (labels[0].key, ==, "thread");
    g_assert_cmpstr (labels[1].value, ==, "none");
    g_assert_null (pyro_label_sets_path (&sets, key));
    if (!g_ptr_array_find_with_equal_func (names, labels[0].value, g_str_equal,
                                           NULL))
      g_ptr_array_add (names, g_strdup (labels[0].value));
  }
  g_ptr_array_sort (names, by_name);
  g_ptr_array_add (names, NULL);
  text = g_strjoinv (" ", (gchar **)names->pdata);
  pyro_label_sets_clear (&sets);
  g_hash_table_unref (aggregate->entries);
  g_free (aggregate);
  return text;
}

#define assert_tells(history, aggregate, now, expected)      \
  do {                                                       \
    g_autofree gchar *told = tell (history, aggregate, now); \
                                                             \
    g_assert_cmpstr (told, ==, expected);                    \
  } while (0)

static PyroAggregate *
many (const gchar *format, guint first, guint n)
{
  PyroAggregate *aggregate = make_aggregate ();

  for (guint i = 0; i < n; i++)
    add (aggregate, format, first + i, (gint64)(n - i) * 1000);
  return aggregate;
}

static void
test_most_used (void)
{
  PyroLabelHistory history;

  pyro_label_history_init (&history, PYRO_LABEL_THREAD | PYRO_LABEL_ATTRIBUTION,
                           3);
  assert_tells (&history, many ("q%u", 0, 3), 1, "q0 q1 q2");
  pyro_label_history_clear (&history);
  pyro_label_history_init (&history, PYRO_LABEL_THREAD | PYRO_LABEL_ATTRIBUTION,
                           3);
  assert_tells (&history, many ("q%u", 0, 9), 1, "q q0 q1 q2");
  /* Names that have no number to lose. */
  assert_tells (&history, many ("q%ux", 0, 9), 2, "(others) q0x q1x");
  pyro_label_history_clear (&history);
}

static void
test_known_ones_stay (void)
{
  PyroLabelHistory history;
  PyroAggregate *aggregate;

  pyro_label_history_init (&history, PYRO_LABEL_THREAD | PYRO_LABEL_ATTRIBUTION,
                           2);
  assert_tells (&history, many ("known%u", 1, 2), 1, "known1 known2");
  aggregate = many ("new%u", 1, 5);
  add (aggregate, "known%u", 2, 1); /* the least of all */
  assert_tells (&history, aggregate, 2, "known2 new");
  pyro_label_history_clear (&history);
}

static void
test_for_an_hour (void)
{
  PyroLabelHistory history;

  pyro_label_history_init (&history, PYRO_LABEL_THREAD | PYRO_LABEL_ATTRIBUTION,
                           2);
  assert_tells (&history, many ("a%u", 1, 2), 0, "a1 a2");
  assert_tells (&history, many ("a%u", 1, 1), HOUR / 2, "a1");
  assert_tells (&history, many ("b%u", 1, 2), HOUR, "b");
  assert_tells (&history, many ("b%u", 1, 2), HOUR + 1, "b b1");
  assert_tells (&history, many ("a%u", 1, 2), HOUR + 2, "a a1");
  pyro_label_history_clear (&history);
}

/* Whatever names come, a bounded number of sets is ever made. */
static void
test_without_end (void)
{
  g_autoptr (GHashTable) all
      = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  PyroLabelHistory history;

  pyro_label_history_init (&history, PYRO_LABEL_THREAD | PYRO_LABEL_ATTRIBUTION,
                           MAX_SETS);
  for (guint i = 0; i < 500; i++) {
    g_autofree gchar *told
        = tell (&history, many (i % 2 != 0 ? "s%ux" : "s%u", i * 20, 20),
                (gint64)i * G_USEC_PER_SEC);
    g_auto (GStrv) names = g_strsplit (told, " ", -1);

    for (guint j = 0; names[j] != NULL; j++)
      g_hash_table_add (all, g_strdup (names[j]));
  }
  g_assert_cmpuint (g_hash_table_size (all), <=, 2 * MAX_SETS + 1);
  g_assert_true (g_hash_table_contains (all, "s"));
  g_assert_true (g_hash_table_contains (all, "(others)"));
  pyro_label_history_clear (&history);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, func) g_test_add_func ("/label-sets/" name, func)
  ADD ("those-that-used-most-keep-their-names", test_most_used);
  ADD ("those-that-were-sent-keep-their-names", test_known_ones_stay);
  ADD ("a-set-that-is-not-used-makes-room-in-an-hour", test_for_an_hour);
  ADD ("names-without-end-make-few-sets", test_without_end);
#undef ADD
  return g_test_run ();
}
