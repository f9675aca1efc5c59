/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: where routines begin that have neither a symbol nor call frame
 * information, as assembly in codecs: where something in the file points.
 * Owner: keeps copies, no file. Threads: read-only once made.
 */
#pragma once

#include "symbols/elf-file.h"
#include "symbols/fde-table.h"
#include "symbols/symbol-table.h"
#include "symbols/time-limit.h"

G_BEGIN_DECLS

typedef struct _PyroEntryPoints PyroEntryPoints;

/* Reads FILE's code and relocations, if it has code that FDES do not describe.
 * NULL: LIMIT was over before. On other machines than x86_64 only relocations
 * point. */
PyroEntryPoints *
pyro_entry_points_new (PyroElfFile *file, const PyroFdeTable *fdes,
                       const PyroTimeLimit *limit);
void pyro_entry_points_free (PyroEntryPoints *entries);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PyroEntryPoints, pyro_entry_points_free)

/* Sets START to where the routine at ADDRESS begins: the last place before it
 * that is pointed at, or has a symbol, or that comes behind a function which
 * FDES or SYMBOLS (those of the same file) describe, or with which the section
 * begins. FALSE: ADDRESS is no code, or one of FDES describes it. */
gboolean pyro_entry_points_lookup (const PyroEntryPoints *entries,
                                   const PyroFdeTable *fdes,
                                   const PyroSymbolTable *symbols,
                                   guint64 address, guint64 *start);

G_END_DECLS
