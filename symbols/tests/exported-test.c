/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Exported symbols out of the memory of this process's own libraries. */
#include "symbols/exported-symbols.h"
#include "symbols/symbolizer.h"
#include "symbols/symbol-table.h"

#include <link.h>
#include <string.h>

typedef struct {
  guint64 dynamic, size, bias, start, limit;
  guint n_reads, n_good; /* how many reads there were, and how many may be */
} Module;

/* That holds the address BIAS was set to. */
static int
on_module (struct dl_phdr_info *info, size_t size, void *data)
{
  Module *wanted = data;
  Module module = { .bias = info->dlpi_addr, .start = G_MAXUINT64 };
  gboolean is_wanted = FALSE;

  for (guint i = 0; i < info->dlpi_phnum; i++) {
    const ElfW (Phdr) *phdr = &info->dlpi_phdr[i];
    guint64 start = info->dlpi_addr + phdr->p_vaddr;

    if (phdr->p_type == PT_DYNAMIC) {
      module.dynamic = start;
      module.size = phdr->p_memsz;
    } else if (phdr->p_type == PT_LOAD) {
      module.start = MIN (module.start, start);
      module.limit = MAX (module.limit, start + phdr->p_memsz);
      is_wanted
          |= wanted->bias >= start && wanted->bias < start + phdr->p_memsz;
    }
  }
  if (is_wanted)
    *wanted = module;
  return is_wanted;
}

static Module
find_module (gconstpointer address)
{
  Module module = { .bias = (guintptr)address };

  g_assert_true (dl_iterate_phdr (on_module, &module));
  module.n_good = G_MAXUINT;
  return module;
}

static gsize
read_memory (gpointer data, guint64 address, gsize size, void *out)
{
  Module *module = data;

  g_assert_cmphex (address, >=, module->start);
  g_assert_cmphex (address + size, <=, module->limit);
  if (module->n_reads++ >= module->n_good)
    return 0;
  memcpy (out, (gconstpointer)(guintptr)address, size);
  return size;
}

static PyroExportedSymbols *
read_module (Module *module)
{
  return pyro_exported_symbols_read (module->dynamic, module->size,
                                     module->bias, module->start, module->limit,
                                     read_memory, module);
}

static void
test_functions_have_their_names (void)
{
  static const struct {
    gpointer address;
    const gchar *name;
  } functions[] = {
    { g_malloc, "g_malloc" },
    { g_hash_table_lookup, "g_hash_table_lookup" },
    { g_strsplit, "g_strsplit" },
  };
  Module module = find_module (g_malloc);
  g_autoptr (PyroExportedSymbols) exported = read_module (&module);
  g_autoptr (PyroSymbolTable) table = pyro_symbol_table_new ();

  g_assert_nonnull (exported);
  pyro_symbol_table_add_exported (table, exported);
  pyro_symbol_table_finish (table);
  for (guint i = 0; i < G_N_ELEMENTS (functions); i++) {
    g_autofree gchar *name = pyro_symbol_table_lookup (
        table, (guintptr)functions[i].address + 1 - module.bias);

    g_assert_cmpstr (name, ==, functions[i].name);
  }
}

/* Wherever memory is gone. */
static void
test_what_cannot_be_read_names_nothing (void)
{
  Module module = find_module (g_malloc);
  guint n_reads;

  pyro_exported_symbols_free (read_module (&module));
  n_reads = module.n_reads;
  g_assert_cmpuint (n_reads, >, 3);
  for (guint n = 0; n < n_reads; n++) {
    module.n_reads = 0;
    module.n_good = n;
    g_assert_null (read_module (&module));
  }
}

static void
test_nothing_outside_of_the_module_is_read (void)
{
  Module whole = find_module (g_malloc);

  for (guint64 size = 0; size < whole.limit - whole.start; size += 0x1000) {
    Module module = whole;

    module.limit = module.start + size;
    pyro_exported_symbols_free (read_module (&module));
  }
}

static PyroExportedSymbols *
give (const gchar *path, const gchar *build_id, gpointer data)
{
  return read_module (data);
}

static void
test_they_name_what_has_no_file (void)
{
  PyroSymbolizer *symbolizer = pyro_symbolizer_new ();
  Module module = find_module (g_malloc);
  guint64 address = (guintptr)g_malloc + 1 - module.bias;
  const PyroSymbol *symbols;

  pyro_symbolizer_lookup (symbolizer, "/nonexistent/libgone.so", "00", address,
                          &symbols);
  g_assert_true (g_str_has_prefix (symbols[0].name, "libgone.so!0x"));
  pyro_symbolizer_free (symbolizer);

  symbolizer = pyro_symbolizer_new ();
  pyro_symbolizer_set_exported_func (symbolizer, give, &module);
  pyro_symbolizer_lookup (symbolizer, "/nonexistent/libgone.so", "00", address,
                          &symbols);
  g_assert_cmpstr (symbols[0].name, ==, "g_malloc");
  pyro_symbolizer_free (symbolizer);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define TEST(name) g_test_add_func ("/symbols/exported/" #name, test_##name)
  TEST (functions_have_their_names);
  TEST (what_cannot_be_read_names_nothing);
  TEST (nothing_outside_of_the_module_is_read);
  TEST (they_name_what_has_no_file);
  return g_test_run ();
}
