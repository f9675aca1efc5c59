/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: inputs that nobody wrote, out of some that somebody did.
 * Owner: the caller owns everything.
 * Threads: one.
 */
#pragma once

#include <glib.h>

/* What is appended keeps to so many bytes. */
#define PYRO_MANGLE_MAX_BYTES (1 << 20)

/* Changes BYTES in some places: bits, bytes, numbers, pieces that are moved,
 * missing, repeated or (from OTHER, which may be BYTES) put in. */
void pyro_mangle (GRand *rand, GByteArray *bytes, const GByteArray *other);

/* One byte of noise: anything, or a value at some limit of a format. */
guint8 pyro_mangle_noise (GRand *rand);
