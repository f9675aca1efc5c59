/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "threads.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cpu-timer.h"
#include "thread-record.h"

#define NS_PER_S G_GUINT64_CONSTANT (1000000000)

/* A full look at /proc/self/task takes 50-100 us; in between the number of
 * threads is watched (one stat(), 1.5 us). */
#define SCAN_INTERVAL_US 100000
#define CHECK_INTERVAL_US 1000000
#define NAME_INTERVAL_US 200000

/* Names of our own threads begin so. */
#define OWN_NAME_PREFIX "pyro-"

typedef struct {
  PyroThreadRecord record;
  PyroThreadInfo info;
  PyroAnnouncement *announcements;
  guint slot;
  gint timer_id;
  gboolean armed;
  gboolean seen;              /* by the scan that is going on */
  PyroUnsampledReason reason; /* where it is not armed */
  guint64 accounted_ns;       /* CPU clock up to which its time has been told */
  guint64 checked_ns;         /* CPU clock at the last check */
  guint64 busy_ns;            /* CPU time between the last two checks */
  guint64 sampled_ns;         /* by samples, since the last check */
  guint64 lost_ns, lost_weight; /* of the record's, what has been told */
  gint64 name_time;
} PyroThread;

struct _PyroThreads {
  GHashTable *by_tid; /* pid_t → PyroThread */
  GArray *tids;       /* scratch */
  guint rate;
  gint signo;
  guint generation;
  guint n_armed;
  guint max_timers;
  guint last_count;
  guint next_slot;
  gint64 scan_time, check_time;
  gboolean starting; /* CPU time of before is not ours */
  guint32 random;
};

static PyroAnnouncement *announced; /* lock-free stack */

void
pyro_threads_announce (PyroAnnouncement *announcement)
{
  PyroAnnouncement *head;

  if (__atomic_exchange_n (&announcement->queued, 1, __ATOMIC_ACQ_REL))
    return;
  head = __atomic_load_n (&announced, __ATOMIC_RELAXED);
  do
    announcement->next = head;
  while (!__atomic_compare_exchange_n (&announced, &head, announcement, TRUE,
                                       __ATOMIC_RELEASE, __ATOMIC_RELAXED));
}

static void
thread_free (gpointer data)
{
  PyroThread *thread = data;

  while (thread->announcements != NULL) {
    PyroAnnouncement *announcement = thread->announcements;

    thread->announcements = announcement->next;
    announcement->release (announcement);
  }
  if (thread->record.ring.data != NULL)
    munmap (thread->record.ring.data, thread->record.ring.capacity);
  g_free (thread);
}

PyroThreads *
pyro_threads_new (void)
{
  PyroThreads *threads = g_new0 (PyroThreads, 1);

  threads->by_tid = g_hash_table_new_full (NULL, NULL, NULL, thread_free);
  threads->tids = g_array_new (FALSE, FALSE, sizeof (pid_t));
  threads->random = g_random_int () | 1;
  return threads;
}

/* Marsaglia's xorshift32: good enough to keep phases apart. */
static guint32
next_random (PyroThreads *threads)
{
  guint32 x = threads->random;

  x ^= x << 13;
  x ^= x >> 17;
  x ^= x << 5;
  return threads->random = x;
}

static gboolean
is_gone (pid_t tid)
{
  return syscall (SYS_tgkill, getpid (), tid, 0) != 0 && errno == ESRCH;
}

/* timers */

/* Real pipelines are regular, and a sampler of fixed period falls in step with
 * them. So each period lasts between 0.9 and 1.1 of the nominal one and begins
 * at a phase that is uniform in it: the expected number of expirations in any
 * stretch of CPU time is then its length over the period, without bias, for
 * threads that live shorter than one period, too. */
static void
start_timer (PyroThreads *threads, PyroThread *thread)
{
  guint64 nominal = NS_PER_S / threads->rate;
  guint64 interval
      = nominal * 9 / 10 + next_random (threads) % (nominal / 5 + 1);
  guint64 first = 1 + next_random (threads) % interval;

  __atomic_store_n (&thread->record.interval_ns, interval, __ATOMIC_RELAXED);
  pyro_cpu_timer_start (thread->timer_id, first, interval);
}

static gboolean
ensure_ring (PyroThreads *threads, PyroThread *thread)
{
  PyroRing *ring = &thread->record.ring;
  /* Half a second of samples of a usual size: the collector reads every 20 ms,
   * but may be kept waiting by the loader's lock or a busy machine. */
  gsize wanted = (gsize)threads->rate * 512 / 2;
  gsize capacity = 16384;
  gpointer data;

  if (ring->data != NULL)
    return TRUE;
  while (capacity < wanted)
    capacity *= 2;
  data = mmap (NULL, capacity, PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED)
    return FALSE;
  ring->capacity = capacity;
  ring->data = data;
  return TRUE;
}

