/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: a module's unwind table, compiled from the CFI in its memory or file.
 * Owner: tables are counted; the collector alone counts.
 * Threads: the collector's.
 */
#pragma once

#include "loader.h"
#include "modules.h"
#include "rule-set.h"
#include "tables.h"

G_BEGIN_DECLS

/* A table that several snapshots refer to. */
typedef struct {
  gint ref_count;
  PyroTable *table;          /* NULL: no CFI */
  guint8 *call_sites;        /* NULL: nobody has asked, or they cannot be had */
  gboolean call_sites_known; /* asked for */
} PyroSharedTable;

/* A GDestroyNotify; NULL is nothing. */
void pyro_shared_table_unref (gpointer shared);

/* The CFI of one module of the loader's; zero at first. */
typedef struct {
  gboolean eh_frame_known, debug_frame_known; /* looked for already */
  GBytes *eh_frame, *debug_frame;             /* or NULL */
  guint64 address;                            /* of EH_FRAME */
} PyroModuleSections;

void pyro_module_sections_clear (PyroModuleSections *sections);

/* The table of MODULE, one segment of LOADED, whose SECTIONS are read where
 * they were not yet. Counts are added to TOTALS. */
PyroSharedTable *
pyro_module_compile (const PyroLoadedModule *loaded, const PyroModule *module,
                     PyroModuleSections *sections, PyroRuleSet *rules,
                     PyroModulesStatistics *totals);

G_END_DECLS
