/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "thread.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "control-block.h"
#include "cpu-timer.h"
#include "kernel-clock.h"

#define NS_PER_S G_GINT64_CONSTANT (1000000000)

/* Names of our own threads begin so; they also block all signals. */
#define OWN_NAME_PREFIX "pyro-"

#define NAME_INTERVAL_US 200000
#define MIN_ACCOUNT_WAIT_US 20000
#define MAX_ACCOUNT_WAIT_US 640000
#define MAX_RETRY_WAIT_US 2560000

/* A sample stands for a whole period, however short the time was until the
 * first one; periods differ by 0.7 to 1.3. */
#define N_PERIODS_AHEAD 3

#define NEW_THREAD_NS (NS_PER_S / 1000)
#define MAX_LOOKS 3

/* A signal that is on its way: kernels tick with 100 Hz or more. */
#define IN_FLIGHT_NS (NS_PER_S / 20)

/* FALSE: it is gone. */
static gboolean
read_clock (PyroThread *thread, gint64 *ns)
{
  gint64 before = pyro_clock_monotonic ();
  guint64 read_ns;

  if (!pyro_thread_cpu_time (thread->info.tid, &read_ns))
    return FALSE;
  *ns = pyro_bounded_clock_take (&thread->clock, (gint64)read_ns, before, 1,
                                 &thread->impossible_ns);
  return TRUE;
}

PyroThread *
pyro_thread_new (pid_t tid, gint64 since)
{
  PyroThread *thread = g_new0 (PyroThread, 1);

  thread->info.tid = tid;
  thread->reason = PYRO_UNSAMPLED_START;
  pyro_bounded_clock_start (&thread->clock, 0, since);
  if (read_clock (thread, &thread->clock_ns))
    return thread;
  g_free (thread);
  return NULL;
}

void
pyro_thread_start (PyroThread *thread)
{
  gint64 before = pyro_clock_monotonic ();
  guint64 read_ns;

  if (pyro_thread_cpu_time (thread->info.tid, &read_ns))
    thread->clock_ns = (gint64)read_ns;
  pyro_bounded_clock_start (&thread->clock, thread->clock_ns, before);
  thread->impossible_ns = 0;
  thread->base_ns = thread->told_ns = thread->clock_ns;
  thread->reason = PYRO_UNSAMPLED_START;
  thread->account_time = 0;
}

void
pyro_thread_free (PyroThread *thread)
{
  while (thread->announcements != NULL) {
    PyroAnnouncement *announcement = thread->announcements;

    thread->announcements = announcement->next_adopted;
    announcement->release (announcement);
  }
  pyro_rings_clear (&thread->rings);
  g_free (thread);
}

/* the balance */

static guint64
label_now (PyroThread *thread)
{
  const PyroAnnouncement *announcement = thread->announcements;

  while (announcement != NULL && announcement->label != thread->record.label)
    announcement = announcement->next_adopted;
  return announcement != NULL ? pyro_announcement_get_label (announcement) : 0;
}

static void
tell_as (PyroThread *thread, PyroUnsampledReason reason, gint64 ns,
         guint64 weight, guint64 label, const PyroThreadsSink *sink,
         gpointer data)
{
  thread->told_ns += ns;
  if (sink == NULL)
    return;
  if (thread->info.name[0] == '\0')
    pyro_proc_read_name (thread->info.tid, thread->info.name);
  sink->unsampled (&thread->info, reason, (guint64)ns, weight, label, data);
}

static void
tell (PyroThread *thread, PyroUnsampledReason reason, gint64 ns, guint64 weight,
      const PyroThreadsSink *sink, gpointer data)
{
  tell_as (thread, reason, ns, weight, label_now (thread), sink, data);
}

static void
tell_lost (PyroThread *thread, const PyroThreadsSink *sink, gpointer data)
{
  guint64 ns = __atomic_load_n (&thread->record.lost_ns, __ATOMIC_RELAXED);
  guint64 weight
      = __atomic_load_n (&thread->record.lost_weight, __ATOMIC_RELAXED);

  if (ns == thread->lost_ns)
    return;
  tell (thread, PYRO_UNSAMPLED_LOST, (gint64)(ns - thread->lost_ns),
        weight - thread->lost_weight, sink, data);
  thread->lost_ns = ns;
  thread->lost_weight = weight;
}

static void
report_impossible (PyroThread *thread, const PyroThreadsSink *sink,
                   gpointer data)
{
  if (thread->impossible_ns > 0 && sink != NULL)
    sink->impossible (&thread->info, (guint64)thread->impossible_ns, data);
  thread->impossible_ns = 0;
}

/* The first of the thread's turns that came after AFTER_NS, and not after
 * SAMPLE. What was before a turn that is forgotten is not known. */