static void
disarm (PyroThreads *threads, PyroThread *thread, PyroUnsampledReason reason)
{
  thread->reason = reason;
  if (!thread->armed)
    return;
  __atomic_store_n (&thread->record.generation, 0, __ATOMIC_RELEASE);
  pyro_cpu_timer_delete (thread->timer_id);
  thread->armed = FALSE;
  threads->n_armed--;
  pyro_thread_cpu_time (thread->info.tid, &thread->accounted_ns);
}

static void
arm (PyroThreads *threads, PyroThread *thread)
{
  PyroTaskStatus status;
  guint64 generation;

  if (thread->armed)
    return;
  if (pyro_proc_read_status (thread->info.tid, &status)) {
    memcpy (thread->info.name, status.name, sizeof status.name);
    if (g_str_has_prefix (status.name, OWN_NAME_PREFIX)) {
      thread->reason = PYRO_UNSAMPLED_OWN;
      return;
    }
    if (status.blocked_signals >> (threads->signo - 1) & 1) {
      thread->reason = PYRO_UNSAMPLED_BLOCKED;
      return;
    }
  }

  thread->reason = PYRO_UNSAMPLED_NO_TIMER;
  if (threads->n_armed >= threads->max_timers || !ensure_ring (threads, thread))
    return;
  threads->generation = threads->generation % 0xffffff + 1;
  generation = threads->generation;
  if (pyro_cpu_timer_create (thread->info.tid, threads->signo,
                             pyro_cookie (thread->slot, generation),
                             &thread->timer_id)
      != 0)
    return;
  __atomic_store_n (&thread->record.generation, generation, __ATOMIC_RELEASE);
  thread->armed = TRUE;
  threads->n_armed++;
  start_timer (threads, thread);
}

/* CPU time without samples */

static guint64
label_now (PyroThread *thread)
{
  const guint64 *label
      = __atomic_load_n (&thread->record.label, __ATOMIC_ACQUIRE);

  return label != NULL ? __atomic_load_n (label, __ATOMIC_RELAXED) : 0;
}

static void
account (PyroThread *thread, const PyroThreadsSink *sink, gpointer data)
{
  guint64 now_ns;

  if (thread->armed || !pyro_thread_cpu_time (thread->info.tid, &now_ns)
      || now_ns <= thread->accounted_ns)
    return;
  sink->unsampled (&thread->info, thread->reason, now_ns - thread->accounted_ns,
                   0, label_now (thread), data);
  thread->accounted_ns = now_ns;
}

static void
account_lost (PyroThread *thread, const PyroThreadsSink *sink, gpointer data)
{
  guint64 ns = __atomic_load_n (&thread->record.lost_ns, __ATOMIC_RELAXED);
  guint64 weight
      = __atomic_load_n (&thread->record.lost_weight, __ATOMIC_RELAXED);

  if (ns == thread->lost_ns)
    return;
  sink->unsampled (&thread->info, PYRO_UNSAMPLED_LOST, ns - thread->lost_ns,
                   weight - thread->lost_weight, label_now (thread), data);
  thread->lost_ns = ns;
  thread->lost_weight = weight;
}

/* finding and sweeping */

static gboolean
take_slot (PyroThreads *threads, PyroThread *thread)
{
  for (guint i = 0; i < PYRO_MAX_THREADS; i++) {
    guint slot = (threads->next_slot + i) % PYRO_MAX_THREADS;

    if (pyro_thread_records[slot] == NULL) {
      thread->slot = slot;
      threads->next_slot = slot + 1;
      __atomic_store_n (&pyro_thread_records[slot], &thread->record,
                        __ATOMIC_RELEASE);
      return TRUE;
    }
  }
  return FALSE;
}

static PyroThread *
discover (PyroThreads *threads, pid_t tid, const PyroThreadsSink *sink,
          gpointer data)
{
  PyroThread *thread;
  guint64 used_ns;

  if (!pyro_thread_cpu_time (tid, &used_ns))
    return NULL;
  thread = g_new0 (PyroThread, 1);
  thread->info.tid = tid;
  if (!take_slot (threads, thread)) {
    g_free (thread);
    return NULL;
  }
  g_hash_table_insert (threads->by_tid, GINT_TO_POINTER (tid), thread);
  thread->seen = TRUE;
  arm (threads, thread);

  thread->checked_ns = used_ns;
  if (threads->starting || !thread->armed) {
    /* Not armed: what it has used is told with the next account(). */
    thread->accounted_ns = threads->starting ? used_ns : 0;
  } else if (used_ns > 0) {
    sink->unsampled (&thread->info, PYRO_UNSAMPLED_START, used_ns, 0,
                     label_now (thread), data);
  }
  return thread;
}

