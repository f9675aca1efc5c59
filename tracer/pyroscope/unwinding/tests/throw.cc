/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Exceptions on their way through frames with destructors, handlers that throw
 * them again, and functions that let nothing through. */

#include "throw.h"

namespace {

struct Counter {
  explicit Counter (unsigned *to) : n (to) {}
  ~Counter () { ++*n; }
  unsigned *n;
};

struct Thrown {
  unsigned depth;
};

__attribute__ ((noinline)) unsigned
descend (unsigned depth, unsigned *destroyed)
{
  Counter counter (destroyed);

  if (depth == 0)
    throw Thrown{ 0 };
  try {
    return descend (depth - 1, destroyed) + 1;
  } catch (Thrown &thrown) {
    thrown.depth++;
    if (depth % 2 == 0)
      throw;
    throw Thrown (thrown);
  }
}

} // namespace

extern "C" unsigned
pyro_test_throw (unsigned depth)
{
  unsigned destroyed = 0;

  try {
    return descend (depth, &destroyed);
  } catch (const Thrown &thrown) {
    return thrown.depth == depth ? destroyed : 0;
  }
}
