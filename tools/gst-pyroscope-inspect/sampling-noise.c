/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sampling-noise.h"

#include <math.h>
#include <string.h>

#include "profile/profile-comments.h"
#include "selection.h"

/* Periods are uniform between 0.7 and 1.3 of the nominal one (see the
 * architecture's "dithered"): the mean of their squares is so much more than
 * the square of their mean. */
#define DITHER 1.03

static gboolean
get_counter (const PyroProfile *profile, const gchar *key, gdouble *count)
{
  const gchar *text = pyro_profile_get_comment (profile, key);
  gint64 number;

  if (text == NULL
      || !g_ascii_string_to_signed (text, 10, 0, G_MAXINT64, &number, NULL))
    return FALSE;
  *count = (gdouble)number;
  return TRUE;
}

PyroSamplingNoise
pyro_sampling_noise_of (const PyroProfile *profile, guint type)
{
  PyroSamplingNoise noise
      = { .count_type = pyro_selection_find_type (profile, "samples"),
          .together = 1 };
  const PyroValueType *of = &profile->sample_types[type];
  gdouble samples, overruns;

  if (get_counter (profile, PYRO_COMMENT_SAMPLES, &samples)
      && get_counter (profile, PYRO_COMMENT_OVERRUNS, &overruns) && samples > 0)
    noise.together = (samples + overruns) / samples;
  if (strcmp (of->type, profile->period_type.type) == 0
      && strcmp (of->unit, profile->period_type.unit) == 0)
    noise.worth = (gdouble)MAX (profile->period, 0);
  noise.is_known = noise.count_type >= 0 || noise.worth > 0;
  return noise;
}

gdouble
pyro_sampling_noise_variance (const PyroSamplingNoise *noise,
                              const PyroSample *sample, guint type)
{
  gdouble value = fabs ((gdouble)sample->values[type]);
  gdouble count;

  if (!noise->is_known)
    return 0;
  if (noise->count_type < 0)
    return value * noise->worth * noise->together * DITHER;
  count = fabs ((gdouble)sample->values[noise->count_type]);
  /* What was read from a clock has no samples, and no noise. */
  return count > 0 ? value * value / count * noise->together * DITHER : 0;
}
