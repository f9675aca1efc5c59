/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "symbols/exported-symbols.h"

#include <link.h>
#include <string.h>

#define MAX_DYNAMIC 1024 /* entries */
#define MAX_BUCKETS (1u << 22)

typedef struct {
  guint64 bias, start, limit;
  PyroReadMemoryFunc read;
  gpointer data;
} Memory;

/* The tables, as run-time addresses; 0: none. */
typedef struct {
  guint64 symbols, strings, strings_size, hash, gnu_hash;
} Tables;

/* TRUE: all of it could be read. */
static gboolean
read_all (const Memory *memory, guint64 address, guint64 size, void *out)
{
  return address >= memory->start && address <= memory->limit
         && size <= memory->limit - address
         && memory->read (memory->data, address, size, out) == size;
}

/* The loader relocates the pointers in most dynamic sections, not in all. */
static guint64
to_address (const Memory *memory, guint64 pointer)
{
  if (pointer >= memory->start && pointer < memory->limit)
    return pointer;
  return pointer + memory->bias;
}

static gboolean
find_tables (const Memory *memory, guint64 address, guint64 size,
             Tables *tables)
{
  guint64 n = MIN (size / sizeof (ElfW (Dyn)), MAX_DYNAMIC);

  for (guint64 i = 0; i < n; i++) {
    ElfW (Dyn) entry;

    if (!read_all (memory, address + i * sizeof entry, sizeof entry, &entry))
      return FALSE;
    switch (entry.d_tag) {
    case DT_NULL:
      return tables->symbols != 0 && tables->strings != 0;
    case DT_SYMTAB:
      tables->symbols = to_address (memory, entry.d_un.d_ptr);
      break;
    case DT_STRTAB:
      tables->strings = to_address (memory, entry.d_un.d_ptr);
      break;
    case DT_STRSZ:
      tables->strings_size = entry.d_un.d_val;
      break;
    case DT_HASH:
      tables->hash = to_address (memory, entry.d_un.d_ptr);
      break;
    case DT_GNU_HASH:
      tables->gnu_hash = to_address (memory, entry.d_un.d_ptr);
      break;
    case DT_SYMENT:
      if (entry.d_un.d_val != sizeof (ElfW (Sym)))
        return FALSE;
      break;
    default:
      break;
    }
  }
  return tables->symbols != 0 && tables->strings != 0;
}

/* The chain that begins last ends with the last symbol. */
static guint64
count_by_gnu_hash (const Memory *memory, guint64 table)
{
  guint32 header[4], last = 0;
  guint64 buckets, chains;
  g_autofree guint32 *starts = NULL;

  if (!read_all (memory, table, sizeof header, header) || header[0] == 0
      || header[0] > MAX_BUCKETS)
    return 0;
  buckets = table + sizeof header
            + (guint64)header[2] * sizeof (ElfW (Addr)); /* behind the filter */
  chains = buckets + (guint64)header[0] * sizeof *starts;
  if (chains > memory->limit)
    return 0;
  starts = g_new (guint32, header[0]);
  if (!read_all (memory, buckets, header[0] * sizeof *starts, starts))
    return 0;
  for (guint32 i = 0; i < header[0]; i++)
    last = MAX (last, starts[i]);
  if (last < header[1])
    return 0;
  while (TRUE) {
    guint32 hashes[256];
    guint64 at = chains + ((guint64)last - header[1]) * sizeof *hashes;
    guint64 n;

    if (at >= memory->limit)
      return 0;
    n = MIN (G_N_ELEMENTS (hashes), (memory->limit - at) / sizeof *hashes);
    if (n == 0 || !read_all (memory, at, n * sizeof *hashes, hashes))
      return 0;
    for (guint64 i = 0; i < n; i++, last++)
      if (hashes[i] & 1)
        return (guint64)last + 1;
  }
}

static guint64
count_symbols (const Memory *memory, const Tables *tables)
{
  guint32 header[2];

  if (tables->hash != 0
      && read_all (memory, tables->hash, sizeof header, header))
    return header[1];
  return tables->gnu_hash != 0 ? count_by_gnu_hash (memory, tables->gnu_hash)
                               : 0;
}

/* NULL: not all of it could be read. */
static GBytes *
copy (const Memory *memory, guint64 address, guint64 size)
{
  guint8 *bytes;

  if (size == 0 || size > PYRO_EXPORTED_BYTES_MAX || address < memory->start
      || address > memory->limit || size > memory->limit - address)
    return NULL;
  bytes = g_malloc (size);
  if (read_all (memory, address, size, bytes))
    return g_bytes_new_take (bytes, size);
  g_free (bytes);
  return NULL;
}

PyroExportedSymbols *
pyro_exported_symbols_read (guint64 address, guint64 size, guint64 bias,
                            guint64 start, guint64 limit,
                            PyroReadMemoryFunc read, gpointer data)
{
  const Memory memory = { bias, start, limit, read, data };
  g_autoptr (GBytes) symbols = NULL;
  g_autoptr (GBytes) strings = NULL;
  PyroExportedSymbols *exported;
  Tables tables = { 0 };
  guint64 n;

  if (start > limit || !find_tables (&memory, address, size, &tables))
    return NULL;
  n = count_symbols (&memory, &tables);
  if (n > PYRO_EXPORTED_BYTES_MAX / sizeof (ElfW (Sym)))
    return NULL;
  symbols = copy (&memory, tables.symbols, n * sizeof (ElfW (Sym)));
  strings = copy (&memory, tables.strings, tables.strings_size);
  if (symbols == NULL || strings == NULL)
    return NULL;
  exported = g_new (PyroExportedSymbols, 1);
  exported->symbols = g_steal_pointer (&symbols);
  exported->strings = g_steal_pointer (&strings);
  return exported;
}

PyroExportedSymbols *
pyro_exported_symbols_copy (const PyroExportedSymbols *symbols)
{
  PyroExportedSymbols *copied = g_new (PyroExportedSymbols, 1);

  copied->symbols = g_bytes_ref (symbols->symbols);
  copied->strings = g_bytes_ref (symbols->strings);
  return copied;
}

void
pyro_exported_symbols_free (PyroExportedSymbols *symbols)
{
  if (symbols == NULL)
    return;
  g_bytes_unref (symbols->symbols);
  g_bytes_unref (symbols->strings);
  g_free (symbols);
}

gsize
pyro_exported_symbols_get_size (const PyroExportedSymbols *symbols)
{
  return g_bytes_get_size (symbols->symbols)
         + g_bytes_get_size (symbols->strings);
}
