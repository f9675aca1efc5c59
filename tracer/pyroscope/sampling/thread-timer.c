/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "thread-private.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "cpu-timer.h"

#define NS_PER_S G_GINT64_CONSTANT (1000000000)

/* Names of our own threads begin so; they also block all signals. */
#define OWN_NAME_PREFIX "pyro-"

#define NEW_THREAD_NS (NS_PER_S / 1000)
#define MAX_LOOKS 3

/* A signal that is on its way: kernels tick with 100 Hz or more. */
#define IN_FLIGHT_NS (NS_PER_S / 20)

/* Marsaglia's xorshift32: good enough to keep phases apart. */
static guint32
next_random (PyroTimerPlan *plan)
{
  guint32 x = plan->random;

  x ^= x << 13;
  x ^= x >> 17;
  x ^= x << 5;
  return plan->random = x;
}

/* Real pipelines are regular, and a sampler of fixed period falls in step with
 * them. So each period lasts between 0.7 and 1.3 of the nominal one, and the
 * first expiration comes at a phase that is uniform in it: the expected number
 * of expirations in any stretch of CPU time is then its length over the
 * period, also for threads that live shorter than one. Of work that repeats
 * with the nominal period, a second at a period near that sees always the same
 * part: between 0.9 and 1.1 the error of a share was 1.9 times that of
 * independent samples (simulated), between 0.7 and 1.3 it is 1.0 times.
 *
 * A timer that is set anew forgets expirations that the kernel, which looks
 * with its tick, has not noticed yet: half a tick of CPU time each time. So
 * the period changes only while none is due (timer_gettime() says 1 ns then).
 * It counts from the last expiration on, so that all periods add up to the
 * thread's clock. If a shorter one would be over already, the old one stays:
 * that keeps the mean rate the nominal one, where choosing all periods alike
 * would give 3 % more (the mean of the inverse). */
gboolean
pyro_thread_change_period (PyroThread *thread, PyroTimerPlan *plan,
                           gboolean from_anew)
{
  guint64 nominal = NS_PER_S / plan->rate;
  guint64 interval
      = nominal * 7 / 10 + next_random (plan) % (nominal * 6 / 10 + 1);
  guint64 first = 1 + next_random (plan) % interval;
  gint64 clock_ns;

  if (!from_anew) {
    guint64 before = thread->record.interval_ns;

    if (!pyro_cpu_timer_remaining (thread->timer_id, &first))
      return FALSE;
    if (first <= 1 || first + interval <= before + 1)
      return TRUE;
    first = first + interval - before;
  }
  if (pyro_thread_read_clock (thread, &clock_ns)) {
    thread->next_ns = clock_ns + (gint64)first;
    thread->counted_ns = thread->told_ns;
  }
  __atomic_store_n (&thread->record.interval_ns, interval, __ATOMIC_RELAXED);
  return pyro_cpu_timer_start (thread->timer_id, first, interval);
}

gboolean
pyro_thread_fit_ring (PyroThread *thread, guint rate)
{
  PyroRing *ring = pyro_rings_get (&thread->rings, rate);

  __atomic_store_n (&thread->record.ring, ring, __ATOMIC_RELEASE);
  return ring != NULL;
}

static gboolean
is_blocked (const PyroTaskStatus *status, gint signo)
{
  return status->blocked_signals >> (signo - 1) & 1;
}

/* A thread that waits for all signals again and again may have been seen with
 * the mask of its wait. One that is new has not come to that; one that is
 * announced is a streaming thread, unless it is the main one. */
static gboolean
wants_another_look (PyroThread *thread, const PyroTaskStatus *status)
{
  guint64 clock_ns;

  if (status->is_certain
      || (thread->announcements != NULL && thread->info.tid != getpid ())
      || thread->reason == PYRO_UNSAMPLED_NO_TIMER
      || thread->n_looks >= MAX_LOOKS
      || !pyro_thread_cpu_time (thread->info.tid, &clock_ns)
      || clock_ns < NEW_THREAD_NS) {
    thread->n_looks = 0;
    return FALSE;
  }
  thread->n_looks++;
  return TRUE;
}

/* Whether there is a reason to leave the thread alone. */
static gboolean
must_not_be_sampled (PyroThread *thread, gint signo)
{
  PyroTaskStatus status;

  if (!pyro_proc_read_status (thread->info.tid, &status)) {
    /* Without /proc nobody knows; but where only a descriptor is missing, the
     * thread may be one that waits for all signals. */
    if (!pyro_proc_is_short ())
      return FALSE;
    thread->reason = PYRO_UNSAMPLED_BLOCKED;
    return TRUE;
  }
  memcpy (thread->info.name, status.name, sizeof status.name);
  if (g_str_has_prefix (status.name, OWN_NAME_PREFIX)
      && is_blocked (&status, SIGTERM)) {
    thread->reason = PYRO_UNSAMPLED_OWN;
    return TRUE;
  }
  if (signo == 0)
    return FALSE;
  if (!is_blocked (&status, signo))
    return wants_another_look (thread, &status);
  thread->n_looks = 0;
  thread->reason = PYRO_UNSAMPLED_BLOCKED;
  return TRUE;
}

