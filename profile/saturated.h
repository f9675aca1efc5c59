/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: sums that stop at the ends of their range instead of wrapping.
 * Owner: none.
 * Threads: any; no state.
 *
 * Values come from files, and a sum that wraps lies about its sign, too.
 */
#pragma once

#include <glib.h>

static inline gint64
pyro_saturated_add (gint64 a, gint64 b)
{
  gint64 sum;

  if (!__builtin_add_overflow (a, b, &sum))
    return sum;
  return a < 0 ? G_MININT64 : G_MAXINT64;
}
