/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: finds and copies the .eh_frame of a loaded module.
 * Owner: the copy is the caller's.
 * Threads: the collector's.
 */
#pragma once

#include "loader.h"

G_BEGIN_DECLS

/* The bytes from the start of MODULE's .eh_frame to the end of the segment that
 * holds it (the section itself ends with a zero length), or NULL if it has
 * none. *ADDRESS is where they stand. */
GBytes *pyro_eh_frame_copy (const PyroLoadedModule *module, guint64 *address);

G_END_DECLS
