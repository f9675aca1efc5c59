/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "kernel-clock.h"
#include "sampler.h"
#include "sampling/bounded-clock.h"
#include "sampling/cpu-timer.h"

#define HOURS_99 (G_GINT64_CONSTANT (99) * 3600 * 1000 * MS)

/* What the CPU clocks of other threads, and of the process, say too much. */
static guint64 lie_ns;

gboolean __real_pyro_thread_cpu_time (pid_t tid, guint64 *ns);
gboolean __wrap_pyro_thread_cpu_time (pid_t tid, guint64 *ns);
gboolean __real_pyro_process_cpu_time (guint64 *ns);
gboolean __wrap_pyro_process_cpu_time (guint64 *ns);

gboolean
__wrap_pyro_thread_cpu_time (pid_t tid, guint64 *ns)
{
  gboolean result = __real_pyro_thread_cpu_time (tid, ns);

  *ns += __atomic_load_n (&lie_ns, __ATOMIC_RELAXED);
  return result;
}

gboolean
__wrap_pyro_process_cpu_time (guint64 *ns)
{
  gboolean result = __real_pyro_process_cpu_time (ns);

  *ns += __atomic_load_n (&lie_ns, __ATOMIC_RELAXED);
  return result;
}

static void
test_believed (void)
{
  PyroBoundedClock clock;
  gint64 now = pyro_clock_monotonic ();
  gint64 impossible_ns = 0;

  pyro_bounded_clock_start (&clock, 5 * MS, now - 1000000);
  /* A whole second, and on four CPUs four of them. */
  g_assert_cmpint (
      pyro_bounded_clock_take (&clock, 1005 * MS, now, 1, &impossible_ns), ==,
      1005 * MS);
  pyro_bounded_clock_start (&clock, 0, now - 1000000);
  g_assert_cmpint (
      pyro_bounded_clock_take (&clock, 4000 * MS, now, 4, &impossible_ns), ==,
      4000 * MS);
  g_assert_cmpint (impossible_ns, ==, 0);
}

static void
test_jump (void)
{
  PyroBoundedClock clock;
  gint64 now = pyro_clock_monotonic ();
  gint64 impossible_ns = 0;

  pyro_bounded_clock_start (&clock, 0, now - 1000000);
  g_assert_cmpint (
      pyro_bounded_clock_take (&clock, HOURS_99, now, 1, &impossible_ns), ==,
      0);
  g_assert_cmpint (impossible_ns, ==, HOURS_99);
  /* It goes on from there. */
  g_assert_cmpint (pyro_bounded_clock_take (&clock, HOURS_99 + MS, now + 1000,
                                            1, &impossible_ns),
                   ==, MS);
  g_assert_cmpint (impossible_ns, ==, HOURS_99);
}

/* What may be ahead of the time is not granted at each look again. */
static void
test_fast (void)
{
  PyroBoundedClock clock;
  gint64 impossible_ns = 0, ns = 0;
  gint64 begin = pyro_clock_monotonic ();

  pyro_bounded_clock_start (&clock, 0, begin);
  for (guint i = 1; i <= 100; i++) {
    usleep (1000);
    ns = pyro_bounded_clock_take (&clock,
                                  3000 * (pyro_clock_monotonic () - begin),
                                  pyro_clock_monotonic (), 1, &impossible_ns);
  }
  g_assert_cmpint (ns, <, 1200 * (pyro_clock_monotonic () - begin) + 60 * MS);
  g_assert_cmpint (impossible_ns, >, 0);
}

static void *
burn_for_a_while (void *data)
{
  gint *done = data;

  burn_ms (600);
  __atomic_store_n (done, 1, __ATOMIC_RELEASE);
  return NULL;
}

