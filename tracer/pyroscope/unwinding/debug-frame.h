/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the .debug_frame of a module: CFI that is in its file, or in its
 * separate debug file, but not in memory.
 * Owner: the copy is the caller's.
 * Threads: the collector's.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The section of the ELF file at PATH, decompressed, or NULL if it has none, is
 * gone, or has another BUILD_ID (lower-case hex) than the module in memory. At
 * most 256 MiB. No lock is held, no file stays open. */
GBytes *pyro_debug_frame_read (const gchar *path, const gchar *build_id);

G_END_DECLS