PyroArmResult
pyro_thread_arm (PyroThread *thread, PyroTimerPlan *plan,
                 gboolean may_have_timer, const PyroThreadsSink *sink,
                 gpointer data)
{
  PyroUnblocked *unblocked;
  gint error;

  if (thread->armed)
    return PYRO_ARM_DONE;
  unblocked = pyro_unblocked_find (thread->info.tid);
  if (must_not_be_sampled (thread, plan->signo) || plan->signo == 0)
    return PYRO_ARM_REFUSED;
  if (unblocked == NULL)
    unblocked = pyro_unblocked_find (thread->info.tid);
  if (!may_have_timer) {
    plan->error = EAGAIN;
    thread->reason = PYRO_UNSAMPLED_NO_TIMER;
    return PYRO_ARM_SHORT;
  }

  plan->generation = plan->generation % 0xffffff + 1;
  error = pyro_thread_fit_ring (thread, plan->rate) ? pyro_cpu_timer_create (
              thread->info.tid, plan->signo,
              pyro_cookie (thread->record.slot, plan->generation),
              &thread->timer_id)
                                                    : ENOMEM;
  if (error == EINVAL) /* the thread has ended meanwhile */
    return PYRO_ARM_REFUSED;
  if (error != 0) {
    plan->error = error;
    thread->reason = PYRO_UNSAMPLED_NO_TIMER;
    return error == EAGAIN ? PYRO_ARM_SHORT : PYRO_ARM_REFUSED;
  }
  if (unblocked != NULL
      && !pyro_unblocked_lend_timer (unblocked, thread->timer_id)) {
    thread->reason = PYRO_UNSAMPLED_BLOCKED;
    return PYRO_ARM_REFUSED;
  }
  thread->unblocked = unblocked;
  pyro_thread_tell_rest (thread, thread->reason, sink, data);
  thread->armed = TRUE;
  __atomic_store_n (&thread->record.generation, plan->generation,
                    __ATOMIC_RELEASE);
  pyro_thread_change_period (thread, plan, TRUE);
  return PYRO_ARM_DONE;
}

void
pyro_thread_disarm (PyroThread *thread, PyroUnsampledReason reason)
{
  thread->reason = reason;
  if (!thread->armed)
    return;
  __atomic_store_n (&thread->record.generation, 0, __ATOMIC_RELEASE);
  if (thread->unblocked == NULL)
    pyro_cpu_timer_delete (thread->timer_id);
  else
    pyro_unblocked_take_timer (thread->unblocked);
  thread->unblocked = NULL;
  thread->armed = FALSE;
  thread->account_time = 0;
  thread->retry_time = thread->retry_wait = 0;
}

/* The thread blocks our signal again, and has deleted its timer. */
static gboolean
has_lost_timer (const PyroThread *thread)
{
  return thread->armed && thread->unblocked != NULL
         && pyro_unblocked_is_over (thread->unblocked);
}

/* A timer keeps to the thread that it was made for. Where there is none, only
 * a clock that runs backwards tells. */
gboolean
pyro_thread_is_replaced (PyroThread *thread)
{
  guint64 ns;

  if (has_lost_timer (thread))
    return FALSE;
  if (thread->armed)
    return !pyro_cpu_timer_remaining (thread->timer_id, &ns);
  return pyro_thread_cpu_time (thread->info.tid, &ns)
         && (gint64)ns - thread->clock.jumps_ns < thread->clock_ns;
}

gboolean
pyro_thread_is_overdue (PyroThread *thread)
{
  guint64 ns;

  return pyro_cpu_timer_remaining (thread->timer_id, &ns) && ns <= 1;
}

/* MISSING_NS is more than can be on its way. A thread that blocks our signal is
 * left alone; else somebody ignored it, or took it, for a while. */
static void
explain_missing (PyroThread *thread, gint64 missing_ns, gint signo,
                 const PyroThreadsSink *sink, gpointer data)
{
  PyroTaskStatus status;

  if (pyro_proc_read_status (thread->info.tid, &status)
      && is_blocked (&status, signo)) {
    pyro_thread_disarm (thread, PYRO_UNSAMPLED_BLOCKED);
    return;
  }
  /* The period that goes on, half gone on average, has a sample to come. */
  pyro_thread_tell (thread, PYRO_UNSAMPLED_MISSED,
                    missing_ns - (gint64)thread->record.interval_ns / 2, 0,
                    sink, data);
}

gboolean
pyro_thread_check (PyroThread *thread, gint64 now, PyroTimerPlan *plan,
                   const PyroThreadsSink *sink, gpointer data)
{
  const PyroBoundedClock before = thread->clock;
  gint64 clock_ns;

  if (!pyro_thread_read_clock (thread, &clock_ns)) {
    /* Gone: the next scan sees it. Its clock is known from its samples. */
    pyro_thread_drain (thread, now, sink, data);
    thread->clock_ns = MAX (thread->clock_ns, thread->told_ns);
    return TRUE;
  }
  if (clock_ns < thread->clock_ns)
    return FALSE;
  thread->busy_ns = clock_ns - thread->clock_ns;
  thread->clock_ns = clock_ns;
  if (has_lost_timer (thread)) {
    pyro_thread_drain (thread, now, sink, data);
    pyro_thread_disarm (thread, PYRO_UNSAMPLED_BLOCKED);
  }
  if (thread->busy_ns == 0)
    return TRUE;

  /* A hundred threads that wake up now and then: what they used in less than a
   * period has nothing to be explained. */
  if (thread->armed
      && clock_ns - thread->looked_ns >= (gint64)thread->record.interval_ns) {
    gint64 tolerance = 3 * (gint64)thread->record.interval_ns + IN_FLIGHT_NS;

    /* First of all: what another thread used is not this one's. */
    if (pyro_thread_is_replaced (thread)) {
      thread->clock = before;
      return FALSE;
    }
    thread->looked_ns = clock_ns;
    /* Before the period changes: it notes what has been told until then. */
    pyro_thread_drain (thread, now, sink, data);
    if (!pyro_thread_change_period (thread, plan, FALSE))
      return FALSE;
    if (clock_ns - thread->told_ns > tolerance
        && !pyro_thread_is_overdue (thread))
      explain_missing (thread, clock_ns - thread->told_ns, plan->signo, sink,
                       data);
  }
  return TRUE;
}
