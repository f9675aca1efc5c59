/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "thread-private.h"

#include "control-block.h"
#include "cpu-timer.h"
#include "kernel-clock.h"

#define NS_PER_S G_GINT64_CONSTANT (1000000000)

#define NAME_INTERVAL_US 200000
#define MIN_ACCOUNT_WAIT_US 20000
#define MAX_ACCOUNT_WAIT_US 640000
#define MAX_RETRY_WAIT_US 2560000

/* A sample stands for a whole period, however short the time was until the
 * first one; periods differ by 0.7 to 1.3. */
#define N_PERIODS_AHEAD 3

/* FALSE: it is gone. */
gboolean
pyro_thread_read_clock (PyroThread *thread, gint64 *ns)
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
  if (pyro_thread_read_clock (thread, &thread->clock_ns))
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

static const PyroAnnouncement *
announcement_in_force (PyroThread *thread)
{
  const PyroAnnouncement *announcement = thread->announcements;

  while (announcement != NULL && announcement->label != thread->record.label)
    announcement = announcement->next_adopted;
  return announcement;
}

static guint64
label_now (PyroThread *thread)
{
  const PyroAnnouncement *announcement = announcement_in_force (thread);

  return announcement != NULL ? pyro_announcement_get_label (announcement) : 0;
}

static guint64
sole_label (PyroThread *thread)
{
  const PyroAnnouncement *announcement = announcement_in_force (thread);

  return announcement != NULL ? pyro_announcement_get_sole_label (announcement)
                              : 0;
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

void
pyro_thread_tell (PyroThread *thread, PyroUnsampledReason reason, gint64 ns,
                  guint64 weight, const PyroThreadsSink *sink, gpointer data)
{
  tell_as (thread, reason, ns, weight, sole_label (thread), sink, data);
}

static void
tell_lost (PyroThread *thread, const PyroThreadsSink *sink, gpointer data)
{
  guint64 ns = __atomic_load_n (&thread->record.lost_ns, __ATOMIC_RELAXED);
  guint64 weight
      = __atomic_load_n (&thread->record.lost_weight, __ATOMIC_RELAXED);

  if (ns == thread->lost_ns)
    return;
  pyro_thread_tell (thread, PYRO_UNSAMPLED_LOST, (gint64)(ns - thread->lost_ns),
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
  if (pyro_thread_read_clock (thread, &clock_ns) && clock_ns > thread->told_ns)
    pyro_thread_tell (thread, reason, clock_ns - thread->told_ns, 0, sink,
                      data);
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
      pyro_thread_tell (thread, thread->reason, ended_ns - thread->told_ns, 0,
                        sink, data);
  } else if (ended_ns >= thread->next_ns) {
    gint64 due = 1 + (ended_ns - thread->next_ns) / interval;
    gint64 missing = due - (thread->told_ns - thread->counted_ns) / interval;

    if (missing > 0)
      pyro_thread_tell (thread, PYRO_UNSAMPLED_UNSEEN, missing * interval,
                        (guint64)missing, sink, data);
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
