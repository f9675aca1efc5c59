/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the loaded modules as they were read: where they are, what they are
 * called and what they need.
 * Owner: a list has references to its modules, which lists share; a module does
 * not change, but for its loader.
 * Threads: any; a list has one owner.
 */
#pragma once

#include "libraries.h"
#include "module-mark.h"

G_BEGIN_DECLS

typedef struct {
  PyroLibrary library; /* the first member */
  PyroModuleMark mark;
  const gchar *soname; /* as pyro_library_name(), or NULL */
  guint64 adds;        /* of the loader, when it was read */
  guint64 loader;      /* atomic; see pyro_libraries_set_loader() */
  guint n_needed;
  const gchar *needed[]; /* as pyro_library_name() */
} PyroLibraryModule;

typedef struct {
  PyroLibraryModule **modules; /* by address */
  guint n;
  guint64 adds, subs; /* the loader's, when it was read; both 0: not known */
} PyroLibraryList;

/* All that is loaded; of a module that is in BEFORE (or NULL) and still there,
 * what was read then holds. FALSE: nothing has changed since BEFORE was read,
 * or it cannot be read now. */
gboolean
pyro_library_list_read (PyroLibraryList *list, const PyroLibraryList *before,
                        gboolean as_guest);

/* Those of SET. */
void pyro_library_list_read_set (PyroLibraryList *list,
                                 const PyroModuleSelection *set);

/* What is in BEFORE, and in ADDED, whose modules have taken the place of
 * others.
 */
void
pyro_library_list_merge (PyroLibraryList *list, const PyroLibraryList *before,
                         const PyroLibraryList *added);

void pyro_library_list_clear (PyroLibraryList *list);

/* The index of the module that ADDRESS is in, or -1. */
gint64 pyro_library_list_find (const PyroLibraryList *list, guintptr address);

G_END_DECLS
