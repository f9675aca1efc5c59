/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "threads-private.h"

#include <unistd.h>

#include "cpu-timer.h"
#include "kernel-clock.h"

#define NS_PER_S G_GINT64_CONSTANT (1000000000)

/* A check reads one clock a thread, 0.4 us each. */
#define CHECK_INTERVAL_US 1000000
#define CHECK_INTERVAL_US_PER_THREAD 3000

/* How many timers may go from idle threads to busy ones at each check. */
#define MAX_TIMER_MOVES 8

/* Less than this is within the error of clocks that are read one after
 * another. */
#define UNSEEN_TOLERANCE_NS (NS_PER_S / 50)

/* the process */

static gint64
process_cpu_time (PyroThreads *threads, const PyroThreadsSink *sink,
                  gpointer data)
{
  const PyroThreadInfo nobody = { 0 };
  gint64 before = pyro_clock_monotonic ();
  gint64 ns, impossible_ns = 0;
  guint64 read_ns;

  if (!pyro_process_cpu_time (&read_ns))
    return threads->process_clock.last_ns;
  ns = pyro_bounded_clock_take (&threads->process_clock, (gint64)read_ns,
                                before, threads->n_cpus, &impossible_ns);
  if (impossible_ns > 0)
    sink->impossible (&nobody, (guint64)impossible_ns, data);
  return ns;
}

void
pyro_threads_start_process_clock (PyroThreads *threads)
{
  gint64 before = pyro_clock_monotonic ();
  guint64 read_ns = 0;

  pyro_process_cpu_time (&read_ns);
  pyro_bounded_clock_start (&threads->process_clock, (gint64)read_ns, before);
  threads->process_base_ns = (gint64)read_ns;
  threads->start_time = before;
  /* Also those that are offline now. */
  threads->n_cpus = (guint)MAX (sysconf (_SC_NPROCESSORS_CONF), 1);
}

/* once a second */

/* Timers are short (RLIMIT_SIGPENDING): the busiest threads have them. FALSE:
 * no better use is seen. */
static gboolean
move_a_timer_to_the_busy (PyroThreads *threads, const PyroThreadsSink *sink,
                          gpointer data)
{
  GHashTableIter iter;
  gpointer value;
  PyroThread *idlest = NULL, *busiest = NULL;

  g_hash_table_iter_init (&iter, threads->by_tid);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    PyroThread *thread = value;

    if (thread->armed) {
      if (idlest == NULL || thread->busy_ns < idlest->busy_ns)
        idlest = thread;
    } else if (thread->reason == PYRO_UNSAMPLED_NO_TIMER
               && thread->busy_ns > 0) {
      if (busiest == NULL || thread->busy_ns > busiest->busy_ns)
        busiest = thread;
    }
  }
  if (busiest == NULL)
    return FALSE;
  switch (pyro_threads_arm (threads, busiest, sink, data)) {
  case PYRO_ARM_DONE:
    return TRUE;
  case PYRO_ARM_REFUSED:
    return FALSE;
  default:
    break;
  }
  if (idlest == NULL
      || busiest->busy_ns <= 2 * idlest->busy_ns + NS_PER_S / 100)
    return FALSE;
  pyro_threads_disarm (threads, idlest, PYRO_UNSAMPLED_NO_TIMER);
  idlest->busy_ns = 0; /* it does not want it back in this round */
  return pyro_threads_arm (threads, busiest, sink, data) == PYRO_ARM_DONE;
}

/* What the process used beyond what is known of its threads: threads that came
 * and went between two looks, and the last part of those that ended. */
static void
tell_unseen (PyroThreads *threads, gint64 process_ns,
             const PyroThreadsSink *sink, gpointer data)
{
  gint64 unseen_ns = process_ns - threads->process_base_ns
                     - threads->told_of_gone_ns - threads->told_unseen_ns;
  const PyroThreadInfo nobody = { 0 };
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, threads->by_tid);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    PyroThread *thread = value;

    unseen_ns -= thread->clock_ns - thread->base_ns;
  }
  if (unseen_ns <= UNSEEN_TOLERANCE_NS)
    return;
  threads->told_unseen_ns += unseen_ns;
  sink->unsampled (&nobody, PYRO_UNSAMPLED_UNSEEN, (guint64)unseen_ns, 0, 0,
                   data);
}

void
pyro_threads_check (PyroThreads *threads, gint64 now,
                    const PyroThreadsSink *sink, gpointer data)
{
  /* Read first: what threads use meanwhile is theirs. */
  gint64 process_ns = process_cpu_time (threads, sink, data);
  g_autoptr (GPtrArray) replaced = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer value;

  threads->check_time = now;
  g_hash_table_iter_init (&iter, threads->by_tid);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    PyroThread *thread = value;
    gboolean was_armed = thread->armed;

    if (!pyro_thread_check (thread, now, &threads->plan, sink, data))
      g_ptr_array_add (replaced, thread);
    if (was_armed && !thread->armed) {
      threads->n_armed--;
      threads->account_time = 0;
    }
  }
  for (guint i = 0; i < replaced->len; i++)
    pyro_threads_replace (threads, g_ptr_array_index (replaced, i), sink, data);
  for (guint i = 0; i < MAX_TIMER_MOVES; i++)
    if (!move_a_timer_to_the_busy (threads, sink, data))
      break;
  tell_unseen (threads, process_ns, sink, data);
}

gint64
pyro_threads_check_interval (PyroThreads *threads)
{
  return MAX (CHECK_INTERVAL_US, CHECK_INTERVAL_US_PER_THREAD
                                     * (gint64)pyro_threads_get_n (threads));
}

/* Threads without a timer. */
void
pyro_threads_account (PyroThreads *threads, gint64 now,
                      const PyroThreadsSink *sink, gpointer data)
{
  GHashTableIter iter;
  gpointer value;

  threads->account_time = G_MAXINT64;
  g_hash_table_iter_init (&iter, threads->by_tid);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    PyroThread *thread = value;

    if (pyro_thread_account (thread, now, sink, data))
      pyro_threads_arm (threads, thread, sink, data);
    if (!thread->armed)
      threads->account_time = MIN (threads->account_time, thread->account_time);
  }
}
