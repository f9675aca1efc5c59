/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whatever an ELF file says, its names and functions can be looked up. See
 * ci/fuzz. */
#include "symbols/entry-points.h"
#include "symbols/exported-symbols.h"
#include "symbols/fde-table.h"
#include "symbols/statement-names.h"
#include "symbols/symbol-table.h"

#include "ci/fuzz/fuzz.h"

#include <link.h>
#include <string.h>

/* The file as it is mapped, in one piece. */
typedef struct {
  const uint8_t *bytes;
  size_t size;
} Image;

static gsize
read_image (gpointer data, guint64 address, gsize size, void *out)
{
  const Image *image = data;
  gsize n = address < image->size ? MIN (size, image->size - address) : 0;

  if (n > 0)
    memcpy (out, image->bytes + address, n);
  return n;
}

/* The dynamic section is where its program header says. */
static void
look_up_exported (const uint8_t *data, size_t size)
{
  Image image = { data, size };
  ElfW (Ehdr) header;
  ElfW (Phdr) phdr;

  if (size < sizeof header)
    return;
  memcpy (&header, data, sizeof header);
  for (guint i = 0; i < MIN (header.e_phnum, 64); i++) {
    g_autoptr (PyroExportedSymbols) exported = NULL;
    g_autoptr (PyroSymbolTable) symbols = pyro_symbol_table_new ();

    if (header.e_phoff > size || size - header.e_phoff < (i + 1) * sizeof phdr)
      return;
    memcpy (&phdr, data + header.e_phoff + i * sizeof phdr, sizeof phdr);
    if (phdr.p_type != PT_DYNAMIC)
      continue;
    exported = pyro_exported_symbols_read (phdr.p_offset, phdr.p_filesz, 0, 0,
                                           size, read_image, &image);
    if (exported == NULL)
      continue;
    g_assert_cmpuint (pyro_exported_symbols_get_size (exported), <=, 2 * size);
    pyro_symbol_table_add_exported (symbols, exported);
    pyro_symbol_table_finish (symbols);
    for (guint64 address = 0; address < 0x8000; address += 0x40)
      g_free (pyro_symbol_table_lookup (symbols, address));
  }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (PyroSymbolTable) symbols = pyro_symbol_table_new ();
  g_autoptr (PyroFdeTable) fdes = NULL;
  g_autoptr (PyroStatementNames) names = NULL;
  g_autoptr (PyroEntryPoints) entries = NULL;
  g_autoptr (PyroElfFile) file = NULL;
  g_autoptr (GError) error = NULL;
  guint64 address;

  look_up_exported (data, size);
  file = pyro_elf_file_open_image (g_memdup2 (data, size), size, NULL, &error);
  g_assert_true ((file == NULL) == (error != NULL));
  if (file == NULL)
    return 0;
  pyro_symbol_table_add (symbols, file, FALSE);
  pyro_symbol_table_finish (symbols);
  fdes = pyro_fde_table_new (file);
  names = pyro_statement_names_new (file, fdes, NULL);
  entries = pyro_entry_points_new (file, fdes, NULL);
  for (address = 0; address < 0x8000; address += 0x40) {
    g_autofree gchar *name = pyro_symbol_table_lookup (symbols, address);
    guint64 start;

    if (pyro_fde_table_lookup (fdes, address, &start)
        || pyro_entry_points_lookup (entries, fdes, symbols, address, &start))
      g_assert_cmpuint (start, <=, address);
    if (names != NULL)
      g_assert_cmpstr (pyro_statement_names_lookup (names, address), !=, "");
  }
  return 0;
}
