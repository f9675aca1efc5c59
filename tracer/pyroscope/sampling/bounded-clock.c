/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bounded-clock.h"

#include "kernel-clock.h"

/* Two clocks are read one after the other. */
#define MAX_CREDIT_NS (G_GINT64_CONSTANT (50) * 1000 * 1000)

/* CLOCK_MONOTONIC is slewed, CPU clocks are not: adjtimex(2) allows 10 %. */
static gint64
possible (gint64 elapsed_us, guint n_cpus)
{
  gint64 elapsed_ns = MAX (elapsed_us, 0) * 1000;

  return (elapsed_ns + elapsed_ns / 8) * n_cpus;
}

void
pyro_bounded_clock_start (PyroBoundedClock *clock, gint64 ns, gint64 time)
{
  clock->last_ns = ns;
  clock->time = time;
  clock->credit_ns = MAX_CREDIT_NS;
  clock->jumps_ns = 0;
}

gint64
pyro_bounded_clock_take (PyroBoundedClock *clock, gint64 read_ns, gint64 before,
                         guint n_cpus, gint64 *impossible_ns)
{
  gint64 ns = read_ns - clock->jumps_ns;
  gint64 step = ns - clock->last_ns;
  gint64 limit = clock->credit_ns + possible (before - clock->time, n_cpus);

  /* Another thread's, which has got the id of one that is gone: what this one
   * showed, and when, is still to be known. */
  if (step < 0)
    return ns;
  /* Much may have happened since BEFORE. */
  if (step > limit)
    limit = clock->credit_ns
            + possible (pyro_clock_monotonic () - clock->time, n_cpus);
  clock->time = before;
  if (step > limit) {
    clock->jumps_ns += step;
    *impossible_ns += step;
    return clock->last_ns;
  }
  clock->credit_ns = CLAMP (limit - step, 0, MAX_CREDIT_NS);
  clock->last_ns = ns;
  return ns;
}

gint64
pyro_bounded_clock_limit (const PyroBoundedClock *clock)
{
  return clock->last_ns + clock->credit_ns
         + possible (pyro_clock_monotonic () - clock->time, 1);
}
