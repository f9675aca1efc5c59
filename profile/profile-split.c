/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "profile/profile-split.h"

#include "profile/profile-copy.h"

typedef struct {
  const PyroProfile *profile;
  gsize max_bytes;
  guint max_samples;
  GPtrArray *parts;
} Split;

/* Halves until it fits. Samples share locations and strings, so that the size
 * of a part is only known once it is encoded. */
static void
split_range (const Split *split, gsize first, gsize end)
{
  gsize n = end - first;

  if (n <= split->max_samples || n <= 1) {
    g_autoptr (GBytes) part = pyro_profile_encode_range (
        split->profile, first, end, split->parts->len == 0);

    if (g_bytes_get_size (part) <= split->max_bytes || n <= 1) {
      g_ptr_array_add (split->parts, g_steal_pointer (&part));
      return;
    }
  }
  split_range (split, first, first + n / 2);
  split_range (split, first + n / 2, end);
}

GPtrArray *
pyro_profile_split (GBytes *pprof, gsize max_bytes, guint max_samples,
                    GError **error)
{
  /* What this process has built is not to be distrusted for its size. */
  static const PyroProfileLimits limits = { G_MAXSIZE, G_MAXSIZE };
  g_autoptr (PyroProfile) profile = pyro_profile_decode (pprof, &limits, error);
  g_autoptr (GPtrArray) parts = NULL;

  if (profile == NULL)
    return NULL;
  parts = g_ptr_array_new_with_free_func ((GDestroyNotify)g_bytes_unref);
  if (g_bytes_get_size (pprof) <= max_bytes
      && profile->n_samples <= max_samples) {
    g_ptr_array_add (parts, g_bytes_ref (pprof));
  } else {
    Split split = { profile, max_bytes, max_samples, parts };

    split_range (&split, 0, profile->n_samples);
  }
  return g_steal_pointer (&parts);
}
