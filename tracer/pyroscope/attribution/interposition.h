/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: which functions of others go to wrappers of ours, and when the loaded
 * modules are looked through for calls of them.
 * Owner: once begun it lasts until the process ends; wrappers only pass
 * through while no session runs.
 * Threads: any, but not inside one of the wrapped functions; the tick is the
 * collector's. Threads of the application's wait for nobody: what another
 * thread has loaded, the collector goes through.
 */
#pragma once

#include <glib.h>

#include "imports.h"

G_BEGIN_DECLS

/* Further functions, of others than this component's. Once, before it is begun;
 * IMPORTS are kept. */
void pyro_interposition_add (const PyroImport *imports, guint n);

/* Rewrites what is loaded, and from now on what is loaded by GModule, before
 * its g_module_open() returns. It takes less than a millisecond: what is left
 * then, a thread of its own does, which ends. Once; then nothing is left to do.
 */
void pyro_interposition_begin (void);

/* An element of the plugin at PATH (NULL: it is the program's) is about to
 * work, and may make threads: what is left of its plugin, and of the libraries
 * that it needs, this thread does, whatever others do. */
void pyro_interposition_use (const gchar *path);

/* Nothing of that is left; or it was not begun. */
gboolean pyro_interposition_is_complete (void);

/* If modules came, as far as that can be seen without the loader's lock: asks
 * the collector to look at once. */
void pyro_interposition_look (void);

/* How it is asked: FUNC wakes the collector, which then ticks. NULL: nobody is
 * there. FUNC may be called a moment later still. */
void pyro_interposition_set_collector (void (*func) (void));

/* Rewrites what came since, if it was begun, and reads the table of libraries
 * again. Else it is two looks at the loader's counters. */
void pyro_interposition_tick (void);

/* In the child of a fork(): what a thread that is not there was in the middle
 * of has ended. Nothing is to be done before it: nobody waits for a lock here.
 */
void pyro_interposition_fork_child (void);

G_END_DECLS
