/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "threads.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "announcement.h"
#include "bounded-clock.h"
#include "cpu-timer.h"
#include "kernel-clock.h"
#include "slots.h"
#include "thread-record.h"
#include "threads-private.h"

#define NS_PER_S G_GINT64_CONSTANT (1000000000)

/* The number of threads is watched at each update (one stat(), 1.6 us). A full
 * look takes 10 us for a few threads, 0.5 ms for a thousand: it comes when the
 * number has changed, and now and then for threads that came as others went.
 * It waits so many times longer than it takes, at least. */
#define SCAN_INTERVAL_US 250000
#define SCAN_PAUSE 10000
#define SCAN_PAUSE_AFTER_CHANGE 50
/* Threads that are gone keep their rings until they are looked for: so many may
 * wait for that where others came as they went. */
#define MAX_GONE 16

PyroThreads *
pyro_threads_new (void)
{
  PyroThreads *threads = g_new0 (PyroThreads, 1);

  threads->by_tid = g_hash_table_new (NULL, NULL);
  threads->tids = g_array_new (FALSE, FALSE, sizeof (pid_t));
  threads->plan.random = g_random_int () | 1;
  return threads;
}

void
pyro_threads_free (PyroThreads *threads)
{
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, threads->by_tid);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    pyro_thread_disarm (value, PYRO_UNSAMPLED_START);
    pyro_thread_free (value);
  }
  pyro_threads_forget ();
  g_hash_table_unref (threads->by_tid);
  g_array_unref (threads->tids);
  g_free (threads);
}

static PyroThread *
find (PyroThreads *threads, pid_t tid)
{
  return g_hash_table_lookup (threads->by_tid, GINT_TO_POINTER (tid));
}

static gboolean
is_gone (pid_t tid)
{
  return syscall (SYS_tgkill, getpid (), tid, 0) != 0 && errno == ESRCH;
}

/* timers */

static gboolean
has_timers_left (PyroThreads *threads)
{
  return threads->n_armed < threads->max_timers;
}

PyroArmResult
pyro_threads_arm (PyroThreads *threads, PyroThread *thread,
                  const PyroThreadsSink *sink, gpointer data)
{
  PyroArmResult result;

  if (thread->armed)
    return PYRO_ARM_DONE;
  result = pyro_thread_arm (thread, &threads->plan, has_timers_left (threads),
                            sink, data);
  if (result == PYRO_ARM_DONE)
    threads->n_armed++;
  return result;
}

void
pyro_threads_disarm (PyroThreads *threads, PyroThread *thread,
                     PyroUnsampledReason reason)
{
  if (thread->armed)
    threads->n_armed--;
  threads->account_time = 0;
  pyro_thread_disarm (thread, reason);
}

/* finding and sweeping */

static void
set_main_stack (PyroThreads *threads, PyroThread *thread)
{
  __atomic_store_n (&thread->record.stack_low, threads->main_low,
                    __ATOMIC_RELAXED);
  __atomic_store_n (&thread->record.stack_high, threads->main_high,
                    __ATOMIC_RELEASE);
}

void
pyro_threads_set_main_stack (PyroThreads *threads, guintptr low, guintptr high)
{
  PyroThread *thread = find (threads, getpid ());

  threads->main_low = low;
  threads->main_high = high;
  if (thread != NULL)
    set_main_stack (threads, thread);
}

/* It is armed when its announcements are known: what it used until then is told
 * with its label. It can have used it only since SINCE. */
static PyroThread *
discover (PyroThreads *threads, pid_t tid, gint64 since)
{
  PyroThread *thread;

  if (g_hash_table_size (threads->by_tid) >= PYRO_MAX_THREADS)
    return NULL; /* its time is told as UNSEEN */
  thread = pyro_thread_new (tid, since);
  if (thread == NULL)
    return NULL;
  if (!pyro_slots_take (&thread->record)) {
    pyro_thread_free (thread);
    return NULL;
  }
  g_hash_table_insert (threads->by_tid, GINT_TO_POINTER (tid), thread);
  thread->seen = TRUE;
  if (tid == getpid ())
    set_main_stack (threads, thread);
  if (threads->starting)
    pyro_thread_start (thread);
  return thread;
}

