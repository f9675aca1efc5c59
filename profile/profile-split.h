/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: cuts a profile that is too big for a server into several that are not.
 * Owner: results belong to the caller.
 * Threads: any; no state.
 */
#pragma once

#include "profile/profile-error.h"

G_BEGIN_DECLS

/* A Pyroscope server's defaults: it refuses a profile above its burst of 2 MiB
 * of uncompressed pprof, whatever its rate, and one of more than 16 000
 * samples. The size keeps a distance, as the push has an envelope. */
#define PYRO_SPLIT_MAX_BYTES ((gsize)3 * 512 * 1024)
#define PYRO_SPLIT_MAX_SAMPLES 16000

/* PPROF: one serialized profile, not compressed. Parts (GBytes) of at most
 * MAX_BYTES and MAX_SAMPLES each; where it is small enough, it is itself the
 * one part. Each part stands for itself; the values of all parts add up to the
 * whole's, and so do the counters among the comments, which are all in the
 * first part. A single sample that is larger than MAX_BYTES is a part of its
 * own and remains too large. NULL with a PYRO_PROFILE_ERROR where PPROF is not
 * a profile. (transfer full)
 *
 * No two parts have both a time and a set of labels in common: a server makes
 * a series of each set, and of two rows of one series with one time its
 * compaction keeps one (measured; with times a nanosecond apart it keeps both).
 * So the parts have the time of the whole and are cut between sets; a set that
 * does not fit goes on in the next part, whose time is a nanosecond later. */
GPtrArray *pyro_profile_split (GBytes *pprof, gsize max_bytes,
                               guint max_samples, GError **error);

G_END_DECLS
