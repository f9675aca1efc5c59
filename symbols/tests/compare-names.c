/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* compare-names MAX FILE...: what debug statements say of the functions in
 * copies of FILEs without symbols, against FILEs' own symbols. Fails if there
 * are no names, or if more than MAX of a thousand are wrong. Exported functions
 * are left out: symbols that no file lacks name them. 77: code is not read
 * here. */
#include "symbols/statement-names.h"
#include "symbols/symbol-table.h"
#include "symbols/tests/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct {
  guint n_functions, n_names, n_wrong;
  gdouble milliseconds;
} Count;

static PyroElfFile *
open_file (const gchar *path)
{
  g_autoptr (GError) error = NULL;
  PyroElfFile *file = pyro_elf_file_open (path, NULL, &error);

  g_assert_no_error (error);
  return file;
}

static PyroSymbolTable *
read_symbols (PyroElfFile *file)
{
  PyroSymbolTable *symbols = pyro_symbol_table_new ();

  pyro_symbol_table_add (symbols, file, FALSE);
  pyro_symbol_table_finish (symbols);
  return symbols;
}

/* What GCC made of NAME has an ending: "gst_queue_chain.part.0", or, in C++, a
 * length before it and parameters behind. */
static gboolean
is_same (const gchar *name, const gchar *symbol)
{
  const gsize length = strlen (name);

  if (g_str_has_prefix (symbol, "_Z"))
    return strstr (symbol, name) != NULL;
  return strncmp (name, symbol, length) == 0
         && (symbol[length] == '\0' || symbol[length] == '.');
}

static gdouble
cpu_milliseconds (void)
{
  struct timespec now;

  clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &now);
  return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

static void
compare (Fixture *fixture, const gchar *path, Count *count)
{
  g_autofree gchar *stripped_path = fixture_path (fixture, "stripped.so");
  g_autoptr (PyroElfFile) full = NULL;
  g_autoptr (PyroElfFile) stripped = NULL;
  g_autoptr (PyroSymbolTable) symbols = NULL;
  g_autoptr (PyroSymbolTable) exported = NULL;
  g_autoptr (PyroFdeTable) fdes = NULL;
  g_autoptr (PyroStatementNames) names = NULL;
  gdouble begin;

  run ("strip", "-o", stripped_path, path, NULL);
  full = open_file (path);
  stripped = open_file (stripped_path);
  symbols = read_symbols (full);
  exported = read_symbols (stripped);
  fdes = pyro_fde_table_new (stripped);
  begin = cpu_milliseconds ();
  names = pyro_statement_names_new (stripped, fdes, NULL);
  count->milliseconds += cpu_milliseconds () - begin;
  for (guint i = 0; i < pyro_fde_table_get_size (fdes); i++) {
    const guint64 start = pyro_fde_table_get (fdes, i)->start;
    g_autofree gchar *is_exported = pyro_symbol_table_lookup (exported, start);
    g_autofree gchar *symbol = pyro_symbol_table_lookup (symbols, start);
    const gchar *name
        = names != NULL ? pyro_statement_names_lookup (names, start) : NULL;

    if (is_exported != NULL || symbol == NULL)
      continue;
    count->n_functions++;
    if (name == NULL)
      continue;
    count->n_names++;
    if (is_same (name, symbol))
      continue;
    count->n_wrong++;
    printf ("# %s: %s is called %s\n", path, symbol, name);
  }
}

int
main (int argc, char **argv)
{
  Fixture fixture;
  Count count = { 0 };

  g_assert_cmpint (argc, >, 2);
  fixture_set_up (&fixture, NULL);
  for (gint i = 2; i < argc; i++)
    compare (&fixture, argv[i], &count);
  fixture_tear_down (&fixture, NULL);
  printf ("# %d files, %u static functions, %u have a name, %u wrong (%.2f %%),"
          " %.0f ms of CPU\n",
          argc - 2, count.n_functions, count.n_names, count.n_wrong,
          count.n_names > 0 ? 100.0 * count.n_wrong / count.n_names : 0.0,
          count.milliseconds);
#if defined(PYRO_HAVE_CAPSTONE) && defined(__x86_64__)
  if (count.n_names == 0)
    return 1;
#else
  if (count.n_names == 0)
    return 77; /* no code is read: meson calls it skipped */
#endif
  return 1000 * count.n_wrong > atoi (argv[1]) * count.n_names;
}