static void
drain_thread (PyroThread *thread, const PyroThreadsSink *sink, gpointer data)
{
  const PyroSample *sample;

  while ((sample = pyro_ring_peek (&thread->record.ring)) != NULL) {
    thread->sampled_ns += sample->nanoseconds;
    sink->sample (&thread->info, sample, data);
    pyro_ring_release (&thread->record.ring, sample);
  }
  account_lost (thread, sink, data);
}

/* The thread is gone, so no handler can run on it any more. */
static void
bury (PyroThreads *threads, PyroThread *thread, const PyroThreadsSink *sink,
      gpointer data)
{
  if (thread->record.ring.data != NULL)
    drain_thread (thread, sink, data);
  disarm (threads, thread, thread->reason);
  __atomic_store_n (&pyro_thread_records[thread->slot], NULL, __ATOMIC_RELEASE);
  g_hash_table_remove (threads->by_tid, GINT_TO_POINTER (thread->info.tid));
}

static void
adopt (PyroThread *thread, PyroAnnouncement *announcement)
{
  for (PyroAnnouncement *a = thread->announcements; a != NULL; a = a->next)
    if (a == announcement)
      goto known;
  announcement->next = thread->announcements;
  thread->announcements = announcement;
known:
  __atomic_store_n (&thread->record.label, announcement->label,
                    __ATOMIC_RELEASE);
}

static gboolean
take_announcements (PyroThreads *threads, const PyroThreadsSink *sink,
                    gpointer data)
{
  PyroAnnouncement *announcement
      = __atomic_exchange_n (&announced, NULL, __ATOMIC_ACQUIRE);
  gboolean found = FALSE;

  while (announcement != NULL) {
    PyroAnnouncement *next = announcement->next;
    PyroThread *thread = g_hash_table_lookup (
        threads->by_tid, GINT_TO_POINTER (announcement->tid));

    if (thread == NULL) {
      thread = discover (threads, announcement->tid, sink, data);
      found |= thread != NULL;
    }
    if (thread == NULL && is_gone (announcement->tid)) {
      announcement->release (announcement);
    } else {
      if (thread != NULL)
        adopt (thread, announcement);
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
  gboolean found = FALSE;

  g_array_set_size (threads->tids, 0);
  if (pyro_proc_list_tasks (threads->tids)) {
    for (guint i = 0; i < threads->tids->len; i++) {
      pid_t tid = g_array_index (threads->tids, pid_t, i);
      PyroThread *thread
          = g_hash_table_lookup (threads->by_tid, GINT_TO_POINTER (tid));

      if (thread != NULL)
        thread->seen = TRUE;
      else
        found |= discover (threads, tid, sink, data) != NULL;
    }
  }
  bury_the_gone (threads, sink, data);
  return found;
}

/* once a second */

/* Timers are short (RLIMIT_SIGPENDING): the busiest threads have them. */
static void
give_timers_to_the_busy (PyroThreads *threads)
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
    } else if (thread->reason == PYRO_UNSAMPLED_NO_TIMER) {
      if (busiest == NULL || thread->busy_ns > busiest->busy_ns)
        busiest = thread;
    }
  }
  if (busiest == NULL)
    return;
  if (threads->n_armed >= threads->max_timers && idlest != NULL
      && busiest->busy_ns > 2 * idlest->busy_ns + NS_PER_S / 100)
    disarm (threads, idlest, PYRO_UNSAMPLED_NO_TIMER);
  arm (threads, busiest);
}

