/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whatever a capture holds, it is read or refused. See ci/fuzz; test-mangle
 * runs the same over inputs of its own. */
#include "ci/fuzz/fuzz.h"

#include "profile/profile-merge.h"
#include "profile/profile-split.h"

/* What was read can be written, merged and split, and be read again. */
static void
check_profile (PyroProfile *profile)
{
  g_autoptr (PyroProfileMerger) merger = pyro_profile_merger_new ();
  g_autoptr (GBytes) encoded = pyro_profile_encode (profile);
  g_autoptr (GError) error = NULL;
  g_autoptr (PyroProfile) again = pyro_profile_decode (encoded, NULL, &error);
  g_autoptr (GBytes) merged = NULL;
  g_autoptr (GPtrArray) parts = NULL;

  g_assert_no_error (error);
  g_assert_cmpuint (again->n_samples, <=, profile->n_samples);

  pyro_profile_merger_add (merger, profile, &error);
  g_assert_no_error (error);
  pyro_profile_merger_add (merger, again, &error);
  g_assert_no_error (error);
  merged = pyro_profile_merger_finish (merger);
  parts = pyro_profile_split (merged, g_bytes_get_size (merged) / 2 + 1, 100,
                              &error);
  g_assert_no_error (error);
  g_assert_cmpuint (parts->len, >=, 1);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static const PyroProfileLimits limits = { 1 << 20, 1 << 26 };
  g_autoptr (GBytes) bytes = g_bytes_new (data, size);
  g_autoptr (GError) error = NULL;
  g_autoptr (PyroProfile) profile
      = pyro_profile_decode (bytes, &limits, &error);

  g_assert_true ((profile == NULL) == (error != NULL));
  if (profile != NULL)
    check_profile (profile);
  return 0;
}
