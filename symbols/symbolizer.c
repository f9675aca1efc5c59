/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "symbols/symbolizer.h"

#include "symbols/debug-file.h"
#include "symbols/debug-info.h"
#include "symbols/demangle.h"
#include "symbols/entry-points.h"
#include "symbols/fde-table.h"
#include "symbols/statement-names.h"
#include "symbols/symbol-table.h"

#include <string.h>

#define VDSO_PATH "[vdso]"
#define DELETED_SUFFIX " (deleted)"

/* The answers kept per file. Past it they are found again from the file's
 * tables, which stay; the strings are shared, so they do not grow with it. */
#define RESULTS_MAX 65536

#define DEBUG_INFO_BYTES_MAX (G_GUINT64_CONSTANT (256) << 20)

typedef struct {
  guint n;
  PyroSymbol symbols[];
} Result;

/* What is known of a mapped file. */
typedef struct {
  gchar *path;
  gchar *build_id;                /* as asked for, or NULL */
  gchar *file_build_id;           /* of the file that was found, or NULL */
  const gchar *library;           /* what people call it: the base name */
  PyroSymbolTable *symbols;       /* NULL: not read yet */
  PyroFdeTable *fdes;             /* NULL: there is no file */
  gboolean entries_read;          /* as far as they can be */
  PyroEntryPoints *entries;       /* or NULL */
  gboolean statements_read;       /* as far as they can be */
  PyroStatementNames *statements; /* or NULL */
  gboolean has_debug_info; /* there is DWARF, though not always in memory */
  PyroDebugInfo *debug_info;
  GHashTable *results; /* guint64 address → Result */
} Module;

struct _PyroSymbolizer {
  PyroDebugPlaces *places;
  GHashTable *modules; /* Module → itself, by path and build id */
  GStringChunk *strings;
  PyroExportedFunc exported_func; /* or NULL */
  gpointer exported_data;
  PyroTimeLimit limit;
  gboolean was_late; /* something was not read for the present look-up */
  Result *postponed; /* the last answer, if it is not kept, or NULL */

  GQueue with_debug_info; /* of Module, the last one used first */
  guint64 debug_info_bytes;
  guint64 debug_info_limit;
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
  g_free (module->file_build_id);
  g_clear_pointer (&module->symbols, pyro_symbol_table_free);
  g_clear_pointer (&module->fdes, pyro_fde_table_free);
  g_clear_pointer (&module->entries, pyro_entry_points_free);
  g_clear_pointer (&module->statements, pyro_statement_names_free);
  g_clear_pointer (&module->debug_info, pyro_debug_info_free);
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
  symbolizer->places = pyro_debug_places_new (NULL, NULL);
  g_queue_init (&symbolizer->with_debug_info);
  symbolizer->debug_info_limit = DEBUG_INFO_BYTES_MAX;
  return symbolizer;
}

void
pyro_symbolizer_set_debug_path (PyroSymbolizer *symbolizer, const gchar *path,
                                const gchar *sysroot)
{
  g_return_if_fail (symbolizer != NULL);

  pyro_debug_places_free (symbolizer->places);
  symbolizer->places = pyro_debug_places_new (path, sysroot);
}

void
pyro_symbolizer_set_fetch_func (PyroSymbolizer *symbolizer,
                                PyroDebugFetchFunc func, gpointer data)
{
  g_return_if_fail (symbolizer != NULL);

  symbolizer->places->fetch = func;
  symbolizer->places->fetch_data = data;
}

void
pyro_symbolizer_free (PyroSymbolizer *symbolizer)
{
  g_free (symbolizer->postponed);
  g_queue_clear (&symbolizer->with_debug_info);
  g_hash_table_unref (symbolizer->modules);
  pyro_debug_places_free (symbolizer->places);
  g_string_chunk_free (symbolizer->strings);
  g_free (symbolizer);
}

void
pyro_symbolizer_set_debug_info_limit (PyroSymbolizer *symbolizer, guint64 bytes)
{
  g_return_if_fail (symbolizer != NULL);

  symbolizer->debug_info_limit = bytes;
}

void
pyro_symbolizer_set_exported_func (PyroSymbolizer *symbolizer,
                                   PyroExportedFunc func, gpointer data)
{
  g_return_if_fail (symbolizer != NULL);

  symbolizer->exported_func = func;
  symbolizer->exported_data = data;
}

void
pyro_symbolizer_set_time_limit (PyroSymbolizer *symbolizer,
                                const PyroTimeLimit *limit)
{
  g_return_if_fail (symbolizer != NULL);
  g_return_if_fail (limit != NULL);

  symbolizer->limit = *limit;
}

