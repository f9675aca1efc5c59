/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: which functions of others go to wrappers of ours, and when the loaded
 * modules are looked through for calls of them.
 * Owner: once begun it lasts until the process ends; wrappers only pass
 * through while no session runs.
 * Threads: any, but not inside one of the wrapped functions.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Rewrites what is loaded, and from now on what is loaded by GModule. The
 * first time took 13 to 48 ms on a busy machine. */
void pyro_interposition_begin (void);

/* If modules came since: rewrites those, too, if it was begun, and reads the
 * table of libraries again. Else it is one look at the loader's counters. */
void pyro_interposition_look (void);

/* In the child of a fork(): what a thread that is not there was in the middle
 * of has ended. Nothing is to be done before it: nobody waits for a lock here.
 */
void pyro_interposition_fork_child (void);

G_END_DECLS
