/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Threads that turn from one owner's work to another's between two looks of the
 * kernel at their timer.
 */

#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sampler.h"
#include "sampling/cpu-timer.h"
#include "sampling/handler.h"
#include "sampling/turns.h"

static guint64
own_cpu_time (void)
{
  guint64 ns = 0;

  pyro_thread_cpu_time (0, &ns);
  return ns;
}

static void
turns_are_kept_until_others_come (void)
{
  PyroTurns turns = { 0 };
  PyroTurn turn;

  g_assert_false (pyro_turns_get (&turns, 0, &turn) && turns.n > 0);
  for (guint64 i = 0; i < 3 * PYRO_N_TURNS; i++) {
    pyro_turns_add (&turns, i, i * 10);
    g_assert_true (pyro_turns_get (&turns, i, &turn));
    g_assert_cmpuint (turn.label, ==, i);
    g_assert_cmpuint (turn.ns, ==, i * 10);
  }
  /* The oldest one may be overwritten at this moment. */
  g_assert_false (pyro_turns_get (&turns, 2 * PYRO_N_TURNS, &turn));
  g_assert_true (pyro_turns_get (&turns, 2 * PYRO_N_TURNS + 1, &turn));
  g_assert_cmpuint (turn.label, ==, 2 * PYRO_N_TURNS + 1);
  /* Another thread's, that has turned less often. */
  g_assert_false (pyro_turns_get (&turns, 3 * PYRO_N_TURNS + 1, &turn));
}

/* A thread that works for two owners in step with the kernel's looks. */
typedef struct {
  PyroAnnouncement announcement;
  guint64 label;
  gint n_tasks; /* short ones, of label 1 */
  guint64 short_us;
  guint n_turns; /* in one short task */
  guint64 used_ns[ACCOUNT_LABELS];
  pid_t tid;
  gint done, quit;
} Worker;

static void
turn_to (Worker *worker, guint64 label)
{
  pyro_turns_add (&worker->announcement.turns, worker->label, own_cpu_time ());
  __atomic_store_n (&worker->label, label, __ATOMIC_RELEASE);
}

static const PyroThreadRecord *
find_record (const Worker *worker)
{
  for (guint i = 0; i < PYRO_MAX_THREADS; i++) {
    const PyroThreadRecord *record
        = __atomic_load_n (&pyro_thread_records[i], __ATOMIC_ACQUIRE);

    if (record != NULL
        && __atomic_load_n (&record->label, __ATOMIC_ACQUIRE) == &worker->label)
      return record;
  }
  return NULL;
}

static void
burn_until (guint64 end_ns)
{
  while (own_cpu_time () < end_ns)
    spin (1000);
}

/* Until the kernel has looked. */
static void
burn_until_sampled (const PyroThreadRecord *record)
{
  guint64 head = __atomic_load_n (&record->ring->head, __ATOMIC_RELAXED);

  while (__atomic_load_n (&record->ring->head, __ATOMIC_RELAXED) == head)
    spin (100);
}

static void *
work (void *data)
{
  Worker *worker = data;
  const PyroThreadRecord *record;
  guint64 start, middle;

  worker->label = 2;
  announce (&worker->announcement, &worker->label, NULL);
  while ((record = find_record (worker)) == NULL
         || __atomic_load_n (&record->generation, __ATOMIC_ACQUIRE) == 0)
    usleep (1000);
  worker->tid = gettid ();
  for (gint i = 0; i < worker->n_tasks; i++) {
    start = own_cpu_time ();
    burn_until_sampled (record);
    middle = own_cpu_time ();
    for (guint j = 0; j < worker->n_turns; j++) {
      turn_to (worker, 1);
      burn_until (middle + worker->short_us * 1000 * (j + 1) / worker->n_turns);
      turn_to (worker, 2);
    }
    worker->used_ns[1] += own_cpu_time () - middle;
    worker->used_ns[2] += middle - start;
  }
  __atomic_store_n (&worker->done, 1, __ATOMIC_RELEASE);
  while (!__atomic_load_n (&worker->quit, __ATOMIC_ACQUIRE))
    usleep (2000);
  return NULL;
}

static const Account *
run (Sampler *sampler, Worker *worker)
{
  pthread_t thread;
  const Account *account;

  g_assert_cmpint (pthread_create (&thread, NULL, work, worker), ==, 0);
  sampler_run (sampler, 20000, &worker->done);
  g_assert_true (worker->done);
  sampler_stop (sampler);
  account = sampler_get (sampler, worker->tid);
  for (guint i = 1; i <= 2; i++)
    g_test_message ("label %u: %.1f ms told, %.1f ms used", i,
                    (double)account->label_ns[i] / MS,
                    (double)worker->used_ns[i] / MS);
  return account;
}

/* Work of 1.5 ms after each tick is never met by one, where there are no more
 * than 500 a second. */
static void
child_between_ticks (void)
{
  Worker worker = { .n_tasks = 200, .n_turns = 1, .short_us = 1500 };
  const Account *account = run (sampler_new (1000), &worker);

  /* The period that goes on at each turn is whoever's it ends with: one third
   * of 1 ms, one standard error. */
  assert_about (account->label_ns[1], worker.used_ns[1], 30 * MS);
  assert_about (account->label_ns[2], worker.used_ns[2], 30 * MS);
}

/* More turns than are kept between two looks: who had the time before them is
 * not known, but nothing is lost or counted twice. */
static void
child_forgotten (void)
{
  Worker worker = { .n_tasks = 50, .n_turns = PYRO_N_TURNS, .short_us = 1500 };
  const Account *account = run (sampler_new (1000), &worker);
  guint64 used_ns = worker.used_ns[1] + worker.used_ns[2];

  assert_about (account_sum (account), used_ns, 20 * MS);
}

static void
run_child (gconstpointer test)
{
  in_a_process ((void (*) (void)) (gsize)test);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/turns/are kept until others come",
                   turns_are_kept_until_others_come);
  g_test_add_data_func ("/turns/work between two looks is whose it was",
                        (gconstpointer)(gsize)child_between_ticks, run_child);
  g_test_add_data_func ("/turns/that are forgotten leave the sum as it is",
                        (gconstpointer)(gsize)child_forgotten, run_child);
  return g_test_run ();
}
