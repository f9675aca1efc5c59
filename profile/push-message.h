/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the request that pushes one profile to a Pyroscope server.
 * Owner: results belong to the caller.
 * Threads: any; no state.
 */
#pragma once

#include "profile/profile-types.h"

G_BEGIN_DECLS

/* The serialized push.v1.PushRequest of one series with one PPROF profile
 * (plain or gzipped). SERIES: the labels of the series; the server wants
 * "__name__" among them, no name twice, and refuses the request otherwise.
 * Labels whose value is NULL or empty are left out; strings that are not UTF-8
 * are made so. ID may be NULL; it tells profiles apart in the server's log and
 * does not deduplicate. Body of a POST with Content-Type application/proto.
 * (transfer full) */
GBytes *pyro_push_request_encode (const PyroLabel *series, guint n_series,
                                  GBytes *pprof, const gchar *id);

/* Whether REQUEST is one as this makes it, with a gzipped profile, to its last
 * byte. */
gboolean pyro_push_request_is_whole (GBytes *request);

G_END_DECLS
