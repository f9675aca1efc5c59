/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: copies samples of a profile that was read into a builder, with just
 * the locations, functions and mappings that they use.
 * Owner: both source and target are borrowed and outlive the copy.
 * Threads: as the builder's.
 */
#pragma once

#include "profile/profile-builder.h"
#include "profile/profile.h"

G_BEGIN_DECLS

typedef struct _PyroProfileCopy PyroProfileCopy;

PyroProfileCopy *
pyro_profile_copy_new (const PyroProfile *source, PyroProfileBuilder *target);
void pyro_profile_copy_free (PyroProfileCopy *copy);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PyroProfileCopy, pyro_profile_copy_free)

/* SAMPLE is one of the source's. */
void pyro_profile_copy_sample (PyroProfileCopy *copy, const PyroSample *sample);

/* The serialized profile of the samples FIRST up to, not including, END, with
 * the comments and times of PROFILE, begun SHIFT_NS later and as much shorter;
 * the counters among the comments ("stats.") only if WITH_STATS. (transfer
 * full) */
GBytes *
pyro_profile_encode_range (const PyroProfile *profile, gsize first, gsize end,
                           gint64 shift_ns, gboolean with_stats);

G_END_DECLS
