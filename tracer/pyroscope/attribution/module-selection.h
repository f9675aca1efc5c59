/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: a few of the loaded modules, so that whoever needs them looked at has
 * nothing to do with all others: those that one dlopen() has brought, or those
 * that one module needs.
 * Owner: nothing; the loader's list is read.
 * Threads: any; they wait for the loader's lock, as dlopen() does, and for
 * nothing of ours.
 */
#pragma once

#include <link.h>

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  /* The last N_NEWEST of the loader's list, those that came since it had added
   * BEGIN. */
  guint n_newest;
  guint64 begin;
  /* Or, if that is 0: the module of the file ROOT ("": the program) and what it
   * needs, the nearest first, so many at most. */
  const gchar *root;
  guint n_with_needed;
} PyroModuleSelection;

/* How many modules the loader has added so far; 0: it does not say, or the
 * process forks. */
guint64 pyro_module_selection_begin (void);

/* Those that came since the loader had added BEGIN, and perhaps a few more if
 * others load meanwhile. FALSE: there is none. */
gboolean pyro_module_selection_newest (PyroModuleSelection *set, guint64 begin);

/* dl_iterate_phdr() for these. FALSE: not now, the process forks. FUNC must not
 * allocate. */
gboolean pyro_module_selection_iterate (const PyroModuleSelection *set,
                                        int (*func) (struct dl_phdr_info *,
                                                     size_t, void *),
                                        gpointer data);

G_END_DECLS
