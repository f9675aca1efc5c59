/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: rewrites what loaded modules import: calls of a function go to a
 * wrapper of ours.
 * Owner: of a module its mark is kept, and the place of one slot. Slots are
 * never written back: the wrappers stay, and pass calls through.
 * Threads: any; one pass at a time, and nobody waits for another one's.
 *
 * All is done inside the dl_iterate_phdr callback, so that no module goes away
 * meanwhile. A slot is written with one compare-and-swap, and only where it
 * holds the function itself or, not bound yet, an address of its own module:
 * other tools' wrappers stay. Where the page is read-only (RELRO), it is made
 * writable for the store; a page that is writable stays so, because the loader
 * may be in the middle of relocating the module.
 */
#pragma once

#include <glib.h>

#include "module-selection.h"

G_BEGIN_DECLS

typedef struct {
  const gchar *name; /* of the symbol */
  gpointer original; /* what our own module has got for it */
  gpointer wrapper;
  /* If it is set: only in modules that have no run path, which a call from
   * elsewhere would not follow; and only in the library of this name (the
   * beginning of its SONAME), if it is not "". The first one that fits. */
  const gchar *importer;
} PyroImport;

typedef struct {
  guint rewritten;   /* slots */
  guint foreign;     /* slots with another tool's wrapper */
  guint refused;     /* slots whose memory could not be made writable */
  guint looked_at;   /* modules */
  gboolean all_seen; /* each module was looked at */
} PyroImportsResult;

/* A thread of the application's is done with so many relocations in less than
 * a millisecond. */
#define PYRO_IMPORTS_BRIEFLY 32768

/* Goes through all modules that may have something left to rewrite, the
 * loader's lock let go again and again; counts are added to RESULT. IMPORTS
 * must always be the same. Where nothing was loaded since, that is one look at
 * the loader's counters. BUDGET: it ends after so many relocations; 0: it is
 * the collector's, and ends when all is done. FALSE: something is left, or
 * another thread, which is in the middle of a pass, will do it. */
gboolean pyro_imports_rewrite (const PyroImport *imports, guint n_imports,
                               guint budget, PyroImportsResult *result);

/* Goes through the modules of SET alone, whatever other threads do: they are
 * done when this returns, but for slots that are bound later. */
void pyro_imports_rewrite_set (const PyroImport *imports, guint n_imports,
                               const PyroModuleSelection *set,
                               PyroImportsResult *result);

/* In the child of a fork(): whoever made a pass does not exist there. */
void pyro_imports_fork_child (void);

G_END_DECLS