static void
check (PyroThreads *threads, const PyroThreadsSink *sink, gpointer data)
{
  g_autoptr (GPtrArray) replaced = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, threads->by_tid);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    PyroThread *thread = value;
    guint64 now_ns;
    PyroTaskStatus status;

    if (!pyro_thread_cpu_time (thread->info.tid, &now_ns))
      continue;
    if (now_ns < thread->checked_ns) {
      /* A clock does not run backwards: another thread has its id now. */
      g_ptr_array_add (replaced, thread);
      continue;
    }
    thread->busy_ns = now_ns - thread->checked_ns;
    if (thread->armed) {
      guint64 interval = thread->record.interval_ns;

      if (thread->busy_ns > 4 * interval && thread->sampled_ns == 0
          && pyro_proc_read_status (thread->info.tid, &status)
          && (status.blocked_signals >> (threads->signo - 1) & 1)) {
        guint64 since = thread->checked_ns;

        disarm (threads, thread, PYRO_UNSAMPLED_BLOCKED);
        thread->accounted_ns = since;
      } else if (thread->busy_ns > 0) {
        start_timer (threads, thread);
      }
    } else if (thread->reason == PYRO_UNSAMPLED_BLOCKED) {
      account (thread, sink, data);
      arm (threads, thread);
    }
    thread->sampled_ns = 0;
    thread->checked_ns = now_ns;
  }
  for (guint i = 0; i < replaced->len; i++)
    bury (threads, g_ptr_array_index (replaced, i), sink, data);
  give_timers_to_the_busy (threads);
}

gboolean
pyro_threads_update (PyroThreads *threads, gint64 now,
                     const PyroThreadsSink *sink, gpointer data)
{
  gboolean found = take_announcements (threads, sink, data);
  guint count = pyro_proc_count_tasks ();
  GHashTableIter iter;
  gpointer value;

  if (count != threads->last_count
      || now - threads->scan_time >= SCAN_INTERVAL_US) {
    threads->last_count = count;
    threads->scan_time = now;
    found |= scan (threads, sink, data);
  }
  threads->starting = FALSE;

  g_hash_table_iter_init (&iter, threads->by_tid);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    account (value, sink, data);

  if (now - threads->check_time >= CHECK_INTERVAL_US) {
    threads->check_time = now;
    check (threads, sink, data);
  }
  return found;
}

gboolean
pyro_threads_drain (PyroThreads *threads, gint64 now,
                    const PyroThreadsSink *sink, gpointer data)
{
  gboolean unknown_stack = FALSE;
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, threads->by_tid);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    PyroThread *thread = value;

    if (thread->record.ring.data == NULL
        || pyro_ring_peek (&thread->record.ring) == NULL) {
      account_lost (thread, sink, data);
      continue;
    }
    if (now - thread->name_time >= NAME_INTERVAL_US) {
      /* Threads are named after they begin, pool threads again and again. */
      thread->name_time = now;
      pyro_proc_read_name (thread->info.tid, thread->info.name);
    }
    drain_thread (thread, sink, data);
    unknown_stack |= __atomic_exchange_n (&thread->record.unknown_stack, 0,
                                          __ATOMIC_RELAXED);
  }
  return unknown_stack;
}

void
pyro_threads_start (PyroThreads *threads, guint rate, gint signo)
{
  struct rlimit limit;
  GHashTableIter iter;
  gpointer value;

  threads->rate = rate;
  threads->signo = signo;
  threads->starting = TRUE;
  threads->last_count = 0;
  threads->max_timers = PYRO_MAX_THREADS;
  /* Each timer holds one queued signal: half of them is the application's. */
  if (getrlimit (RLIMIT_SIGPENDING, &limit) == 0
      && limit.rlim_cur != RLIM_INFINITY
      && limit.rlim_cur / 2 < threads->max_timers)
    threads->max_timers = limit.rlim_cur / 2;

  /* Threads that an earlier run left: the dead ones go with the next scan. */
  g_hash_table_iter_init (&iter, threads->by_tid);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    PyroThread *thread = value;

    if (!pyro_thread_cpu_time (thread->info.tid, &thread->accounted_ns))
      continue;
    thread->checked_ns = thread->accounted_ns;
    arm (threads, thread);
  }
}

static void
rearm_all (PyroThreads *threads, gint signo)
{
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, threads->by_tid);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    PyroThread *thread = value;

    if (signo != threads->signo)
      disarm (threads, thread, PYRO_UNSAMPLED_NO_TIMER);
    else if (thread->armed)
      start_timer (threads, thread);
  }
  if (signo == threads->signo)
    return;
  threads->signo = signo;
  g_hash_table_iter_init (&iter, threads->by_tid);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    arm (threads, value);
}

void
pyro_threads_set_rate (PyroThreads *threads, guint rate)
{
  threads->rate = rate;
  rearm_all (threads, threads->signo);
}

void
pyro_threads_set_signal (PyroThreads *threads, gint signo)
{
  rearm_all (threads, signo);
}

void
pyro_threads_stop (PyroThreads *threads)
{
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, threads->by_tid);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    disarm (threads, value, ((PyroThread *)value)->reason);
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

void
pyro_threads_forget (void)
{
  memset (pyro_thread_records, 0, sizeof pyro_thread_records);
  announced = NULL;
}