guint64
pyro_symbolizer_get_debug_info_bytes (const PyroSymbolizer *symbolizer)
{
  g_return_val_if_fail (symbolizer != NULL, 0);

  return symbolizer->debug_info_bytes;
}

/* Opens what the process mapped from PATH. The kernel marks a path whose file
 * was replaced; what lies there now is only good if its build id says so. */
static PyroElfFile *
open_mapped_file (PyroSymbolizer *symbolizer, const gchar *path,
                  const gchar *build_id, GError **error)
{
  g_autofree gchar *without_suffix = NULL;
  const gchar *sysroot = symbolizer->places->sysroot;

  if (g_str_equal (path, VDSO_PATH))
    return pyro_elf_file_open_vdso (build_id, error);
  if (build_id != NULL && g_str_has_suffix (path, DELETED_SUFFIX)) {
    without_suffix = g_strndup (path, strlen (path) - strlen (DELETED_SUFFIX));
    path = without_suffix;
  }
  if (sysroot != NULL) {
    g_autofree gchar *below = g_build_filename (sysroot, path, NULL);
    PyroElfFile *file = pyro_elf_file_open (below, build_id, NULL);

    if (file != NULL)
      return file;
  }
  return pyro_elf_file_open (path, build_id, error);
}

/* Opens the separate debug file of MODULE, whose own file is FILE, unless FILE
 * has all there is to have. */
static PyroElfFile *
open_debug_file (PyroSymbolizer *symbolizer, const Module *module,
                 PyroElfFile *file)
{
  if (file != NULL && pyro_debug_info_exists (file)
      && pyro_elf_file_find_section (file, ".symtab") != NULL)
    return NULL;
  return pyro_debug_file_find (symbolizer->places, file, module->file_build_id);
}

static void
add_embedded_symbols (Module *module, PyroElfFile *file)
{
  g_autoptr (PyroElfFile) embedded = pyro_debug_file_open_embedded (file);

  if (embedded != NULL)
    pyro_symbol_table_add (module->symbols, embedded, FALSE);
}

/* There is no file, or another one. */
static void
add_exported (PyroSymbolizer *symbolizer, Module *module)
{
  g_autoptr (PyroExportedSymbols) exported = NULL;

  if (symbolizer->exported_func != NULL)
    exported = symbolizer->exported_func (module->path, module->build_id,
                                          symbolizer->exported_data);
  if (exported != NULL)
    pyro_symbol_table_add_exported (module->symbols, exported);
}

/* Reads what names MODULE's functions. If the process is out of descriptors
 * nothing is read, and it is for the next look-up to try again. */
static void
load_symbols (PyroSymbolizer *symbolizer, Module *module)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (PyroElfFile) file = NULL;
  g_autoptr (PyroElfFile) debug_file = NULL;

  file = open_mapped_file (symbolizer, module->path, module->build_id, &error);
  if (g_error_matches (error, PYRO_ELF_ERROR, PYRO_ELF_ERROR_EXHAUSTED))
    return;
  module->symbols = pyro_symbol_table_new ();
  module->file_build_id
      = g_strdup (file != NULL ? file->build_id : module->build_id);
  if (file == NULL) {
    g_info ("no symbols from %s: %s", module->path, error->message);
    add_exported (symbolizer, module);
  } else {
    /* The vDSO's weak symbols are the C library's names for its functions;
     * the others say where one is. */
    pyro_symbol_table_add (module->symbols, file,
                           g_str_equal (module->path, VDSO_PATH));
    module->fdes = pyro_fde_table_new (file);
  }

  debug_file = open_debug_file (symbolizer, module, file);
  if (debug_file != NULL)
    pyro_symbol_table_add (module->symbols, debug_file, FALSE);
  else if (file != NULL)
    add_embedded_symbols (module, file);
  pyro_symbol_table_finish (module->symbols);
  module->has_debug_info
      = (file != NULL && pyro_debug_info_exists (file))
        || (debug_file != NULL && pyro_debug_info_exists (debug_file));
}

static void
unload_debug_info (PyroSymbolizer *symbolizer, Module *module)
{
  g_queue_remove (&symbolizer->with_debug_info, module);
  symbolizer->debug_info_bytes -= pyro_debug_info_get_size (module->debug_info);
  g_clear_pointer (&module->debug_info, pyro_debug_info_free);
}

