/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: what can be seen of a profile without decoding it.
 * Owner: bytes are borrowed.
 * Threads: any; no state.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Whether BYTES, not compressed, are several profiles one after the other. For
 * the format that is one, whose names are those of the first. As pprof does, it
 * is recognised by a second start time. */
gboolean pyro_profile_is_several (GBytes *bytes);

/* Start and length of the profile in BYTES (see PyroProfile), gzipped or not.
 * FALSE where they are no profile, or unpack to more than MAX_SIZE. */
gboolean pyro_profile_peek_time (GBytes *bytes, gsize max_size, gint64 *time_ns,
                                 gint64 *duration_ns);

G_END_DECLS
