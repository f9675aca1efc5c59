/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: makes one profile of many that have the same types.
 * Owner: the merger copies what it keeps; a profile may go once it was added.
 * Threads: one merger belongs to one thread at a time; no global state.
 */
#pragma once

#include "profile/profile.h"

G_BEGIN_DECLS

typedef struct _PyroProfileMerger PyroProfileMerger;

PyroProfileMerger *pyro_profile_merger_new (void);
void pyro_profile_merger_free (PyroProfileMerger *merger);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PyroProfileMerger, pyro_profile_merger_free)

/* Whether both have the same sample types, in the same order, and the same
 * period type. */
gboolean pyro_profile_has_types_of (const PyroProfile *a, const PyroProfile *b);

/* Whether PROFILE has the same sample types, in the same order, and the same
 * period type as those before it. The first one always has. */
gboolean pyro_profile_merger_accepts (PyroProfileMerger *merger,
                                      const PyroProfile *profile);

/* FALSE with PYRO_PROFILE_ERROR_INCOMPATIBLE, and nothing added, where it is
 * not accepted. */
gboolean pyro_profile_merger_add (PyroProfileMerger *merger,
                                  const PyroProfile *profile, GError **error);

guint pyro_profile_merger_get_n_profiles (PyroProfileMerger *merger);

/* The sum, serialized, not compressed; NULL where nothing was added. Once, at
 * the end. Samples
 * with the same stack and labels are one. The period is the largest. The start
 * is the earliest; the duration is the time that the profiles cover together,
 * so that parts of one interval, and processes profiled at the same time, do
 * not count twice. The counters among the comments ("stats.") are summed, of
 * other equal comments one remains. (transfer full) */
GBytes *pyro_profile_merger_finish (PyroProfileMerger *merger);

G_END_DECLS