static void
load_debug_info (PyroSymbolizer *symbolizer, Module *module)
{
  g_autoptr (PyroElfFile) file = open_mapped_file (symbolizer, module->path,
                                                   module->file_build_id, NULL);
  PyroElfFile *source;

  /* A file without a build id is believed to be what it was before. */
  if (file != NULL && pyro_debug_info_exists (file))
    source = g_steal_pointer (&file);
  else
    source = open_debug_file (symbolizer, module, file);
  if (source != NULL)
    module->debug_info = pyro_debug_info_new (source, symbolizer->places);
  if (module->debug_info == NULL) {
    module->has_debug_info = FALSE;
    return;
  }
  g_queue_push_head (&symbolizer->with_debug_info, module);
  symbolizer->debug_info_bytes += pyro_debug_info_get_size (module->debug_info);
  while (symbolizer->debug_info_bytes > symbolizer->debug_info_limit
         && symbolizer->with_debug_info.length > 1)
    unload_debug_info (symbolizer,
                       g_queue_peek_tail (&symbolizer->with_debug_info));
}

/* To be asked before anything is read that the present look-up needs. */
static gboolean
is_late (PyroSymbolizer *symbolizer)
{
  const gboolean late = pyro_time_is_over (&symbolizer->limit);

  symbolizer->was_late |= late;
  return late;
}

/* MODULE's DWARF, now the last one used, or NULL if it has none, or if there
 * is no time to read it. */
static PyroDebugInfo *
use_debug_info (PyroSymbolizer *symbolizer, Module *module)
{
  if (module->debug_info != NULL) {
    g_queue_remove (&symbolizer->with_debug_info, module);
    g_queue_push_head (&symbolizer->with_debug_info, module);
  } else if (module->has_debug_info && !is_late (symbolizer)) {
    load_debug_info (symbolizer, module);
  }
  return module->debug_info;
}

/* "[orc]", "[vsyscall]": no file, and nothing is known but the name. */
static gboolean
is_file (const Module *module)
{
  return module->path[0] != '[' || g_str_equal (module->path, VDSO_PATH);
}

/* Files may hold anything, but what becomes of a profile's strings is UTF-8. */
static const gchar *
intern (PyroSymbolizer *symbolizer, const gchar *text)
{
  g_autofree gchar *valid = NULL;

  if (!g_utf8_validate (text, -1, NULL)) {
    valid = g_utf8_make_valid (text, -1);
    text = valid;
  }
  return g_string_chunk_insert_const (symbolizer->strings, text);
}

static const gchar *
library_name (PyroSymbolizer *symbolizer, const gchar *path)
{
  g_autofree gchar *name = g_path_get_basename (path);

  if (g_str_has_suffix (name, DELETED_SUFFIX))
    name[strlen (name) - strlen (DELETED_SUFFIX)] = '\0';
  return intern (symbolizer, name);
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
  g_hash_table_add (symbolizer->modules, module);
  return module;
}

/* Sets name and system_name for what the linker calls NAME. */
static void
set_names (PyroSymbolizer *symbolizer, PyroSymbol *symbol, const gchar *name)
{
  g_autofree gchar *demangled = pyro_demangle (name);

  symbol->name = intern (symbolizer, demangled ? demangled : name);
  symbol->system_name = demangled != NULL ? intern (symbolizer, name) : NULL;
  symbol->origin = PYRO_NAME_SYMBOL;
}

/* MODULE's file once more, to read what is only asked for now. *DONE: there is
 * no need to try again. */
static PyroElfFile *
open_again (PyroSymbolizer *symbolizer, const Module *module, gboolean *done)
{
  g_autoptr (GError) error = NULL;
  PyroElfFile *file = open_mapped_file (symbolizer, module->path,
                                        module->file_build_id, &error);

  *done = !g_error_matches (error, PYRO_ELF_ERROR, PYRO_ELF_ERROR_EXHAUSTED);
  return file;
}

/* The name of the function that starts at START by the statements in MODULE's
 * code. These are read once, when the first one is asked for. */
static const gchar *
find_statement_name (PyroSymbolizer *symbolizer, Module *module, guint64 start)
{
  if (!module->statements_read && !is_late (symbolizer)) {
    g_autoptr (PyroElfFile) file
        = open_again (symbolizer, module, &module->statements_read);

    if (file != NULL)
      module->statements
          = pyro_statement_names_new (file, module->fdes, &symbolizer->limit);
    if (file != NULL && module->statements == NULL && is_late (symbolizer))
      module->statements_read = FALSE;
  }
  return module->statements != NULL
             ? pyro_statement_names_lookup (module->statements, start)
             : NULL;
}

/* Where the routine at ADDRESS begins, which MODULE's FDEs do not describe. */
static guint64
find_entry (PyroSymbolizer *symbolizer, Module *module, guint64 address)
{
  guint64 start;

  if (!module->entries_read && !is_late (symbolizer)) {
    g_autoptr (PyroElfFile) file
        = open_again (symbolizer, module, &module->entries_read);

    if (file != NULL)
      module->entries
          = pyro_entry_points_new (file, module->fdes, &symbolizer->limit);
    if (file != NULL && module->entries == NULL && is_late (symbolizer))
      module->entries_read = FALSE;
  }
  return module->entries != NULL
                 && pyro_entry_points_lookup (module->entries, module->fdes,
                                              module->symbols, address, &start)
             ? start
             : address;
}

