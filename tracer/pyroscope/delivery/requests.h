/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the requests that push one profile: one for each part that it has to be
 * cut into. Their bytes stay the same, however often they are sent.
 * Owner: results belong to the caller.
 * Threads: no state but the random numbers, which are the caller's.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* PPROF: the profile, not compressed; COMPRESSED: the same, or NULL. SERIES: an
 * array of PyroLabel, "__name__" among them. GBytes, one at least; NULL with an
 * error where PPROF is not a profile. (transfer full) */
GPtrArray *
pyro_requests_new (const GArray *series, GBytes *pprof, GBytes *compressed,
                   GRand *random, GError **error);

G_END_DECLS
