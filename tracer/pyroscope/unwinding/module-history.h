/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: which modules were loaded when, as far back as samples may reach that
 * were not read yet.
 * Owner: the history owns its lists; modules are borrowed and live longer.
 * Threads: the collector's.
 */
#pragma once

#include "modules.h"

G_BEGIN_DECLS

typedef struct _PyroModuleHistory PyroModuleHistory;

PyroModuleHistory *pyro_module_history_new (void);
void pyro_module_history_free (PyroModuleHistory *history);

/* What was loaded while the count of unloads was EPOCH. */
typedef struct {
  guint32 epoch;
  guint32 generation; /* of the tables that were published for it, or 0 */
  /* All that was loaded then is in MODULES, and whatever was in its place was
   * it. */
  gboolean is_certain;
  GPtrArray *modules; /* sorted by address, disjoint */
  /* Those of them that may have been loaded since the period before, even if
   * they were in that one, too; NULL: none. */
  GPtrArray *fresh;
} PyroModulePeriod;

/* Takes the two arrays of PERIOD. */
void pyro_module_history_add (PyroModuleHistory *history,
                              const PyroModulePeriod *period);

/* The module that held PC at MOMENT, or NULL; *IN_DOUBT: there was one, but it
 * cannot be known which. */
const PyroModule *
pyro_module_history_find (const PyroModuleHistory *history, guintptr pc,
                          PyroModuleMoment moment, gboolean *in_doubt);

/* Whether the tables of MOMENT had another module than MODULE, or NULL, at PC:
 * then they have led astray. */
gboolean pyro_module_history_was_misled (const PyroModuleHistory *history,
                                         guintptr pc, PyroModuleMoment moment,
                                         const PyroModule *module);

/* The last list that is not later than EPOCH, borrowed, or NULL. */
GPtrArray *
pyro_module_history_get (const PyroModuleHistory *history, guint32 epoch);
/* No sample is older than that any more. */
void pyro_module_history_forget (PyroModuleHistory *history, guint32 epoch);

/* The module of such a list that holds PC, or NULL. */
const PyroModule *pyro_module_list_find (GPtrArray *modules, guintptr pc);

G_END_DECLS
