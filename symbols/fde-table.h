/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: where functions start, from the frame description entries (FDEs) of
 * .eh_frame, which stripped libraries keep. Owner: keeps a copy, no file.
 * Threads: read-only once made.
 */
#pragma once

#include "symbols/elf-file.h"
#include "symbols/range-map.h"

G_BEGIN_DECLS

typedef struct _PyroFdeTable PyroFdeTable;

/* Never NULL; empty if FILE has no usable .eh_frame. Only the address ranges
 * are read, the unwind programs are not run. */
PyroFdeTable *pyro_fde_table_new (PyroElfFile *file);
void pyro_fde_table_free (PyroFdeTable *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PyroFdeTable, pyro_fde_table_free)

/* Sets START to the first address of the FDE that covers ADDRESS. */
gboolean pyro_fde_table_lookup (const PyroFdeTable *table, guint64 address,
                                guint64 *start);

/* All of them, by their start. */
guint pyro_fde_table_get_size (const PyroFdeTable *table);
const PyroRange *pyro_fde_table_get (const PyroFdeTable *table, guint index);

/* The index of the last one that starts at or before ADDRESS, if it covers it;
 * else -1. However many lie inside each other, this is fast. */
gint pyro_fde_table_find (const PyroFdeTable *table, guint64 address);

/* As pyro_range_map_find_gap() does. */
gboolean pyro_fde_table_find_gap (const PyroFdeTable *table, guint64 address,
                                  guint64 *start, guint64 *end);

G_END_DECLS
