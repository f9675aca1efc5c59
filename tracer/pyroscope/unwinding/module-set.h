/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: every module that was ever found: one object for each identity.
 * Owner: the set owns its modules, as long as it is there.
 * Threads: the collector's; modules are immutable, so that any thread may read
 * them.
 */
#pragma once

#include "loader.h"
#include "modules.h"

G_BEGIN_DECLS

typedef struct _PyroModuleSet PyroModuleSet;

PyroModuleSet *pyro_module_set_new (void);
void pyro_module_set_free (PyroModuleSet *set);

/* The module of that identity, made at its first sight. Takes PATH and
 * BUILD_ID. */
PyroModule *
pyro_module_set_intern (PyroModuleSet *set, gchar *path, gchar *build_id,
                        guint64 bias, guint64 start, guint64 limit,
                        guint64 file_offset);

/* The same for SEGMENT of what the loader has loaded. */
PyroModule *pyro_module_set_intern_segment (PyroModuleSet *set,
                                            const PyroLoadedModule *loaded,
                                            const PyroLoadSegment *segment);

/* The module with this id, or NULL. */
PyroModule *pyro_module_set_get (PyroModuleSet *set, guint id);

G_END_DECLS
