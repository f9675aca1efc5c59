/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: time that a thread spends in loading a plugin is nobody's: whichever
 * element needed one is not what takes that long. It has a name of its own in
 * the place of an element's.
 * Owner: entries of the thread's node stack.
 * Threads: any, but for prepare, which waits for the registry's lock.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define PYRO_PLUGIN_LOADING "(plugin loading)"

/* Once, before the others. */
void pyro_plugin_loading_prepare (void);

/* From here on this thread loads one, until the matching end. FALSE: no session
 * runs, and there is nothing to end. */
gboolean pyro_plugin_loading_begin (void);
void pyro_plugin_loading_end (void);

G_END_DECLS