/* The thread is gone, so no handler can run on it any more. */
static void
bury (PyroThreads *threads, PyroThread *thread, const PyroThreadsSink *sink,
      gpointer data)
{
  pyro_thread_drain (thread, 0, sink, data);
  pyro_thread_tell_end (thread, sink, data);
  pyro_threads_disarm (threads, thread, thread->reason);
  threads->told_of_gone_ns += thread->told_ns - thread->base_ns;
  pyro_unblocked_release (thread->info.tid);
  pyro_slots_give_back (&thread->record);
  g_hash_table_remove (threads->by_tid, GINT_TO_POINTER (thread->info.tid));
  pyro_thread_free (thread);
}

/* Another thread has got the id of one that is gone. Who of the two made the
 * announcements cannot be told: the new one keeps them all, because its own
 * must not be released while it lives. NULL: it is gone, too. */
PyroThread *
pyro_threads_replace (PyroThreads *threads, PyroThread *old,
                      const PyroThreadsSink *sink, gpointer data)
{
  PyroAnnouncement *announcements = g_steal_pointer (&old->announcements);
  pid_t tid = old->info.tid;
  gint64 since = old->clock.time;
  PyroThread *thread;

  bury (threads, old, sink, data);
  thread = discover (threads, tid, since);
  while (announcements != NULL) {
    PyroAnnouncement *next = announcements->next_adopted;

    if (thread != NULL)
      pyro_thread_adopt (thread, announcements);
    else if (is_gone (tid))
      announcements->release (announcements);
    announcements = next;
  }
  if (thread != NULL)
    pyro_threads_arm (threads, thread, sink, data);
  return thread;
}

/* It came and went before anybody looked. */
static void
tell_of_unmet (PyroThreads *threads, const PyroAnnouncement *announcement,
               const PyroThreadsSink *sink, gpointer data)
{
  const PyroThreadInfo info = { .tid = announcement->tid };
  PyroBoundedClock clock;
  gint64 used_ns, impossible_ns = 0;

  if (announcement->ended_ns == 0)
    return;
  pyro_bounded_clock_start (&clock, 0, threads->start_time);
  used_ns
      = pyro_bounded_clock_take (&clock, (gint64)announcement->ended_ns,
                                 pyro_clock_monotonic (), 1, &impossible_ns);
  threads->told_of_gone_ns += used_ns;
  if (sink == NULL)
    return;
  if (impossible_ns > 0)
    sink->impossible (&info, (guint64)impossible_ns, data);
  else
    sink->unsampled (&info, PYRO_UNSAMPLED_START, (guint64)used_ns, 0,
                     pyro_announcement_get_sole_label (announcement), data);
}

static gboolean
take_announcements (PyroThreads *threads, const PyroThreadsSink *sink,
                    gpointer data)
{
  PyroAnnouncement *announcement = pyro_announcements_take ();
  gboolean found = FALSE;

  while (announcement != NULL) {
    PyroAnnouncement *next = announcement->next_queued;
    PyroThread *thread = find (threads, announcement->tid);

    if (thread == NULL) {
      thread = discover (threads, announcement->tid, threads->start_time);
      found |= thread != NULL;
    } else if (thread->announcements != announcement
               && pyro_thread_is_replaced (thread)) {
      thread = pyro_threads_replace (threads, thread, sink, data);
      found = TRUE;
    }
    if (thread == NULL && is_gone (announcement->tid)) {
      tell_of_unmet (threads, announcement, sink, data);
      announcement->release (announcement);
    } else {
      if (thread != NULL) {
        pyro_thread_adopt (thread, announcement);
        pyro_threads_arm (threads, thread, sink, data);
      }
      __atomic_store_n (&announcement->queued, 0, __ATOMIC_RELEASE);
    }
    announcement = next;
  }
  return found;
}

/* Every thread has its SEEN mark from the list or, where /proc cannot be read,
 * none is missing. */
static void
bury_the_gone (PyroThreads *threads, const PyroThreadsSink *sink, gpointer data)
{
  g_autoptr (GPtrArray) gone = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, threads->by_tid);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    PyroThread *thread = value;

    if (!thread->seen && is_gone (thread->info.tid))
      g_ptr_array_add (gone, thread);
    thread->seen = FALSE;
  }
  for (guint i = 0; i < gone->len; i++)
    bury (threads, g_ptr_array_index (gone, i), sink, data);
}

