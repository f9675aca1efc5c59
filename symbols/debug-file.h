/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: finds the separate file that holds an ELF file's symbols and DWARF.
 * Owner: what is returned belongs to the caller. Threads: any.
 *
 * The places are those that gdb's manual describes ("Debugging Information in
 * Separate Files"). libdwfl would do this as well, but its search ends at
 * debuginfod, which is a matter of consent and of time-outs: here it is asked
 * only by who gives a function for it, and nothing calls a dwfl function.
 */
#pragma once

#include "symbols/elf-file.h"

G_BEGIN_DECLS

/* Where distributions install debug files. */
#define PYRO_DEBUG_DIRECTORY "/usr/lib/debug"

/* Asked for the path of the debug file with BUILD_ID, which is in none of the
 * directories, or NULL. (transfer full) */
typedef gchar *(*PyroDebugFetchFunc) (const gchar *build_id, gpointer data);

/* Where debug files are. */
typedef struct {
  gchar **directories;
  gchar *sysroot;           /* where the files are of another system, or NULL */
  PyroDebugFetchFunc fetch; /* or NULL */
  gpointer fetch_data;
} PyroDebugPlaces;

/* PATH: directories with ':' between them, or NULL: PYRO_DEBUG_DIRECTORY. That
 * of SYSROOT (or NULL) comes behind those of PATH. */
PyroDebugPlaces *
pyro_debug_places_new (const gchar *path, const gchar *sysroot);
void pyro_debug_places_free (PyroDebugPlaces *places);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PyroDebugPlaces, pyro_debug_places_free)

/* Looks in each of PLACES (NULL: PYRO_DEBUG_DIRECTORY) for
 * .build-id/xx/yyyy.debug by the BUILD_ID (or NULL), then for what FILE's
 * .gnu_debuglink names: beside FILE, in .debug/ there, and under each of
 * PLACES, then asks their fetch function. FILE may be NULL, if it has gone. A
 * file is only taken if its build id or, lacking one, its checksum proves that
 * it belongs to FILE. NULL if there is none. */
PyroElfFile *pyro_debug_file_find (const PyroDebugPlaces *places,
                                   PyroElfFile *file, const gchar *build_id);

/* Looks for the file NAME with BUILD_ID that the debug file at PATH shares
 * DWARF with (.gnu_debugaltlink, as dwz makes it). */
PyroElfFile *
pyro_debug_file_find_alternate (const PyroDebugPlaces *places,
                                const gchar *path, const gchar *name,
                                const gchar *build_id);

/* The ELF file inside FILE's .gnu_debugdata (MiniDebugInfo: a symbol table,
 * compressed), or NULL. */
PyroElfFile *pyro_debug_file_open_embedded (PyroElfFile *file);

G_END_DECLS
