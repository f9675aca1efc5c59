/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: debug files from debuginfod servers, those of DEBUGINFOD_URLS.
 * Owner: files stay in the user's cache, which gdb and perf share. Threads:
 * main only: a request may take minutes.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _PyroDebuginfod PyroDebuginfod;

/* NULL if DEBUGINFOD_URLS is not set, or elfutils' library is not installed,
 * which is reported. */
PyroDebuginfod *pyro_debuginfod_new (void);
void pyro_debuginfod_free (PyroDebuginfod *debuginfod);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PyroDebuginfod, pyro_debuginfod_free)

/* A PyroDebugFetchFunc; DATA is a PyroDebuginfod. Each build id is asked for
 * once; after a server has failed (but for not having a file) none is asked
 * for, which is reported. */
gchar *pyro_debuginfod_fetch (const gchar *build_id, gpointer data);

/* How many files there were. */
guint pyro_debuginfod_get_n_found (const PyroDebuginfod *debuginfod);

G_END_DECLS
