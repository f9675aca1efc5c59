/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: which ELF modules are loaded, where, and their unwind tables.
 * Owner: one PyroModules owns modules (also unloaded ones, as long as samples
 * may name them) and every table that it published.
 * Threads: all functions belong to the collector's thread; the handler sees
 * nothing but the published tables.
 */
#pragma once

#include <glib.h>
#include "published.h"
#include "symbols/exported-symbols.h"
#include "unwind.h"

G_BEGIN_DECLS

typedef struct _PyroModules PyroModules;

/* One executable segment of one loaded file. Immutable once found; lives as
 * long as the PyroModules, so that (module, address) stays valid after a
 * dlclose. A file mapped again at the same place is the same module; one with
 * another build id there is another. Memory that the loader does not know is a
 * module, too: "[orc]", "[anon]" (any JIT compiler), or the path of a file that
 * the program mapped itself. */
typedef struct {
  guint id;             /* small, dense, from 0 */
  gchar *path;          /* as the loader has it; "[vdso]" for the vDSO */
  gchar *build_id;      /* lower-case hex, or NULL */
  guint64 bias;         /* run-time address - file's virtual address */
  guint64 start, limit; /* run-time addresses of the executable segment */
  guint64 file_offset;  /* of START */
  /* Only where the file was gone, or may have been another one, when the module
   * was found; bounded, so that it may be NULL even then. */
  PyroExportedSymbols *exported;
} PyroModule;

typedef struct {
  guint n_segments;    /* loaded now */
  guint64 text_size;   /* bytes, of these */
  guint64 table_size;  /* bytes, of these */
  guint64 n_rows;      /* of these */
  guint n_rules;       /* that do not fit into a row, in all */
  guint n_fdes;        /* the following: since the start */
  guint n_skipped;     /* FDEs: malformed, or overlapping others */
  guint n_truncated;   /* FDEs: known in part */
  guint n_unsupported; /* rows: CFI that no rule can hold */
  guint64 compile_ns;
  guint n_retired; /* tables that wait for pyro_modules_reclaim */
} PyroModulesStatistics;

/* WITH_TABLES: also compile unwind tables and publish them. One PyroModules
 * with tables at a time. */
PyroModules *pyro_modules_new (gboolean with_tables);

/* Withdraws the published tables and frees everything: the caller sees to it
 * that no handler is running. */
void pyro_modules_free (PyroModules *modules);

/* Looks whether modules came or went (cheap if not: one counter of the
 * loader) and if so compiles and publishes. Holds the loader's lock only for
 * short copies, never while compiling. Returns TRUE if something changed. */
gboolean pyro_modules_refresh (PyroModules *modules);

/* A rescue in the module that holds PC would like to know where its calls end.
 * Copies that once, up to a bound, and publishes it. FALSE: it is in none of
 * the loader's modules. */
gboolean pyro_modules_want_call_sites (PyroModules *modules, guintptr pc);

/* The module that holds the run-time address PC now, or NULL. What the loader
 * does not know is looked up in pyro_memory_map_published (). */
const PyroModule *pyro_modules_find (PyroModules *modules, guintptr pc);

/* The module that held PC when a sample was taken, at MOMENT. NULL and
 * IN_DOUBT: a library was closed around then, and what was in its place cannot
 * be known. Looks whether modules came, where it has to. */
const PyroModule *
pyro_modules_find_at (PyroModules *modules, guintptr pc,
                      PyroModuleMoment moment, gboolean *in_doubt);

/* Whether the tables of MOMENT knew another module than MODULE at PC: what they
 * said of the callers there is wrong. */
gboolean
pyro_modules_was_misled (PyroModules *modules, guintptr pc,
                         PyroModuleMoment moment, const PyroModule *module);

/* All samples were read that were taken before a moment at which the count of
 * unloads was EPOCH (but for those that were just being written). */
void pyro_modules_drained (PyroModules *modules, guint32 epoch);

/* The module with this id, also an unloaded one; NULL if there is none. */
const PyroModule *pyro_modules_get (PyroModules *modules, guint id);

/* Frees tables that were replaced, if IS_QUIESCENT tells that every handler
 * that could hold them has returned since (the sampling room knows). */
void
pyro_modules_reclaim (PyroModules *modules,
                      gboolean (*is_quiescent) (gpointer data), gpointer data);

void pyro_modules_get_statistics (PyroModules *modules,
                                  PyroModulesStatistics *statistics);

/* Around fork(): the loader's lock must not be held by a thread that will be
 * missing in the child. prepare waits for a copy in progress, at most 100 ms.
 */
void pyro_modules_fork_prepare (void);
void pyro_modules_fork_done (gboolean in_child);

G_END_DECLS
