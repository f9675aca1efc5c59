/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: names for addresses in ELF files, read from the files on disk.
 * Owner: the symbolizer owns every string it returns, until it is freed.
 * Threads: one symbolizer belongs to one thread at a time; never the signal
 * handler, never a pipeline's thread: it reads files.
 */
#pragma once

#include "symbols/debug-file.h"
#include "symbols/exported-symbols.h"
#include "symbols/time-limit.h"

G_BEGIN_DECLS

typedef struct _PyroSymbolizer PyroSymbolizer;

/* Where a name comes from. */
typedef enum {
  PYRO_NAME_NONE,      /* it says only where the code is */
  PYRO_NAME_POSTPONED, /* the same: there was no time to look for a name */
  PYRO_NAME_SYMBOL,    /* a symbol table, or debug information */
  PYRO_NAME_STATEMENT, /* debug statements in the code (statement-names.h) */
  PYRO_NAME_PROGRAM, /* the same; code that ORC generates for it has its name */
} PyroNameOrigin;

typedef struct {
  /* All of it is UTF-8. */
  const gchar *name;        /* for people: demangled where it was mangled */
  const gchar *system_name; /* as in the symbol table; NULL: same as name;
                             * with the last two origins, "library!0xoffset" */
  const gchar *filename;    /* source file, or NULL */
  gint line;                /* 0: unknown */
  gint start_line;          /* of the function, 0: unknown */
  PyroNameOrigin origin;
} PyroSymbol;

PyroSymbolizer *pyro_symbolizer_new (void);
void pyro_symbolizer_free (PyroSymbolizer *symbolizer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PyroSymbolizer, pyro_symbolizer_free)

/* Where to look for separate debug files: directories with ':' between them;
 * NULL: /usr/lib/debug. With SYSROOT (or NULL) the process's files are those
 * below it, if they are there, and its /usr/lib/debug comes last. To be called
 * before the first look-up. */
void pyro_symbolizer_set_debug_path (PyroSymbolizer *symbolizer,
                                     const gchar *path, const gchar *sysroot);

/* Asks FUNC for debug files that are in none of these places. To be called
 * behind pyro_symbolizer_set_debug_path(). */
void pyro_symbolizer_set_fetch_func (PyroSymbolizer *symbolizer,
                                     PyroDebugFetchFunc func, gpointer data);

/* How many bytes of DWARF are kept in memory, of all files together; 256 MiB
 * if this is not called. Past it the file that was not asked for longest is
 * let go of, and read again when it is; the last one is always kept. */
void pyro_symbolizer_set_debug_info_limit (PyroSymbolizer *symbolizer,
                                           guint64 bytes);

/* How many bytes of DWARF are in memory now. */
guint64 pyro_symbolizer_get_debug_info_bytes (const PyroSymbolizer *symbolizer);

/* Once LIMIT is over nothing more is read: what is known by then has names, and
 * what would have been read has the origin PYRO_NAME_POSTPONED, and is looked
 * for again when it is asked for while LIMIT is not over. It is asked before
 * each file, and while all of a file's code is read; to read the symbols or the
 * debug information of one file is not interrupted. */
void pyro_symbolizer_set_time_limit (PyroSymbolizer *symbolizer,
                                     const PyroTimeLimit *limit);

/* Asked for the exported symbols in memory of what was mapped from PATH, where
 * its file is gone or another one. NULL: they are gone, too. (transfer full) */
typedef PyroExportedSymbols *(*PyroExportedFunc) (const gchar *path,
                                                  const gchar *build_id,
                                                  gpointer data);
void pyro_symbolizer_set_exported_func (PyroSymbolizer *symbolizer,
                                        PyroExportedFunc func, gpointer data);

/* Names the instruction at ADDRESS (the file's own virtual address, without
 * load bias; for a return address the caller has subtracted 1).
 *
 * PATH is the file as the process mapped it, BUILD_ID (lower-case hex, or
 * NULL) what it mapped: a file whose build id is another is not used. A PATH
 * that starts with '[' ("[orc]") is its own name, but for "[vdso]": the vDSO
 * of this process.
 *
 * Sets *SYMBOLS to the frames, innermost inlined function first, and returns
 * how many (at least 1). A name is only given where it is known: inside a
 * symbol's size, or where debug statements tell (the first look-up that needs
 * these reads all of the file's code). Elsewhere the single frame is called
 * "library!0xoffset", where the offset is that of the function's start if
 * unwind information tells it; else that of the last place before ADDRESS that
 * something in the file points at, or that no function covers; else ADDRESS.
 *
 * No file stays open or mapped between calls; a file that is missing, damaged,
 * or no regular file names nothing. The array is valid until the next call; its
 * strings until the free, so that memory grows with what was ever named. */
guint pyro_symbolizer_lookup (PyroSymbolizer *symbolizer, const gchar *path,
                              const gchar *build_id, guint64 address,
                              const PyroSymbol **symbols);

G_END_DECLS
