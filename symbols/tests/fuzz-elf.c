/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whatever an ELF file says, its names and functions can be looked up. See
 * ci/fuzz. */
#include "symbols/fde-table.h"
#include "symbols/symbol-table.h"

#include "ci/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (PyroSymbolTable) symbols = pyro_symbol_table_new ();
  g_autoptr (PyroFdeTable) fdes = NULL;
  g_autoptr (PyroElfFile) file = NULL;
  g_autoptr (GError) error = NULL;
  guint64 address;

  file = pyro_elf_file_open_image (g_memdup2 (data, size), size, NULL, &error);
  g_assert_true ((file == NULL) == (error != NULL));
  if (file == NULL)
    return 0;
  pyro_symbol_table_add (symbols, file, FALSE);
  pyro_symbol_table_finish (symbols);
  fdes = pyro_fde_table_new (file);
  for (address = 0; address < 0x8000; address += 0x40) {
    g_autofree gchar *name = pyro_symbol_table_lookup (symbols, address);
    guint64 start;

    if (pyro_fde_table_lookup (fdes, address, &start))
      g_assert_cmpuint (start, <=, address);
  }
  return 0;
}
