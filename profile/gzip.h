/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: gzip and back, the latter with a limit.
 * Owner: results belong to the caller.
 * Threads: any; no state.
 */
#pragma once

#include "profile/profile-error.h"

G_BEGIN_DECLS

/* (transfer full) */
GBytes *pyro_gzip (GBytes *bytes);

/* Whether BYTES begin as a gzip stream does (RFC 1952). */
gboolean pyro_is_gzip (GBytes *bytes);

/* Unpacks all members. NULL with a PYRO_PROFILE_ERROR where BYTES are no gzip
 * stream (NOT_A_PROFILE), its end is missing (TRUNCATED), it is damaged
 * (INVALID), or it unpacks to more than MAX_SIZE bytes (TOO_LARGE; no more
 * than that is ever held). (transfer full) */
GBytes *pyro_gunzip (GBytes *bytes, gsize max_size, GError **error);

G_END_DECLS