static guint64
find_turn (const PyroThread *thread, const PyroRawSample *sample,
           gint64 after_ns)
{
  const PyroTurns *turns = thread->record.turns;
  guint64 index = sample->n_turns;
  PyroTurn turn;

  while (index > 0) {
    if (!pyro_turns_get (turns, index - 1, &turn))
      return index + 1;
    if ((gint64)turn.ns - thread->clock.jumps_ns < after_ns)
      break;
    index--;
  }
  return index;
}

/* Kernels notice with their tick that a timer has expired. Of the expirations
 * that SAMPLE stands for, those that came before the thread turned to what it
 * does now are its last owner's. Tasks that begin or end in step with the tick
 * had too much or too little otherwise: of those that threads of GLib's pools
 * did for two owners, one had 1.5 points less than its 30 %. */
static void
tell_before_turns (PyroThread *thread, PyroRawSample *sample,
                   const PyroThreadsSink *sink, gpointer data)
{
  gint64 interval = (gint64)(sample->nanoseconds / sample->weight);
  gint64 n_told = (thread->told_ns - thread->counted_ns) / interval;
  gint64 next = thread->next_ns + n_told * interval;
  PyroTurn turn;

  for (guint64 i = find_turn (thread, sample, next);
       i < sample->n_turns && sample->weight > 0; i++) {
    gint64 turn_ns, n;

    if (!pyro_turns_get (thread->record.turns, i, &turn))
      continue;
    turn_ns = (gint64)turn.ns - thread->clock.jumps_ns;
    if (turn_ns < next)
      continue;
    n = MIN (1 + (turn_ns - next) / interval, (gint64)sample->weight);
    tell_as (thread, PYRO_UNSAMPLED_TURNED, n * interval, (guint64)n,
             turn.label, sink, data);
    next += n * interval;
    sample->weight -= (guint32)n;
    sample->nanoseconds -= (guint64)(n * interval);
  }
}

void
pyro_thread_drain (PyroThread *thread, gint64 now, const PyroThreadsSink *sink,
                   gpointer data)
{
  PyroRawSample *sample;
  PyroRing *ring;
  gint64 limit_ns = 0;

  report_impossible (thread, sink, data);
  if (thread->rings.n == 0)
    return;
  if (now != 0 && now - thread->name_time >= NAME_INTERVAL_US) {
    /* Threads are named after they begin, pool threads again and again. */
    thread->name_time = now;
    pyro_proc_read_name (thread->info.tid, thread->info.name);
  }
  while ((sample = pyro_rings_peek (&thread->rings, &ring)) != NULL) {
    if (limit_ns == 0)
      limit_ns = pyro_bounded_clock_limit (&thread->clock)
                 + N_PERIODS_AHEAD * (gint64)thread->record.interval_ns;
    if (thread->told_ns + (gint64)sample->nanoseconds > limit_ns) {
      thread->impossible_ns += (gint64)sample->nanoseconds;
      pyro_ring_release (ring, sample);
      continue;
    }
    if (sample->n_turns > 0)
      tell_before_turns (thread, sample, sink, data);
    thread->told_ns += (gint64)sample->nanoseconds;
    /* It was found before it announced itself, a moment ago. */
    if (sample->flags & PYRO_SAMPLE_UNLABELLED)
      sample->label = label_now (thread);
    if (sink != NULL && sample->weight > 0)
      sink->sample (&thread->info, sample, data);
    pyro_ring_release (ring, sample);
  }
  tell_lost (thread, sink, data);
  report_impossible (thread, sink, data);
}

void
pyro_thread_tell_rest (PyroThread *thread, PyroUnsampledReason reason,
                       const PyroThreadsSink *sink, gpointer data)
{
  gint64 clock_ns;

  pyro_thread_drain (thread, 0, sink, data);
  if (read_clock (thread, &clock_ns) && clock_ns > thread->told_ns)
    tell (thread, reason, clock_ns - thread->told_ns, 0, sink, data);
  report_impossible (thread, sink, data);
}

void
pyro_thread_tell_end (PyroThread *thread, const PyroThreadsSink *sink,
                      gpointer data)
{
  const PyroAnnouncement *announcement = thread->announcements;
  gint64 interval = (gint64)thread->record.interval_ns;
  gint64 ended_ns = 0;

  for (; announcement != NULL; announcement = announcement->next_adopted)
    ended_ns = MAX (ended_ns, (gint64)__atomic_load_n (&announcement->ended_ns,
                                                       __ATOMIC_ACQUIRE));
  ended_ns = pyro_bounded_clock_take (&thread->clock, ended_ns,
                                      pyro_clock_monotonic (), 1,
                                      &thread->impossible_ns);
  report_impossible (thread, sink, data);
  if (!thread->armed) {
    if (ended_ns > thread->told_ns)
      tell (thread, thread->reason, ended_ns - thread->told_ns, 0, sink, data);
  } else if (ended_ns >= thread->next_ns) {
    gint64 due = 1 + (ended_ns - thread->next_ns) / interval;
    gint64 missing = due - (thread->told_ns - thread->counted_ns) / interval;

    if (missing > 0)
      tell (thread, PYRO_UNSAMPLED_UNSEEN, missing * interval, (guint64)missing,
            sink, data);
  }
}

