/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the loaded libraries: which one an address belongs to, and which ones
 * a library links (DT_NEEDED).
 * Owner: one table for the process, which is never changed but replaced whole;
 * the one before is freed when nobody reads it any more.
 * Threads: any. Whoever reads waits for nobody, so it may be done inside
 * pthread_create(), whatever its caller has locked.
 */
#pragma once

#include <glib.h>

#include "module-selection.h"

G_BEGIN_DECLS

/* What the library of a thread's start routine says about who made it. */
typedef enum {
  PYRO_LIBRARY_PLAIN,
  PYRO_LIBRARY_PROGRAM,      /* the application: it may work for anybody */
  PYRO_LIBRARY_OPENMP,       /* likewise */
  PYRO_LIBRARY_GLIB,         /* the argument is a GThread */
  PYRO_LIBRARY_CXX,          /* the argument is a C++ object */
  PYRO_LIBRARY_PROCESS_WIDE, /* GStreamer's own, GIO's: nobody's */
} PyroLibraryKind;

typedef struct {
  guintptr start, limit;
  const gchar *name; /* as pyro_library_name(); "": program */
  PyroLibraryKind kind;
  guint team; /* as pyro_teams_find() */
} PyroLibrary;

typedef struct _PyroLibraries PyroLibraries;

/* Reads what is loaded, if that has changed; of a module that is still there,
 * what was read before holds. Allocates; takes the loader's lock. Other threads
 * may do so at the same time. AS_GUEST: on a thread of the application's; while
 * the process forks, nothing is done. */
void pyro_libraries_refresh (gboolean as_guest);

/* The modules of SET are in the table when this returns, whatever other threads
 * do, and nothing else is looked at. */
void pyro_libraries_add (const PyroModuleSelection *set);

/* The table as it is now, until the matching leave; NULL: it was never read. */
const PyroLibraries *pyro_libraries_enter (void);
void pyro_libraries_leave (void);

/* No two tables have the same number. */
guint64 pyro_libraries_get_serial (const PyroLibraries *libraries);

/* NULL: none. */
const PyroLibrary *
pyro_libraries_find (const PyroLibraries *libraries, guintptr address);

/* NAME is one of pyro_library_name(). */
const PyroLibrary *
pyro_libraries_find_name (const PyroLibraries *libraries, const gchar *name);

/* The file of an element's plugin; NAME "": the program. */
const PyroLibrary *
pyro_libraries_find_plugin (const PyroLibraries *libraries, const gchar *name);

/* FUNC for each library, until it returns FALSE. */
typedef gboolean (*PyroLibraryFunc) (const PyroLibrary *library, gpointer data);
void pyro_libraries_foreach (const PyroLibraries *libraries,
                             PyroLibraryFunc func, gpointer data);

/* LIBRARY needs OTHER, or is it. DIRECTLY: not only through other libraries. */
gboolean pyro_libraries_links (const PyroLibraries *libraries,
                               const PyroLibrary *library,
                               const PyroLibrary *other, gboolean directly);

/* The library that ADDRESS is in, and those that it needs and that came with
 * it, after the loader had added BEGIN modules (module-selection.h), were
 * loaded for the element of the label word LOADER: threads that their
 * constructors make are its own. */
void
pyro_libraries_set_loader (guintptr address, guint64 begin, guint64 loader);

/* That label word; 0: not known, or it makes threads for others, too. */
guint64 pyro_libraries_get_loader (const PyroLibrary *library);

/* A thread of LIBRARY's has this owner's label word, or 0. */
void pyro_libraries_note_owner (const PyroLibrary *library, guint64 owner);

/* The name of the file at PATH, as in PyroLibrary: the same pointer for the
 * same name. Waits for nobody. */
const gchar *pyro_library_name (const gchar *path);

G_END_DECLS
