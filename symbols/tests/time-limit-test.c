/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names that there is no time for. */
#include "symbols/symbolizer.h"
#include "symbols/tests/support.h"

/* Each of them is looked up by reading something else of its file. */
static const struct {
  const gchar *sample;
  const gchar *point;
  gboolean stripped;
} places[] = {
  { "libsample-dwarf5.so", "sample_inlined_point", FALSE },
  { "libsample-statements.so", "stated_twice_point", TRUE },
  { "libsample-routines.so", "routine_in_table_point", TRUE },
};

/* A PyroTimeLimit that is over when it was asked so often. */
static gboolean
count_down (gpointer data)
{
  guint *left = data;

  if (*left == 0)
    return TRUE;
  (*left)--;
  return FALSE;
}

static PyroSymbolizer *
limited_symbolizer (guint *left)
{
  PyroSymbolizer *symbolizer = pyro_symbolizer_new ();
  const PyroTimeLimit limit = { count_down, left };

  pyro_symbolizer_set_time_limit (symbolizer, &limit);
  return symbolizer;
}

static gchar *
prepare (Fixture *fixture, guint i)
{
  g_autofree gchar *sample = sample_path (places[i].sample);
  gchar *path;

  if (!places[i].stripped)
    return g_steal_pointer (&sample);
  path = fixture_path (fixture, places[i].sample);
  run ("strip", "-o", path, sample, NULL);
  return path;
}

static guint
look_up (PyroSymbolizer *symbolizer, const gchar *path, guint i,
         const PyroSymbol **symbols)
{
  g_autofree gchar *sample = sample_path (places[i].sample);

  return pyro_symbolizer_lookup (symbolizer, path, NULL,
                                 sample_address (sample, places[i].point),
                                 symbols);
}

/* The same as without a limit. */
static void
assert_whole (const PyroSymbol *symbols, guint n, const gchar *path, guint i)
{
  g_autoptr (PyroSymbolizer) unlimited = pyro_symbolizer_new ();
  const PyroSymbol *expected;

  g_assert_cmpuint (n, ==, look_up (unlimited, path, i, &expected));
  g_assert_cmpstr (symbols[n - 1].name, ==, expected[n - 1].name);
  g_assert_cmpint (symbols[n - 1].origin, ==, expected[n - 1].origin);
  g_assert_cmpint (symbols[0].line, ==, expected[0].line);
}

static void
test_without_time_a_frame_has_its_place (Fixture *fixture, gconstpointer data)
{
  for (guint i = 0; i < G_N_ELEMENTS (places); i++) {
    g_autofree gchar *path = prepare (fixture, i);
    g_autofree gchar *sample = sample_path (places[i].sample);
    guint left = 0;
    g_autoptr (PyroSymbolizer) symbolizer = limited_symbolizer (&left);
    g_autofree gchar *place
        = g_strdup_printf ("%s!0x%" G_GINT64_MODIFIER "x", places[i].sample,
                           sample_address (sample, places[i].point));
    const PyroSymbol *symbols;

    g_assert_cmpuint (look_up (symbolizer, path, i, &symbols), ==, 1);
    g_assert_cmpstr (symbols->name, ==, place);
    g_assert_cmpint (symbols->origin, ==, PYRO_NAME_POSTPONED);
  }
}

static void
test_what_was_postponed_is_named_later (Fixture *fixture, gconstpointer data)
{
  for (guint i = 0; i < G_N_ELEMENTS (places); i++) {
    g_autofree gchar *path = prepare (fixture, i);
    guint n = 0;

    /* The time is over at each of the moments at which it is asked for. */
    for (guint moment = 0;; moment++) {
      guint left = moment;
      g_autoptr (PyroSymbolizer) symbolizer = limited_symbolizer (&left);
      const PyroSymbol *symbols;

      g_assert_cmpuint (moment, <, 1000);
      n = look_up (symbolizer, path, i, &symbols);
      if (left > 0) {
        assert_whole (symbols, n, path, i);
        break;
      }
      left = G_MAXUINT;
      n = look_up (symbolizer, path, i, &symbols);
      assert_whole (symbols, n, path, i);
    }
  }
}

static void
test_what_is_known_needs_no_time (Fixture *fixture, gconstpointer data)
{
  for (guint i = 0; i < G_N_ELEMENTS (places); i++) {
    g_autofree gchar *path = prepare (fixture, i);
    guint left = G_MAXUINT;
    g_autoptr (PyroSymbolizer) symbolizer = limited_symbolizer (&left);
    const PyroSymbol *symbols;
    guint n;

    look_up (symbolizer, path, i, &symbols);
    left = 0;
    n = look_up (symbolizer, path, i, &symbols);
    assert_whole (symbols, n, path, i);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define TEST(name)                                                         \
  g_test_add ("/symbols/time-limit/" #name, Fixture, NULL, fixture_set_up, \
              test_##name, fixture_tear_down)
  TEST (without_time_a_frame_has_its_place);
  TEST (what_was_postponed_is_named_later);
  TEST (what_is_known_needs_no_time);
  return g_test_run ();
}
