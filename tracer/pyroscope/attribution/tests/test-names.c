/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The small parts: label words, names without numbers, the table of live
 * elements. */

#include <string.h>

#include "attribution/label-word.h"
#include "attribution/live-elements.h"
#include "attribution/numberless.h"

static void
test_label_word (void)
{
  static const guint32 nodes[] = { 1, 2, 16383, 0x7fffffff, 0xffffffff };

  for (guint i = 0; i < G_N_ELEMENTS (nodes); i++)
    for (guint a = PYRO_ATTRIBUTION_NONE; a <= PYRO_ATTRIBUTION_LIBRARY; a++) {
      guint64 word = pyro_label_word (nodes[i], a);

      g_assert_cmpuint (pyro_label_word_node (word), ==, nodes[i]);
      g_assert_cmpuint (pyro_label_word_attribution (word), ==, a);
    }
  g_assert_cmpuint (pyro_label_word (0, PYRO_ATTRIBUTION_EXACT), ==, 0);
}

static void
test_numberless (void)
{
  static const struct {
    const gchar *name, *stripped;
  } cases[] = {
    { "queue7", "queue" },
    { "queue", "queue" },
    { "pipeline12/bin3/queue7", "pipeline/bin/queue" },
    { "queue7:src", "queue:src" },
    { "demux:src_0", "demux:src_" },
    { "avdec_h264-0", "avdec_h264" },
    { "avdec_h264", "avdec_h" },
    { "12", "12" },
    { "12/queue3", "12/queue" },
    { "-5", "-" },
    { "a--5", "a-" },
    { "", "" },
    { "/", "/" },
    { "a1/", "a/" },
    { "cam1b", "cam1b" },
    { "\xc3\xa9"
      "3",
      "\xc3\xa9" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree gchar *stripped = pyro_strip_numbers (cases[i].name);
    g_autofree gchar *again = pyro_strip_numbers (stripped);

    g_assert_cmpstr (stripped, ==, cases[i].stripped);
    g_assert_cmpuint (strlen (again), <=, strlen (stripped));
  }
}

#define ADDRESS(i) GSIZE_TO_POINTER (0x7f0000001000 + (gsize)(i)*0x160)

static guint32
find (gconstpointer element, const gchar *library)
{
  guintptr words[] = { 0, 0x1234, (guintptr)element, 0xffff };

  return pyro_live_elements_search (words, G_N_ELEMENTS (words), library);
}

static gboolean
count (const PyroLiveElement *element, gpointer data)
{
  ++*(guint *)data;
  return TRUE;
}

static guint
get_n (void)
{
  guint n = 0;

  pyro_live_elements_foreach (count, &n);
  return n;
}

static void
test_live_elements (void)
{
  const gchar *library = g_intern_static_string ("libone.so");
  const gchar *other = g_intern_static_string ("libother.so");
  guint before = get_n ();

  pyro_live_elements_remove (ADDRESS (0));
  g_assert_cmpuint (find (ADDRESS (0), library), ==, 0);
  pyro_live_elements_add (ADDRESS (0), 5, library);
  g_assert_cmpuint (find (ADDRESS (0), library), ==, 5);
  g_assert_cmpuint (find (ADDRESS (0), other), ==, 0);
  g_assert_cmpuint (find (ADDRESS (1), library), ==, 0);
  pyro_live_elements_add (ADDRESS (0), 6, library);
  g_assert_cmpuint (find (ADDRESS (0), library), ==, 6);
  g_assert_cmpuint (get_n (), ==, before + 1);
  pyro_live_elements_remove (ADDRESS (0));
  g_assert_cmpuint (find (ADDRESS (0), library), ==, 0);
  g_assert_cmpuint (get_n (), ==, before);
}

/* Against a table that cannot be wrong: what is taken out must not hide what
 * was probed past it. */
static void
test_live_elements_at_random (void)
{
  enum { N = 3000, ROUNDS = 60000 };
  const gchar *library = g_intern_static_string ("libone.so");
  static guint32 truth[N];
  guint n = 0, before = get_n ();

  for (guint round = 0; round < ROUNDS; round++) {
    guint i = (guint)g_test_rand_int_range (0, N);

    if (g_test_rand_bit ()) {
      n += truth[i] == 0;
      truth[i] = 1 + round;
      pyro_live_elements_add (ADDRESS (i), truth[i], library);
    } else {
      n -= truth[i] != 0;
      truth[i] = 0;
      pyro_live_elements_remove (ADDRESS (i));
    }
    i = (guint)g_test_rand_int_range (0, N);
    g_assert_cmpuint (find (ADDRESS (i), library), ==, truth[i]);
  }
  g_assert_cmpuint (get_n (), ==, before + n);
  for (guint i = 0; i < N; i++) {
    g_assert_cmpuint (find (ADDRESS (i), library), ==, truth[i]);
    pyro_live_elements_remove (ADDRESS (i));
  }
  g_assert_cmpuint (get_n (), ==, before);
}

static void
assert_only (const gchar *library, guint32 node, gboolean several)
{
  gboolean are_several;

  g_assert_cmpuint (pyro_live_elements_get_only (library, &are_several), ==,
                    node);
  g_assert_cmpint (are_several, ==, several);
}

static void
test_only_node (void)
{
  const gchar *library = g_intern_static_string ("libonly.so");
  const gchar *other = g_intern_static_string ("libmore.so");
  guint64 generation = pyro_live_elements_get_generation ();

  assert_only (library, 0, FALSE);
  pyro_live_elements_add (ADDRESS (0), 5, library);
  assert_only (library, 5, FALSE);
  g_assert_cmpuint (pyro_live_elements_get_generation (), >, generation);
  generation = pyro_live_elements_get_generation ();
  /* Elements that share a node. */
  pyro_live_elements_add (ADDRESS (1), 5, library);
  assert_only (library, 5, FALSE);
  g_assert_cmpuint (pyro_live_elements_get_generation (), ==, generation);
  pyro_live_elements_add (ADDRESS (2), 6, other);
  assert_only (library, 5, FALSE);
  assert_only (other, 6, FALSE);
  pyro_live_elements_add (ADDRESS (3), 9, library);
  assert_only (library, 0, TRUE);
  pyro_live_elements_add (ADDRESS (4), 12, library);
  assert_only (library, 0, TRUE);
  pyro_live_elements_remove (ADDRESS (0));
  pyro_live_elements_remove (ADDRESS (3));
  assert_only (library, 0, TRUE);
  /* In the child of a fork all is counted anew. */
  pyro_live_elements_fork_child ();
  assert_only (library, 0, TRUE);
  pyro_live_elements_remove (ADDRESS (1));
  assert_only (library, 12, FALSE);
  /* Another plugin's element at the same address. */
  pyro_live_elements_add (ADDRESS (4), 13, other);
  assert_only (library, 0, FALSE);
  assert_only (other, 0, TRUE);
  pyro_live_elements_fork_child ();
  pyro_live_elements_remove (ADDRESS (2));
  assert_only (other, 13, FALSE);
  pyro_live_elements_remove (ADDRESS (4));
  assert_only (other, 0, FALSE);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/names/a-label-word-keeps-its-parts", test_label_word);
  g_test_add_func ("/names/numbers-at-the-end-go", test_numberless);
  g_test_add_func ("/live-elements/added-renamed-removed", test_live_elements);
  g_test_add_func ("/live-elements/none-is-lost-or-left",
                   test_live_elements_at_random);
  g_test_add_func ("/live-elements/the-only-node-of-a-library", test_only_node);
  return g_test_run ();
}
