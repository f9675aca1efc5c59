/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Routines without symbols and without call frame information. */
#include "symbols/symbolizer.h"
#include "symbols/tests/support.h"

#define SAMPLE "libsample-routines.so"

/* In a stripped copy, the code at POINT begins at ROUTINE. */
static void
assert_begins (Fixture *fixture, const gchar *point, const gchar *routine)
{
  g_autoptr (PyroSymbolizer) symbolizer = pyro_symbolizer_new ();
  g_autofree gchar *sample = sample_path (SAMPLE);
  g_autofree gchar *path = fixture_path (fixture, "libstripped.so");
  g_autofree gchar *expected
      = g_strdup_printf ("libstripped.so!0x%" G_GINT64_MODIFIER "x",
                         sample_address (sample, routine));
  const PyroSymbol *symbols;

  run ("strip", "-o", path, sample, NULL);
  pyro_symbolizer_lookup (symbolizer, path, NULL,
                          sample_address (sample, point), &symbols);
  g_assert_cmpstr (symbols[0].name, ==, expected);
  g_assert_cmpint (symbols[0].origin, ==, PYRO_NAME_NONE);
}

static void
test_a_routine_begins_where_something_points (Fixture *fixture,
                                              gconstpointer data)
{
  assert_begins (fixture, "routine_in_table_point", "routine_in_table");
#ifdef __x86_64__
  assert_begins (fixture, "routine_called_point", "routine_called");
  assert_begins (fixture, "routine_loaded_point", "routine_loaded");
#endif
}

static void
test_what_nothing_points_at_belongs_to_what_is_before (Fixture *fixture,
                                                       gconstpointer data)
{
#ifdef __x86_64__
  assert_begins (fixture, "routine_behind_it_point", "routine_called");
#else
  g_test_skip ("calls are only read on x86_64");
#endif
}

static void
test_a_routine_begins_behind_a_symbol (Fixture *fixture, gconstpointer data)
{
  assert_begins (fixture, "behind_exported_point", "behind_exported");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define TEST(name)                                                           \
  g_test_add ("/symbols/entry-points/" #name, Fixture, NULL, fixture_set_up, \
              test_##name, fixture_tear_down)
  TEST (a_routine_begins_where_something_points);
  TEST (what_nothing_points_at_belongs_to_what_is_before);
  TEST (a_routine_begins_behind_a_symbol);
  return g_test_run ();
}
