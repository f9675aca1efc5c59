/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What debug statements say of a stripped library's functions. */
#include "symbols/statement-names.h"

#include "symbols/symbolizer.h"
#include "symbols/tests/support.h"

#include <string.h>

#define SAMPLE "libsample-statements.so"

/* What the symbolizer says of the place POINT in PATH, a copy of the sample. */
static PyroSymbol
look_up (const gchar *path, const gchar *point)
{
  /* The strings are the symbolizer's. */
  static PyroSymbolizer *symbolizer = NULL;
  g_autofree gchar *sample = sample_path (SAMPLE);
  const PyroSymbol *symbols;

  g_clear_pointer (&symbolizer, pyro_symbolizer_free);
  symbolizer = pyro_symbolizer_new ();
  g_assert_cmpuint (pyro_symbolizer_lookup (symbolizer, path, NULL,
                                            sample_address (sample, point),
                                            &symbols),
                    ==, 1);
  return symbols[0];
}

static gchar *
strip_sample (Fixture *fixture)
{
  g_autofree gchar *sample = sample_path (SAMPLE);
  gchar *path = fixture_path (fixture, "libstripped.so");

  run ("strip", "-o", path, sample, NULL);
  return path;
}

static gchar *
place (const gchar *function)
{
  g_autofree gchar *sample = sample_path (SAMPLE);

  return g_strdup_printf ("libstripped.so!0x%" G_GINT64_MODIFIER "x",
                          sample_address (sample, function));
}

/* The symbolizer calls POINT what it stands in: FUNCTION. */
static void
assert_named (const gchar *path, const gchar *function)
{
  g_autofree gchar *point = g_strconcat (function, "_point", NULL);
  g_autofree gchar *where = place (function);
  PyroSymbol symbol = look_up (path, point);

  g_assert_cmpstr (symbol.name, ==, function);
  g_assert_cmpint (symbol.origin, ==, PYRO_NAME_STATEMENT);
  /* The place tells it from a function that a symbol table names. */
  g_assert_cmpstr (symbol.system_name, ==, where);
}

static void
assert_unnamed (const gchar *path, const gchar *function)
{
  g_autofree gchar *point = g_strconcat (function, "_point", NULL);
  g_autofree gchar *where = place (function);
  PyroSymbol symbol = look_up (path, point);

  g_assert_cmpstr (symbol.name, ==, where);
  g_assert_cmpint (symbol.origin, ==, PYRO_NAME_NONE);
  g_assert_null (symbol.system_name);
}

static gboolean
can_read_code (void)
{
#if defined(PYRO_HAVE_CAPSTONE) && defined(__x86_64__)
  return TRUE;
#else
  g_test_skip ("code is read on x86_64, with capstone");
  return FALSE;
#endif
}

static void
test_a_function_has_the_name_in_its_statements (Fixture *fixture,
                                                gconstpointer data)
{
  g_autofree gchar *path = strip_sample (fixture);

  if (!can_read_code ())
    return;
  assert_named (path, "stated_twice");
  assert_named (path, "stated_on_failure");
  assert_named (path, "stated_in_message");
}

static void
test_a_registered_function_needs_no_statement (Fixture *fixture,
                                               gconstpointer data)
{
  g_autofree gchar *path = strip_sample (fixture);

  if (can_read_code ())
    assert_named (path, "stated_nowhere_chain");
}

static void
test_a_registered_name_that_is_contradicted_is_not_taken (Fixture *fixture,
                                                          gconstpointer data)
{
  g_autofree gchar *path = strip_sample (fixture);

  if (!can_read_code ())
    return;
  assert_unnamed (path, "stated_otherwise_chain");
  assert_unnamed (path, "shares_name_event");
  assert_unnamed (path, "shares_name_query");
  assert_unnamed (path, "has_two_names_chain");
}

static void
test_what_is_inlined_twice_names_neither (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *path = strip_sample (fixture);

  if (!can_read_code ())
    return;
  assert_unnamed (path, "inlines_first");
  assert_unnamed (path, "inlines_second");
}

static void
test_an_exported_function_keeps_its_name_for_itself (Fixture *fixture,
                                                     gconstpointer data)
{
  g_autofree gchar *path = strip_sample (fixture);

  if (can_read_code ())
    assert_unnamed (path, "inlines_exported");
}

static void
test_most_and_last_statements_are_a_functions_own (Fixture *fixture,
                                                   gconstpointer data)
{
  g_autofree gchar *path = strip_sample (fixture);

  if (can_read_code ())
    assert_named (path, "mostly_stated");
}

static void
test_orcs_programs_name_what_runs_them (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *path = strip_sample (fixture);
  g_autofree gchar *where = place ("program_one");
  PyroSymbol symbol;

  if (!can_read_code ())
    return;
  symbol = look_up (path, "program_one_point");
  g_assert_cmpstr (symbol.name, ==, "program_one");
  g_assert_cmpstr (symbol.system_name, ==, where);
  g_assert_cmpint (symbol.origin, ==, PYRO_NAME_PROGRAM);
  assert_named (path, "_backup_program_one");
}

static void
test_symbols_come_before_statements (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *path = sample_path (SAMPLE);
  PyroSymbol symbol = look_up (path, "inlines_first_point");

  g_assert_cmpstr (symbol.name, ==, "inlines_first");
  g_assert_cmpint (symbol.origin, ==, PYRO_NAME_SYMBOL);
  symbol = look_up (path, "stated_twice_point");
  g_assert_cmpint (symbol.origin, ==, PYRO_NAME_SYMBOL);
}

static void
test_other_libraries_are_not_read (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *path = sample_path ("libsample-dwarf5.so");
  g_autoptr (GError) error = NULL;
  g_autoptr (PyroElfFile) file = pyro_elf_file_open (path, NULL, &error);
  g_autoptr (PyroFdeTable) fdes = NULL;

  if (!can_read_code ())
    return;
  g_assert_no_error (error);
  fdes = pyro_fde_table_new (file);
  g_assert_null (pyro_statement_names_new (file, fdes, NULL));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define TEST(name)                                              \
  g_test_add ("/symbols/statement-names/" #name, Fixture, NULL, \
              fixture_set_up, test_##name, fixture_tear_down)
  TEST (a_function_has_the_name_in_its_statements);
  TEST (a_registered_function_needs_no_statement);
  TEST (a_registered_name_that_is_contradicted_is_not_taken);
  TEST (what_is_inlined_twice_names_neither);
  TEST (an_exported_function_keeps_its_name_for_itself);
  TEST (most_and_last_statements_are_a_functions_own);
  TEST (orcs_programs_name_what_runs_them);
  TEST (symbols_come_before_statements);
  TEST (other_libraries_are_not_read);
  return g_test_run ();
}