static void
child_lies (void)
{
  Sampler *sampler = sampler_new (1000);
  pthread_t thread;
  gint done = 0;
  guint64 used_ns, sum_ns;

  g_assert_cmpint (pthread_create (&thread, NULL, burn_for_a_while, &done), ==,
                   0);
  sampler_run (sampler, 200, NULL);
  __atomic_store_n (&lie_ns, HOURS_99, __ATOMIC_RELAXED);
  sampler_run (sampler, 10000, &done);
  sampler_run (sampler, 1500, NULL);
  pthread_join (thread, NULL);
  sampler_stop (sampler);
  used_ns = sampler_process_ns (sampler);
  sum_ns = account_sum (&sampler->all);
  g_test_message ("%.1f ms reported of %.1f ms, %.0f ms left out",
                  (double)sum_ns / MS, (double)used_ns / MS,
                  (double)sampler->all.impossible_ns / MS);
  /* What was used between the last reading and the jump is lost with it. */
  g_assert_cmpuint (sum_ns, <, used_ns + 60 * MS);
  g_assert_cmpuint (sum_ns, >, used_ns - 250 * MS);
  g_assert_cmpuint (sampler->all.impossible_ns, >=, HOURS_99);
  sampler_free (sampler);
}

/* Time that was used before the run, of a thread that is only found now. */
static void
child_found_late (void)
{
  Sampler *sampler;
  gint done = 0;

  __atomic_store_n (&lie_ns, HOURS_99, __ATOMIC_RELAXED);
  sampler = sampler_new (1000);
  {
    pthread_t thread;

    g_assert_cmpint (pthread_create (&thread, NULL, burn_for_a_while, &done),
                     ==, 0);
    sampler_run (sampler, 10000, &done);
    pthread_join (thread, NULL);
  }
  sampler_stop (sampler);
  g_assert_cmpuint (account_sum (&sampler->all), <,
                    sampler_process_ns (sampler) + 60 * MS);
  g_assert_cmpuint (sampler->all.impossible_ns, >=, HOURS_99);
  sampler_free (sampler);
}

static void
test_lies (void)
{
  in_a_process (child_lies);
}

static void
test_found_late (void)
{
  in_a_process (child_found_late);
}

static void *
send_soon (void *data)
{
  usleep (20000);
  pyro_wakeup_send (data);
  return NULL;
}

static void
test_wakeup (void)
{
  PyroWakeup wakeup = { 0 };
  gint64 begin = pyro_clock_monotonic ();
  pthread_t thread;

  g_assert_cmpint (pyro_wakeup_wait (&wakeup, 30000), ==, PYRO_WOKEN_BY_TIME);
  g_assert_cmpint (pyro_clock_monotonic () - begin, >=, 30000);
  pyro_wakeup_hint (&wakeup);
  g_assert_cmpint (pyro_wakeup_wait (&wakeup, 60 * G_USEC_PER_SEC), ==,
                   PYRO_WOKEN_BY_HINT);
  pyro_wakeup_send (&wakeup);
  pyro_wakeup_hint (&wakeup);
  g_assert_cmpint (pyro_wakeup_wait (&wakeup, 60 * G_USEC_PER_SEC), ==,
                   PYRO_WOKEN_BY_SEND);
  pyro_wakeup_hint (&wakeup);
  pyro_wakeup_send (&wakeup);
  g_assert_cmpint (pyro_wakeup_wait (&wakeup, 60 * G_USEC_PER_SEC), ==,
                   PYRO_WOKEN_BY_SEND);
  g_assert_cmpint (pthread_create (&thread, NULL, send_soon, &wakeup), ==, 0);
  pyro_wakeup_wait (&wakeup, 60 * G_USEC_PER_SEC);
  pthread_join (thread, NULL);
  g_assert_cmpint (pyro_clock_monotonic () - begin, <, 30 * G_USEC_PER_SEC);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/bounded-clock/what can be true is believed",
                   test_believed);
  g_test_add_func ("/bounded-clock/a jump is left out and counted", test_jump);
  g_test_add_func ("/bounded-clock/a clock that runs too fast is not followed",
                   test_fast);
  g_test_add_func ("/bounded-clock/a profile stays true when clocks jump",
                   test_lies);
  g_test_add_func ("/bounded-clock/a new thread's clock is believed as far as "
                   "the run is long",
                   test_found_late);
  g_test_add_func ("/bounded-clock/a wake-up is not lost and a wait ends",
                   test_wakeup);
  return g_test_run ();
}
