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
#include "unwind.h"

G_BEGIN_DECLS

typedef struct _PyroModules PyroModules;
typedef struct _PyroUnwindTables PyroUnwindTables;

/* One executable segment of one loaded file. Immutable once found; lives as
 * long as the PyroModules, so that (module, address) stays valid after a
 * dlclose. A file mapped again at the same place is the same module. */
typedef struct {
  guint id;             /* small, dense, from 0 */
  gchar *path;          /* as the loader has it; "[vdso]" for the vDSO */
  gchar *build_id;      /* lower-case hex, or NULL */
  guint64 bias;         /* run-time address - file's virtual address */
  guint64 start, limit; /* run-time addresses of the executable segment */
  guint64 file_offset;  /* of START */
} PyroModule;

/* WITH_TABLES: also compile unwind tables and publish them. */
PyroModules *pyro_modules_new (gboolean with_tables);
void pyro_modules_free (PyroModules *modules);

/* Looks whether modules came or went (cheap if not: one counter of the
 * loader) and if so compiles and publishes. Holds the loader's lock only for
 * short copies, never while compiling. Returns TRUE if something changed. */
gboolean pyro_modules_refresh (PyroModules *modules);

/* The module that holds the run-time address PC now, or NULL. */
const PyroModule *pyro_modules_find (PyroModules *modules, guintptr pc);

/* The tables in force; what the handler passes to the walk. Never NULL once
 * the first refresh is done with tables, else NULL. Handler-safe. */
const PyroUnwindTables *pyro_modules_published (void);

/* Frees tables that were replaced, if IS_QUIESCENT tells that every handler
 * that could hold them has returned since (the sampling room knows). */
void pyro_modules_reclaim (PyroModules *modules,
                           gboolean (*is_quiescent) (gpointer data),
                           gpointer data);

/* Around fork(): the loader's lock must not be held by a thread that will be
 * missing in the child. prepare waits for a copy in progress, at most 100 ms. */
void pyro_modules_fork_prepare (void);
void pyro_modules_fork_done (gboolean in_child);

G_END_DECLS