static gboolean
scan (PyroThreads *threads, const PyroThreadsSink *sink, gpointer data)
{
  gint64 begin = pyro_clock_monotonic ();
  guint n_new = 0;

  g_array_set_size (threads->tids, 0);
  if (pyro_proc_list_tasks (threads->tids)) {
    for (guint i = 0; i < threads->tids->len; i++) {
      pid_t tid = g_array_index (threads->tids, pid_t, i);
      PyroThread *thread = find (threads, tid);

      if (thread != NULL)
        thread->seen = TRUE;
      else if (discover (threads, tid, threads->start_time) != NULL)
        g_array_index (threads->tids, pid_t, n_new++) = tid;
    }
  }
  if (n_new > 0)
    take_announcements (threads, sink, data);
  for (guint i = 0; i < n_new; i++) {
    PyroThread *thread
        = find (threads, g_array_index (threads->tids, pid_t, i));

    if (thread != NULL)
      pyro_threads_arm (threads, thread, sink, data);
  }
  bury_the_gone (threads, sink, data);
  threads->scan_time = pyro_clock_monotonic ();
  threads->scan_cost = threads->scan_time - begin;
  return n_new > 0;
}

static gboolean
wants_scan (PyroThreads *threads, gint64 now)
{
  guint count = pyro_proc_count_tasks ();
  gint64 since = now - threads->scan_time;
  gboolean is_changed
      = count != threads->last_count
        || (count != 0
            && g_hash_table_size (threads->by_tid) > count + MAX_GONE);

  if (is_changed && since >= SCAN_PAUSE_AFTER_CHANGE * threads->scan_cost) {
    threads->last_count = count;
    return TRUE;
  }
  return since >= MAX (SCAN_INTERVAL_US, SCAN_PAUSE * threads->scan_cost);
}

/* outside */

gboolean
pyro_threads_update (PyroThreads *threads, gint64 now,
                     const PyroThreadsSink *sink, gpointer data)
{
  gboolean found = take_announcements (threads, sink, data);
  gboolean checks
      = now - threads->check_time >= pyro_threads_check_interval (threads);

  if (wants_scan (threads, now) || checks)
    found |= scan (threads, sink, data);
  if (found || now >= threads->account_time)
    pyro_threads_account (threads, now, sink, data);
  if (checks)
    pyro_threads_check (threads, now, sink, data);
  return found;
}

gboolean
pyro_threads_meet (PyroThreads *threads, const PyroThreadsSink *sink,
                   gpointer data)
{
  return take_announcements (threads, sink, data);
}

typedef struct {
  gint64 now;
  const PyroThreadsSink *sink;
  gpointer data;
  gboolean unknown_stack;
} Drain;

static void
drain_marked (PyroThreadRecord *record, gpointer data)
{
  Drain *drain = data;

  pyro_thread_drain ((PyroThread *)record, drain->now, drain->sink,
                     drain->data);
  drain->unknown_stack
      |= __atomic_exchange_n (&record->unknown_stack, 0, __ATOMIC_RELAXED);
  pyro_thread_find_stack ((PyroThread *)record);
  if (drain->sink->wanted_code == NULL
      || __atomic_load_n (&record->unwind_cache.wanted_code, __ATOMIC_RELAXED)
             == 0)
    return;
  drain->sink->wanted_code (
      __atomic_exchange_n (&record->unwind_cache.wanted_code, 0,
                           __ATOMIC_RELAXED),
      drain->data);
}

gboolean
pyro_threads_drain (PyroThreads *threads, gint64 now,
                    const PyroThreadsSink *sink, gpointer data)
{
  Drain drain = { .now = now, .sink = sink, .data = data };

  pyro_slots_visit_marked (drain_marked, &drain);
  return drain.unknown_stack;
}

static void
read_limit (PyroThreads *threads)
{
  struct rlimit limit;

  threads->max_timers = PYRO_MAX_THREADS;
  /* Each timer holds one queued signal: half of them is the application's. */
  if (getrlimit (RLIMIT_SIGPENDING, &limit) == 0
      && limit.rlim_cur != RLIM_INFINITY
      && limit.rlim_cur / 2 < threads->max_timers)
    threads->max_timers = (guint)(limit.rlim_cur / 2);
}

