/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the functions that a loaded module exports, copied out of memory: its
 * file may be gone, or another one by now.
 * Owner: the caller owns what is returned.
 * Threads: no state; any thread.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* What is copied of one module at most: browsers have some 2 MiB. */
#define PYRO_EXPORTED_BYTES_MAX (G_GUINT64_CONSTANT (16) << 20)

typedef struct {
  GBytes *symbols; /* the module's .dynsym: ElfW (Sym), values as in the file */
  GBytes *strings; /* its .dynstr */
} PyroExportedSymbols;

/* Reads SIZE bytes at ADDRESS into OUT; returns how many could be read. */
typedef gsize (*PyroReadMemoryFunc) (gpointer data, guint64 address, gsize size,
                                     void *out);

/* Of the module in [START, LIMIT) whose PT_DYNAMIC has SIZE bytes at ADDRESS.
 * Whatever is in its memory: nothing outside of it is read. NULL: it exports
 * nothing, or its tables make no sense. (transfer full) */
PyroExportedSymbols *
pyro_exported_symbols_read (guint64 address, guint64 size, guint64 bias,
                            guint64 start, guint64 limit,
                            PyroReadMemoryFunc read, gpointer data);
PyroExportedSymbols *
pyro_exported_symbols_copy (const PyroExportedSymbols *symbols);
void pyro_exported_symbols_free (PyroExportedSymbols *symbols);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PyroExportedSymbols, pyro_exported_symbols_free)

gsize pyro_exported_symbols_get_size (const PyroExportedSymbols *symbols);

G_END_DECLS
