/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: how uncertain sums of samples are, from what a profile says of its
 * sampling.
 * Owner: borrows the profile.
 * Threads: any; no state.
 *
 * Samples come one by one, so their number in any part of the profile scatters
 * as Poisson's: the variance of a sum is the sum of the squares of what each
 * sample was worth. Expirations of a timer that the kernel noticed together are
 * one sample, which is worth more.
 */
#pragma once

#include "profile/profile.h"

G_BEGIN_DECLS

typedef struct {
  gboolean is_known; /* FALSE: nothing is known of the sampling */
  gint count_type;   /* of "samples", or -1 */
  gdouble worth;     /* of one sample, where there is no such type */
  gdouble together;  /* expirations in one sample, on average */
} PyroSamplingNoise;

PyroSamplingNoise
pyro_sampling_noise_of (const PyroProfile *profile, guint type);

/* What SAMPLE adds to the variance of a sum of TYPE. */
gdouble pyro_sampling_noise_variance (const PyroSamplingNoise *noise,
                                      const PyroSample *sample, guint type);

G_END_DECLS