void
pyro_threads_start (PyroThreads *threads, guint rate)
{
  GHashTableIter iter;
  gpointer value;

  threads->plan.rate = rate;
  threads->plan.signo = 0;
  read_limit (threads);

  pyro_threads_start_process_clock (threads);
  threads->told_of_gone_ns = threads->told_unseen_ns = 0;
  pyro_unblocking_sweep ();
  /* Threads that an earlier run left: the dead ones go with the scan. */
  g_hash_table_iter_init (&iter, threads->by_tid);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    pyro_thread_start (value);
  }
  threads->account_time = 0;
  threads->starting = TRUE;
  scan (threads, NULL, NULL);
  threads->starting = FALSE;
  threads->check_time = pyro_clock_monotonic ();
}

void
pyro_threads_set_rate (PyroThreads *threads, guint rate)
{
  GHashTableIter iter;
  gpointer value;

  threads->plan.rate = rate;
  g_hash_table_iter_init (&iter, threads->by_tid);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    PyroThread *thread = value;

    if (!thread->armed)
      continue;
    pyro_thread_fit_ring (thread, rate);
    pyro_thread_change_period (thread, &threads->plan, TRUE);
  }
}

void
pyro_threads_set_signal (PyroThreads *threads, gint signo,
                         const PyroThreadsSink *sink, gpointer data)
{
  GHashTableIter iter;
  gpointer value;

  /* What threads used until now is told with their labels. */
  take_announcements (threads, sink, data);
  threads->plan.signo = signo;
  g_hash_table_iter_init (&iter, threads->by_tid);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    PyroThread *thread = value;

    if (thread->armed)
      pyro_threads_disarm (threads, thread, PYRO_UNSAMPLED_MISSED);
    pyro_threads_arm (threads, thread, sink, data);
  }
}

gboolean
pyro_threads_have_pending (PyroThreads *threads, gint signo)
{
  GHashTableIter iter;
  gpointer key;

  g_hash_table_iter_init (&iter, threads->by_tid);
  while (g_hash_table_iter_next (&iter, &key, NULL)) {
    PyroTaskStatus status;

    if (pyro_proc_read_status (GPOINTER_TO_INT (key), &status)
            ? (status.pending_signals >> (signo - 1) & 1) != 0
            : pyro_proc_is_short ())
      return TRUE;
  }
  return FALSE;
}

void
pyro_threads_stop (PyroThreads *threads, gint64 now,
                   const PyroThreadsSink *sink, gpointer data)
{
  GHashTableIter iter;
  gpointer value;

  scan (threads, sink, data);
  pyro_threads_check (threads, now, sink, data);
  g_hash_table_iter_init (&iter, threads->by_tid);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    PyroThread *thread = value;

    if (thread->armed) {
      /* Nobody waits for an expiration that is late. */
      gboolean overdue = pyro_thread_is_overdue (thread);

      pyro_threads_disarm (threads, thread, thread->reason);
      pyro_thread_drain (thread, 0, sink, data);
      if (overdue)
        pyro_thread_tell_rest (thread, PYRO_UNSAMPLED_MISSED, sink, data);
    } else {
      pyro_thread_tell_rest (thread, thread->reason, sink, data);
    }
  }
}

gboolean
pyro_threads_is_quiescent (gpointer data)
{
  PyroThreads *threads = data;
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, threads->by_tid);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    PyroThread *thread = value;

    if (__atomic_load_n (&thread->record.in_handler, __ATOMIC_SEQ_CST))
      return FALSE;
  }
  return TRUE;
}

guint
pyro_threads_get_n_armed (PyroThreads *threads)
{
  return threads->n_armed;
}

guint
pyro_threads_get_n (PyroThreads *threads)
{
  return g_hash_table_size (threads->by_tid);
}

gint
pyro_threads_get_timer_error (PyroThreads *threads)
{
  return threads->plan.error;
}

void
pyro_threads_forget (void)
{
  pyro_slots_forget ();
  pyro_announcements_set_waker (NULL);
  pyro_announcements_take ();
}
