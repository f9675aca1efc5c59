/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: names for the frames of a stack.
 * Owner: results belong to the caller unless it says borrowed.
 * Threads: any; no state.
 */
#pragma once

#include "profile/profile.h"

G_BEGIN_DECLS

/* The function's name; its system name where it has none. Borrowed. */
const gchar *pyro_frame_function_name (const PyroFunction *function);

/* For a location without lines: "libx264.so.164!0x1234", the address alone
 * where the mapping is not known. (transfer full) */
gchar *pyro_frame_address_name (const PyroLocation *location);

/* The mapping's file, "(unknown)" where it has no name, "(none)" where there is
 * no mapping. Borrowed. */
const gchar *pyro_frame_mapping_name (const PyroLocation *location);

G_END_DECLS
