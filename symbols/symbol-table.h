/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the functions of an ELF file by address, from its symbol tables.
 * Owner: the table keeps copies, no file. Threads: filled by one thread,
 * read-only afterwards.
 */
#pragma once

#include "symbols/elf-file.h"
#include "symbols/exported-symbols.h"

G_BEGIN_DECLS

typedef struct _PyroSymbolTable PyroSymbolTable;

PyroSymbolTable *pyro_symbol_table_new (void);
void pyro_symbol_table_free (PyroSymbolTable *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PyroSymbolTable, pyro_symbol_table_free)

/* Adds the functions of FILE's .symtab and .dynsym that have a size: the
 * name of a symbol without one would have to be guessed for every address
 * behind it. With EXCEPT_WEAK, no weak symbols. A damaged table adds nothing
 * and is told by g_info(). */
void pyro_symbol_table_add (PyroSymbolTable *table, PyroElfFile *file,
                            gboolean except_weak);

/* The same from a loaded module's memory. */
void pyro_symbol_table_add_exported (PyroSymbolTable *table,
                                     const PyroExportedSymbols *exported);

/* Sorts. To be called once, after the last pyro_symbol_table_add(). */
void pyro_symbol_table_finish (PyroSymbolTable *table);

/* The name, as it stands in the file but without a "@VERSION", of the function
 * whose size covers ADDRESS; of several, the one that starts closest before
 * it. NULL if there is none. Belongs to the caller (g_free). */
gchar *pyro_symbol_table_lookup (const PyroSymbolTable *table, guint64 address);

/* Where the last function before ADDRESS ends, which none covers; 0 if there is
 * none, or if one does. */
guint64 pyro_symbol_table_find_end_before (const PyroSymbolTable *table,
                                           guint64 address);

G_END_DECLS