/* For what no symbol names. */
static void
set_other_name (PyroSymbolizer *symbolizer, Module *module, PyroSymbol *symbol,
                guint64 address)
{
  g_autofree gchar *place = NULL;
  const gchar *name = NULL;
  guint64 start = address;

  if (!is_file (module)) {
    symbol->name = module->library;
    return;
  }
  if (module->fdes != NULL) {
    if (pyro_fde_table_lookup (module->fdes, address, &start))
      name = find_statement_name (symbolizer, module, start);
    else
      start = find_entry (symbolizer, module, address);
  }
  place = g_strdup_printf ("%s!0x%" G_GINT64_MODIFIER "x", module->library,
                           start);
  symbol->name = intern (symbolizer, place);
  if (name != NULL) {
    symbol->system_name = symbol->name;
    symbol->name = intern (symbolizer, name);
    symbol->origin = pyro_statement_names_is_program (module->statements, start)
                         ? PYRO_NAME_PROGRAM
                         : PYRO_NAME_STATEMENT;
  } else if (symbolizer->was_late) {
    symbol->origin = PYRO_NAME_POSTPONED;
  }
}

/* The name of FRAME's file without "." and "..", so that a file has one name:
 * absolute, unless the compiler was told to hide where it ran. */
static const gchar *
intern_filename (PyroSymbolizer *symbolizer, const PyroSourceFrame *frame)
{
  g_autofree gchar *joined = NULL;
  g_autofree gchar *canonical = NULL;
  const gchar *filename = frame->filename;

  if (filename == NULL)
    return NULL;
  /* libdw has done this already for files right in the directory. */
  if (!g_path_is_absolute (filename) && frame->directory != NULL
      && !g_str_has_prefix (filename, frame->directory)) {
    joined = g_build_filename (frame->directory, filename, NULL);
    filename = joined;
  }
  canonical = g_canonicalize_filename (filename, G_DIR_SEPARATOR_S);
  return intern (symbolizer,
                 g_path_is_absolute (filename) ? canonical : canonical + 1);
}

static Result *
find_result (PyroSymbolizer *symbolizer, Module *module, guint64 address)
{
  g_autofree gchar *outermost = NULL;
  g_autoptr (GArray) frames = NULL;
  PyroDebugInfo *debug_info;
  Result *result;

  frames = g_array_new (FALSE, TRUE, sizeof (PyroSourceFrame));
  debug_info = use_debug_info (symbolizer, module);
  if (debug_info != NULL)
    pyro_debug_info_lookup (debug_info, address, frames);
  if (frames->len == 0)
    g_array_set_size (frames, 1);

  result = g_malloc0 (sizeof (Result) + frames->len * sizeof (PyroSymbol));
  result->n = frames->len;
  for (guint i = 0; i < frames->len; i++) {
    const PyroSourceFrame *frame = &g_array_index (frames, PyroSourceFrame, i);
    PyroSymbol *symbol = &result->symbols[i];
    const gchar *name = frame->name;

    /* The function itself is called what it is called in a stripped file. */
    if (i + 1 == frames->len && module->symbols != NULL) {
      outermost = pyro_symbol_table_lookup (module->symbols, address);
      if (outermost != NULL)
        name = outermost;
    }
    if (name != NULL)
      set_names (symbolizer, symbol, name);
    else
      set_other_name (symbolizer, module, symbol, address);
    symbol->filename = intern_filename (symbolizer, frame);
    symbol->line = frame->line;
    symbol->start_line = frame->start_line;
  }
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
  symbolizer->was_late = FALSE;
  g_clear_pointer (&symbolizer->postponed, g_free);
  if (module->symbols == NULL && is_file (module) && !is_late (symbolizer)) {
    /* Whatever was answered without the file is not the last word. */
    g_hash_table_remove_all (module->results);
    load_symbols (symbolizer, module);
  }
  result = g_hash_table_lookup (module->results, &address);
  if (result == NULL) {
    if (g_hash_table_size (module->results) >= RESULTS_MAX)
      g_hash_table_remove_all (module->results);
    result = find_result (symbolizer, module, address);
    if (symbolizer->was_late)
      symbolizer->postponed = result;
    else
      g_hash_table_insert (module->results,
                           g_memdup2 (&address, sizeof address), result);
  }
  *symbols = result->symbols;
  return result->n;
}
