/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: rewrites what loaded modules import: calls of a function go to a
 * wrapper of ours.
 * Owner: nothing is kept of a module but its base address. Slots are never
 * written back: the wrappers stay, and pass calls through.
 * Threads: any; one pass at a time.
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

G_BEGIN_DECLS

typedef struct {
  const gchar *name; /* of the symbol */
  gpointer original; /* what our own module has got for it */
  gpointer wrapper;
  /* If it is set: only in the library of this name (the beginning of its
   * SONAME), and only if that has no run path, which a call from elsewhere
   * would not follow. */
  const gchar *importer;
} PyroImport;

typedef struct {
  guint rewritten; /* slots */
  guint foreign;   /* slots with another tool's wrapper */
  guint refused;   /* slots whose memory could not be made writable */
} PyroImportsResult;

/* Goes through all modules that may have something left to rewrite; counts are
 * added to RESULT. IMPORTS must always be the same. */
void pyro_imports_rewrite (const PyroImport *imports, guint n_imports,
                           PyroImportsResult *result);

/* Modules came since the last pass, or one was not complete: 0.1 us to 0.6 us
 * to find out. */
gboolean pyro_imports_wants_pass (void);

/* After fork(), in the child: whoever made a pass does not exist there. */
void pyro_imports_fork_child (void);

G_END_DECLS
