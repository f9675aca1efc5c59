/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "symbols/symbolizer.h"

#include "symbols/demangle.h"
#include "symbols/fde-table.h"
#include "symbols/symbol-table.h"

#include <string.h>

#define VDSO_PATH "[vdso]"
#define DELETED_SUFFIX " (deleted)"

/* The answers kept per file. Past it they are found again from the file's
 * tables, which stay; the strings are shared, so they do not grow with it. */
#define RESULTS_MAX 65536

typedef struct {
  guint n;
  PyroSymbol symbols[];
} Result;

typedef struct {
  gchar *path;
  gchar *build_id;
  const gchar *library; /* what people call it: the base name */
  PyroSymbolTable *symbols;
  PyroFdeTable *fdes;
  GHashTable *results; /* guint64 address → Result */
} Module;

struct _PyroSymbolizer {
  GHashTable *modules; /* Module → itself, by path and build id */
  GStringChunk *strings;
};

static guint
module_hash (gconstpointer key)
{
  const Module *module = key;

  return g_str_hash (module->path)
         ^ (module->build_id != NULL ? g_str_hash (module->build_id) : 0);
}

static gboolean
module_equal (gconstpointer a, gconstpointer b)
{
  const Module *x = a, *y = b;

  return g_str_equal (x->path, y->path)
         && g_strcmp0 (x->build_id, y->build_id) == 0;
}

static void
module_free (gpointer data)
{
  Module *module = data;

  g_free (module->path);
  g_free (module->build_id);
  g_clear_pointer (&module->symbols, pyro_symbol_table_free);
  g_clear_pointer (&module->fdes, pyro_fde_table_free);
  g_hash_table_unref (module->results);
  g_free (module);
}

PyroSymbolizer *
pyro_symbolizer_new (void)
{
  PyroSymbolizer *symbolizer = g_new0 (PyroSymbolizer, 1);

  symbolizer->modules
      = g_hash_table_new_full (module_hash, module_equal, module_free, NULL);
  symbolizer->strings = g_string_chunk_new (16384);
  return symbolizer;
}

void
pyro_symbolizer_free (PyroSymbolizer *symbolizer)
{
  g_hash_table_unref (symbolizer->modules);
  g_string_chunk_free (symbolizer->strings);
  g_free (symbolizer);
}

/* Opens what the process mapped from PATH. The kernel marks a path whose file
 * was replaced; what lies there now is only good if its build id says so. */
static PyroElfFile *
open_mapped_file (const gchar *path, const gchar *build_id, GError **error)
{
  g_autofree gchar *without_suffix = NULL;

  if (g_str_equal (path, VDSO_PATH))
    return pyro_elf_file_open_vdso (build_id, error);
  if (build_id != NULL && g_str_has_suffix (path, DELETED_SUFFIX)) {
    without_suffix = g_strndup (path, strlen (path) - strlen (DELETED_SUFFIX));
    path = without_suffix;
  }
  return pyro_elf_file_open (path, build_id, error);
}

static void
module_load (Module *module)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (PyroElfFile) file = NULL;

  module->symbols = pyro_symbol_table_new ();
  file = open_mapped_file (module->path, module->build_id, &error);
  if (file == NULL) {
    g_info ("no symbols from %s: %s", module->path, error->message);
  } else {
    /* The vDSO's weak symbols are the C library's names for its functions;
     * the others say where one is. */
    pyro_symbol_table_add (module->symbols, file,
                           g_str_equal (module->path, VDSO_PATH));
    module->fdes = pyro_fde_table_new (file);
  }
  pyro_symbol_table_finish (module->symbols);
}

static const gchar *
library_name (PyroSymbolizer *symbolizer, const gchar *path)
{
  g_autofree gchar *name = g_path_get_basename (path);

  if (g_str_has_suffix (name, DELETED_SUFFIX))
    name[strlen (name) - strlen (DELETED_SUFFIX)] = '\0';
  return g_string_chunk_insert_const (symbolizer->strings, name);
}

static Module *
find_module (PyroSymbolizer *symbolizer, const gchar *path,
             const gchar *build_id)
{
  const Module key = { .path = (gchar *)path, .build_id = (gchar *)build_id };
  Module *module = g_hash_table_lookup (symbolizer->modules, &key);

  if (module != NULL)
    return module;
  module = g_new0 (Module, 1);
  module->path = g_strdup (path);
  module->build_id = g_strdup (build_id);
  module->library = library_name (symbolizer, path);
  module->results
      = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, g_free);
  module_load (module);
  g_hash_table_add (symbolizer->modules, module);
  return module;
}

/* Sets name and system_name for what the linker calls NAME. */
static void
set_names (PyroSymbolizer *symbolizer, PyroSymbol *symbol, const gchar *name)
{
  g_autofree gchar *demangled = pyro_demangle (name);

  symbol->name = g_string_chunk_insert_const (symbolizer->strings,
                                              demangled ? demangled : name);
  symbol->system_name
      = demangled != NULL
            ? g_string_chunk_insert_const (symbolizer->strings, name)
            : NULL;
}

static void
set_unnamed (PyroSymbolizer *symbolizer, const Module *module,
             PyroSymbol *symbol, guint64 address)
{
  g_autofree gchar *name = NULL;
  guint64 start = address;

  if (module->fdes == NULL
      || !pyro_fde_table_lookup (module->fdes, address, &start))
    start = address;
  name = g_strdup_printf ("%s!0x%" G_GINT64_MODIFIER "x", module->library,
                          start);
  symbol->name = g_string_chunk_insert_const (symbolizer->strings, name);
}

static Result *
find_result (PyroSymbolizer *symbolizer, Module *module, guint64 address)
{
  g_autofree gchar *name = NULL;
  Result *result;

  result = g_malloc0 (sizeof (Result) + sizeof (PyroSymbol));
  result->n = 1;
  /* "[orc]", "[vsyscall]": not a file, and nothing is known about it. */
  if (module->path[0] == '[' && !g_str_equal (module->path, VDSO_PATH)) {
    result->symbols[0].name = module->library;
    return result;
  }
  name = pyro_symbol_table_lookup (module->symbols, address);
  if (name != NULL)
    set_names (symbolizer, &result->symbols[0], name);
  else
    set_unnamed (symbolizer, module, &result->symbols[0], address);
  return result;
}

guint
pyro_symbolizer_lookup (PyroSymbolizer *symbolizer, const gchar *path,
                        const gchar *build_id, guint64 address,
                        const PyroSymbol **symbols)
{
  Module *module;
  Result *result;

  g_return_val_if_fail (symbolizer != NULL, 0);
  g_return_val_if_fail (path != NULL, 0);
  g_return_val_if_fail (symbols != NULL, 0);

  module = find_module (symbolizer, path, build_id);
  result = g_hash_table_lookup (module->results, &address);
  if (result == NULL) {
    if (g_hash_table_size (module->results) >= RESULTS_MAX)
      g_hash_table_remove_all (module->results);
    result = find_result (symbolizer, module, address);
    g_hash_table_insert (module->results, g_memdup2 (&address, sizeof address),
                         result);
  }
  *symbols = result->symbols;
  return result->n;
}
