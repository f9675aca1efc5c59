/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: a profile as the tracer makes it, for tests.
 * Owner: the caller owns what it gets.
 * Threads: any.
 */
#pragma once

#include "profile/profile-builder.h"

/* Sample types samples/count and cpu/nanoseconds. */
PyroProfileBuilder *example_builder_new (void);

/* N_SAMPLES samples with different stacks under one "main"; sample I has the
 * values I + 1 and (I + 1) * 10 000 000 ns and the element "e0" or "e1" by
 * turns. */
void example_add_samples (PyroProfileBuilder *builder, guint n_samples);

/* Both, at TIME_NS for 10 s, with the counters stats.samples = N_SAMPLES and
 * stats.dropped = 1. */
GBytes *example_encode (guint n_samples, gint64 time_ns);