gboolean
pyro_thread_account (PyroThread *thread, gint64 now,
                     const PyroThreadsSink *sink, gpointer data)
{
  gint64 before = thread->told_ns;

  if (thread->armed || now < thread->account_time)
    return FALSE;
  pyro_thread_tell_rest (thread, thread->reason, sink, data);
  /* Our own threads do a bit at each tick. */
  if (thread->told_ns != before && thread->reason != PYRO_UNSAMPLED_OWN)
    thread->account_wait = MIN_ACCOUNT_WAIT_US;
  else
    thread->account_wait = CLAMP (thread->account_wait * 2, MIN_ACCOUNT_WAIT_US,
                                  MAX_ACCOUNT_WAIT_US);
  thread->account_time = now + thread->account_wait;

  if (thread->n_looks > 0)
    return TRUE;
  if (thread->reason != PYRO_UNSAMPLED_BLOCKED || thread->told_ns == before
      || now < thread->retry_time)
    return FALSE;
  thread->retry_wait
      = CLAMP (thread->retry_wait * 2, MIN_ACCOUNT_WAIT_US, MAX_RETRY_WAIT_US);
  thread->retry_time = now + thread->retry_wait;
  return TRUE;
}

/* the timer */

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
  if (read_clock (thread, &clock_ns)) {
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
    if (errno != EMFILE && errno != ENFILE && errno != ENOMEM)
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
  if (!may_have_timer) {
    thread->reason = PYRO_UNSAMPLED_NO_TIMER;
    return PYRO_ARM_SHORT;
  }

  plan->generation = plan->generation % 0xffffff + 1;
  error = pyro_thread_fit_ring (thread, plan->rate) ? pyro_cpu_timer_create (
              thread->info.tid, plan->signo,
              pyro_cookie (thread->record.slot, plan->generation),
              &thread->timer_id)
                                                    : ENOMEM;
  if (error != 0) {
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
  tell (thread, PYRO_UNSAMPLED_MISSED,
        missing_ns - (gint64)thread->record.interval_ns / 2, 0, sink, data);
}

gboolean
pyro_thread_check (PyroThread *thread, gint64 now, PyroTimerPlan *plan,
                   const PyroThreadsSink *sink, gpointer data)
{
  const PyroBoundedClock before = thread->clock;
  gint64 clock_ns;

  if (!read_clock (thread, &clock_ns)) {
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

  if (thread->armed) {
    gint64 tolerance = 3 * (gint64)thread->record.interval_ns + IN_FLIGHT_NS;

    /* First of all: what another thread used is not this one's. */
    if (pyro_thread_is_replaced (thread)) {
      thread->clock = before;
      return FALSE;
    }
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

static void
set_stack (PyroThread *thread, guintptr low, guintptr high)
{
  __atomic_store_n (&thread->record.stack_low, low, __ATOMIC_RELAXED);
  __atomic_store_n (&thread->record.stack_high, high, __ATOMIC_RELEASE);
}

void
pyro_thread_find_stack (PyroThread *thread)
{
  guintptr pointer
      = __atomic_load_n (&thread->record.thread_pointer, __ATOMIC_ACQUIRE);
  guintptr low, high;

  if (pointer == 0 || thread->stack_is_looked_for
      || thread->record.stack_high != 0)
    return;
  thread->stack_is_looked_for = TRUE;
  if (pyro_control_block_find_stack (pointer, thread->info.tid, &low, &high))
    set_stack (thread, low, high);
}

void
pyro_thread_adopt (PyroThread *thread, PyroAnnouncement *announcement)
{
  PyroAnnouncement *known = thread->announcements;

  while (known != NULL && known != announcement)
    known = known->next_adopted;
  if (known == NULL) {
    announcement->next_adopted = thread->announcements;
    thread->announcements = announcement;
  }
  if (announcement->stack_high != 0)
    set_stack (thread, announcement->stack_low, announcement->stack_high);
  __atomic_store_n (&thread->record.turns, &announcement->turns,
                    __ATOMIC_RELEASE);
  __atomic_store_n (&thread->record.fallback, &announcement->fallback,
                    __ATOMIC_RELEASE);
  __atomic_store_n (&thread->record.label, announcement->label,
                    __ATOMIC_RELEASE);
}
