/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: source lines and inlined functions by address, from one file's DWARF.
 * Owner: it keeps the DWARF in memory, without a descriptor, until freed.
 * Threads: one at a time.
 */
#pragma once

#include "symbols/debug-file.h"
#include "symbols/elf-file.h"

G_BEGIN_DECLS

typedef struct _PyroDebugInfo PyroDebugInfo;

typedef struct {
  const gchar *name;      /* the linker's where there is one; NULL: unknown */
  const gchar *filename;  /* or NULL; may be relative to... */
  const gchar *directory; /* where the compiler ran, or NULL */
  gint line;              /* 0: unknown */
  gint start_line;        /* of the function, 0: unknown */
} PyroSourceFrame;

/* Whether FILE holds DWARF (not only the headers of what was taken out). */
gboolean pyro_debug_info_exists (PyroElfFile *file);

/* Reads all of FILE's DWARF, which is taken over, closed for reading, and
 * closed with the result. What FILE shares with another file (dwz) is looked
 * for as pyro_debug_file_find_alternate() says. NULL if it cannot be read, is
 * too large, or is incomplete. */
PyroDebugInfo *
pyro_debug_info_new (PyroElfFile *file, const PyroDebugPlaces *places);
void pyro_debug_info_free (PyroDebugInfo *info);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PyroDebugInfo, pyro_debug_info_free)

/* Bytes of DWARF in memory, unpacked. What libdw makes of it for the units
 * that were looked into comes on top. */
guint64 pyro_debug_info_get_size (const PyroDebugInfo *info);

/* Appends to FRAMES, of PyroSourceFrame, the functions at ADDRESS, innermost
 * inlined one first; nothing if nothing is known. The last frame's name may be
 * NULL, if only a line is known. Strings belong to INFO. */
void
pyro_debug_info_lookup (PyroDebugInfo *info, guint64 address, GArray *frames);

G_END_DECLS
