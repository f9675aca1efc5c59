/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the exported symbols of loaded modules, for those whose files are gone.
 * Owner: the caller owns what is returned.
 * Threads: any that may use loader.h.
 */
#pragma once

#include "loader.h"
#include "symbols/exported-symbols.h"

G_BEGIN_DECLS

/* NULL: it has none, or is gone itself. (transfer full) */
PyroExportedSymbols *pyro_exported_read (const PyroLoadedModule *module);

/* The same for what is loaded from PATH now with the build id BUILD_ID. */
PyroExportedSymbols *
pyro_exported_find (const gchar *path, const gchar *build_id);

/* Whether the file PATH cannot be what a process that started at START (UNIX
 * time, seconds) has mapped, as far as its inode tells. */
gboolean pyro_exported_is_file_doubtful (const gchar *path, gint64 start);

/* When this process started; G_MAXINT64 where that cannot be known. */
gint64 pyro_exported_get_process_start (void);

G_END_DECLS
