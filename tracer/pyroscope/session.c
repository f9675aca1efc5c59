/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "session.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "aggregate.h"
#include "attribution/hooks.h"
#include "attribution/interposition.h"
#include "attribution/late-owners.h"
#include "attribution/nodes.h"
#include "cpu-profile.h"
#include "interval-schedule.h"
#include "kernel-clock.h"
#include "log.h"
#include "map-upkeep.h"
#include "own-thread.h"
#include "sampling/announcement.h"
#include "sampling/control-block.h"
#include "sampling/handler.h"
#include "sampling/signal-choice.h"
#include "sampling/signal-taking.h"
#include "sampling/threads.h"
#include "sampling/unblocking.h"
#include "signal-upkeep.h"
#include "unsampled-report.h"
#include "unwinding/memory-map.h"
#include "unwinding/modules.h"
#include "unwinding/reference-libunwind.h"
#include "unwinding/unloads.h"

#define GST_CAT_DEFAULT pyro_debug

/* How often rings are emptied and threads looked for. Each waking costs 20 to
 * 40 us, whatever there is to do. Measured (two cores, Linux 6.18), in percent
 * of one core, with 2, 100 and 1000 threads: none of them busy 0.06, 0.12,
 * 0.14; one of them busy 0.16, 0.17, 0.20. */
#define TICK_US 20000
/* While no threads come. */
#define STEADY_TICK_US 50000
#define STEADY_AFTER_TICKS 50
/* While no thread uses the CPU. */
#define IDLE_TICK_US 100000
#define IDLE_AFTER_TICKS 25
/* While that goes on. Threads that execute elements announce themselves, and
 * rings hold half a second. */
#define LONG_IDLE_TICK_US 200000
#define LONG_IDLE_AFTER_TICKS (2 * IDLE_AFTER_TICKS)
/* Threads that announce themselves are armed at once, as long as that takes one
 * part in so many of all time. What was not spent may be spent at once. */
#define MEET_TIME_BY_COST 20
#define MEET_SAVED_US 500000
/* More different stacks than this end the interval early: memory is bounded,
 * whatever the interval is. */
#define MAX_ENTRIES 20000

/* A stop always waits so long for the collector. */
#define STOP_GRACE_US 50000

/* In so much of a stop names are still read from files, and in half of its time
 * at most; in the rest the profile is made, written and sent. On a busy
 * machine, with the files in no cache, names could take all of it. */
#define NAMES_PART 2
#define MAX_NAMES_US 300000

#define COLLECTOR_STACK_SIZE (512 * 1024)

/* What the signal handler reads: made once, kept until the process ends,
 * because a signal may come late. The collector's own. */
static struct {
  PyroThreads *threads;
  PyroModules *modules;
  PyroMemoryWatch *watch;
  gboolean with_tables;
  gint in_use; /* by a collector, perhaps one that was not waited for */
} kept;

/* Of the collector; there is one at a time. */
static PyroWakeup wakeup;

struct _PyroSession {
  PyroSettings *settings;
  PyroDelivery *delivery;
  PyroCpuEncoder *encoder;
  pthread_t thread;

  /* Wishes to the collector. */
  gint stop_wanted;
  gint flush_wanted;
  gint pause_seen, rest_seen;
  guint rate_wanted; /* 0: none */

  /* The collector's own. */
  PyroAggregate *aggregate;
  guint rate;
  PyroSignalUpkeep signal;
  PyroMapUpkeep map;
  PyroUnsampledReport unsampled;
  PyroIntervalSchedule schedule;
  gint64 met_paid; /* until when meeting threads was paid for */
  guint idle_ticks, steady_ticks;

  GMutex stats_lock; /* nothing is waited for with it */
  PyroSessionStats stats;
};

/* one job of the delivery */

typedef struct {
  PyroCpuEncoder *encoder;
  PyroAggregate *aggregate;
  guint rate;
  gchar *signal_name;
} Job;

static GBytes *
job_encode (gpointer data, const PyroDeliveryStats *before,
            const PyroDeliveryStats *now)
{
  Job *job = data;

  return pyro_cpu_encoder_encode (job->encoder, job->aggregate, job->rate,
                                  job->signal_name, before, now);
}

static void
job_destroy (gpointer data)
{
  Job *job = data;

  pyro_cpu_encoder_unref (job->encoder);
  pyro_aggregate_free (job->aggregate);
  g_free (job->signal_name);
  g_free (job);
}

/* Begins at NOW, when the one before it ended: they touch. */
static PyroAggregate *
next_aggregate (gint64 now)
{
  PyroAggregate *aggregate = pyro_aggregate_new ();

  aggregate->time_ns -= (aggregate->monotonic_us - now) * 1000;
  aggregate->monotonic_us = now;
  return aggregate;
}

static void
end_interval (PyroSession *session, gint64 now)
{
  PyroAggregate *aggregate = session->aggregate;
  PyroAggregateStats *stats = &aggregate->stats;
  PyroDeliveryJob delivery_job = { .profile_name = PYRO_CPU_PROFILE_NAME,
                                   .encode = job_encode,
                                   .destroy = job_destroy };
  Job *job;

  gboolean is_empty = g_hash_table_size (aggregate->entries) == 0;

  pyro_interval_schedule_next (&session->schedule, now, is_empty);
  if (is_empty) {
    /* Nobody used the CPU: there is nothing to report. */
    session->aggregate = next_aggregate (now);
    pyro_aggregate_free (aggregate);
    return;
  }

  aggregate->duration_ns = (now - aggregate->monotonic_us) * 1000;
  g_mutex_lock (&session->stats_lock);
  session->stats.intervals++;
  session->stats.samples += stats->samples;
  session->stats.dropped += stats->dropped;
  session->stats.impossible_ns += stats->impossible_ns;
  session->stats.truncated += stats->samples - stats->ends[PYRO_STACK_COMPLETE];
  g_mutex_unlock (&session->stats_lock);
  pyro_unsampled_report_end_interval (
      &session->unsampled, stats, session->signal.signo,
      pyro_threads_get_timer_error (kept.threads));
  GST_DEBUG ("interval of %" G_GINT64_FORMAT " ms: %" G_GUINT64_FORMAT
             " samples, %u stacks, %" G_GUINT64_FORMAT " dropped",
             aggregate->duration_ns / 1000000, stats->samples,
             g_hash_table_size (aggregate->entries), stats->dropped);

  job = g_new (Job, 1);
  job->encoder = pyro_cpu_encoder_ref (session->encoder);
  job->aggregate = aggregate;
  job->rate = session->rate;
  job->signal_name = g_strdup (pyro_signal_name (session->signal.signo));
  delivery_job.time_ns = aggregate->time_ns;
  delivery_job.duration_ns = aggregate->duration_ns;
  delivery_job.n_samples = stats->samples;
  delivery_job.size = pyro_aggregate_get_size (aggregate);
  delivery_job.data = job;
  session->aggregate = next_aggregate (now);
  pyro_delivery_submit (session->delivery, &delivery_job);
}

/* A sample now and then does not end the idleness, two in a second do: a
 * hundred threads that each wake up once a second. */
static void
note_work (PyroSession *session)
{
  session->idle_ticks /= 2;
}

static void
on_sample (const PyroThreadInfo *thread, const PyroRawSample *sample,
           gpointer data)
{
  PyroSession *session = data;
  guint64 label = sample->label;

  if (sample->flags & PYRO_SAMPLE_IN_DOUBT)
    label = pyro_hooks_settle_doubt (sample->pcs, sample->depth,
                                     sample->end == PYRO_STACK_COMPLETE
                                         && sample->omitted == 0,
                                     label, sample->fallback);
  label = pyro_late_owners_settle (pyro_nodes_settle (label));
  note_work (session);
  /* A thread that nobody saw come: its stack's root tells where it began. */
  if (label == 0 && sample->end == PYRO_STACK_COMPLETE)
    label = pyro_late_owners_guess (sample->pcs, sample->depth);
  /* Code that was made since (the leaf of a rescued stack, too). */
  if (sample->end == PYRO_STACK_UNKNOWN_CODE
      || pyro_modules_find (kept.modules, sample->pcs[0]) == NULL)
    session->map.is_old = TRUE;
  pyro_aggregate_add_sample (session->aggregate, kept.modules, thread, sample,
                             label);
}

static void
on_unsampled (const PyroThreadInfo *thread, PyroUnsampledReason reason,
              guint64 ns, guint64 weight, guint64 label, gpointer data)
{
  PyroSession *session = data;

  if (reason != PYRO_UNSAMPLED_OWN) {
    note_work (session);
    label = pyro_label_word_unsampled (
        pyro_late_owners_settle (pyro_nodes_settle (label)));
  }
  if (reason == PYRO_UNSAMPLED_BLOCKED)
    pyro_unsampled_report_add_blocking (&session->unsampled, thread->tid);
  pyro_aggregate_add_unsampled (session->aggregate, thread, reason, ns, weight,
                                label);
}

/* ORC's code is copied with the map. */
static void
on_wanted_code (guintptr pc, gpointer data)
{
  PyroSession *session = data;

  if (pyro_modules_want_call_sites (kept.modules, pc))
    return;
  session->map.is_old = TRUE;
  pyro_map_upkeep_hurry (&session->map);
}

static void
on_impossible (const PyroThreadInfo *thread, guint64 ns, gpointer data)
{
  PyroSession *session = data;

  GST_DEBUG ("thread %d (%s): its CPU clock jumped by %" G_GUINT64_FORMAT
             " ns, more than has passed: left out",
             (gint)thread->tid, thread->name, ns);
  session->aggregate->stats.impossible_ns += ns;
}

static const PyroThreadsSink sink
    = { on_sample, on_unsampled, on_wanted_code, on_impossible };

static const gchar *
choose_unwinder (guint kind, PyroUnwindFunc *unwind)
{
  switch (kind) {
  case PYRO_UNWINDER_FRAME_POINTERS:
    *unwind = pyro_unwind_by_frame_pointers;
    return "frame-pointers";
#ifdef HAVE_LIBUNWIND
  case PYRO_UNWINDER_LIBUNWIND:
    *unwind = pyro_unwind_by_libunwind;
    return "libunwind";
#endif
  default:
    *unwind = pyro_unwind_by_tables;
    return "tables";
  }
}

static void
note_new_threads (PyroSession *session)
{
  /* They have new stacks. */
  session->map.is_old = TRUE;
  pyro_map_upkeep_hurry (&session->map);
  session->steady_ticks = session->idle_ticks = 0;
}

static void
tick (PyroSession *session)
{
  gint64 now = pyro_clock_monotonic ();
  guint32 epoch = pyro_unload_epoch ();

  pyro_interposition_tick ();
  if (pyro_threads_update (kept.threads, now, &sink, session))
    note_new_threads (session);
  if (pyro_modules_refresh (kept.modules))
    pyro_map_upkeep_hurry (&session->map);
  if (pyro_threads_drain (kept.threads, now, &sink, session))
    session->map.is_old = TRUE;
  pyro_modules_drained (kept.modules, epoch);
  pyro_map_upkeep_tick (&session->map, kept.watch, kept.threads, now);
  pyro_modules_reclaim (kept.modules, pyro_threads_is_quiescent, kept.threads);
  pyro_memory_watch_reclaim (kept.watch, pyro_threads_is_quiescent,
                             kept.threads);
  pyro_signal_upkeep_tick (&session->signal, kept.threads, now, &sink, session);
}

static void
begin (PyroSession *session)
{
  PyroUnwindFunc unwind;
  const gchar *unwinder
      = choose_unwinder (session->settings->unwinder, &unwind);

  if (kept.threads == NULL) {
    kept.threads = pyro_threads_new ();
    kept.watch = pyro_memory_watch_new ();
  }
  /* What is used while the tables are compiled is told, though without stacks:
   * a pipeline may be over by then. */
  session->rate = session->settings->sample_rate;
  session->aggregate = pyro_aggregate_new ();
  pyro_interval_schedule_init (
      &session->schedule, session->aggregate->monotonic_us,
      (gint64)session->settings->upload_interval * G_USEC_PER_SEC);
  pyro_threads_start (kept.threads, session->rate);

  if (kept.modules == NULL
      || (unwind == pyro_unwind_by_tables && !kept.with_tables)) {
    /* Modules of an earlier session are not freed: a profile that waits for
     * delivery may name them. */
    kept.with_tables = unwind == pyro_unwind_by_tables;
    kept.modules = pyro_modules_new (kept.with_tables);
  }
#ifdef HAVE_LIBUNWIND
  if (unwind == pyro_unwind_by_libunwind)
    pyro_reference_libunwind_warm_up ();
#endif
  pyro_unloads_watch (TRUE);
  pyro_modules_refresh (kept.modules);
  pyro_map_upkeep_hurry (&session->map);
  pyro_map_upkeep_refresh (&session->map, kept.watch, kept.threads,
                           pyro_clock_monotonic ());

  pyro_control_block_learn ();
  pyro_handler_set_unwinder (unwind);
  pyro_signal_upkeep_begin (&session->signal, kept.threads, &wakeup, &sink,
                            session);
  pyro_threads_update (kept.threads, pyro_clock_monotonic (), &sink, session);
  GST_INFO ("sampling %u threads with %s, stacks by %s",
            pyro_threads_get_n (kept.threads),
            pyro_signal_name (session->signal.signo), unwinder);
}

static gboolean
meet_threads (PyroSession *session)
{
  gint64 begin = pyro_clock_monotonic ();

  if (begin < session->met_paid
      || !pyro_threads_meet (kept.threads, &sink, session))
    return FALSE;
  note_new_threads (session);
  session->met_paid = MAX (session->met_paid, begin - MEET_SAVED_US)
                      + MEET_TIME_BY_COST * (pyro_clock_monotonic () - begin);
  return TRUE;
}

static void
sleep_until_next_tick (PyroSession *session)
{
  gint64 us = TICK_US;
  gint64 end;

  if (session->idle_ticks >= LONG_IDLE_AFTER_TICKS)
    us = LONG_IDLE_TICK_US;
  else if (session->idle_ticks >= IDLE_AFTER_TICKS)
    us = IDLE_TICK_US;
  else if (session->steady_ticks >= STEADY_AFTER_TICKS)
    us = STEADY_TICK_US;

  end = pyro_clock_monotonic ();
  /* The end of an interval is not late by a long tick. */
  us = CLAMP (pyro_interval_schedule_next_end (&session->schedule) - end, 0,
              us);
  end += us;
  while (us > 0 && pyro_wakeup_wait (&wakeup, us) == PYRO_WOKEN_BY_HINT) {
    gint64 now = pyro_clock_monotonic ();

    if (meet_threads (session))
      end = MIN (end, now + TICK_US);
    us = end - now;
  }
}

/* What others asked for since the last tick. */
static void
fulfil_wishes (PyroSession *session)
{
  gint64 now = pyro_clock_monotonic ();
  guint rate = __atomic_exchange_n (&session->rate_wanted, 0, __ATOMIC_ACQ_REL);
  gboolean flush
      = __atomic_exchange_n (&session->flush_wanted, 0, __ATOMIC_ACQ_REL);

  if (__atomic_exchange_n (&session->pause_seen, 0, __ATOMIC_ACQ_REL))
    pyro_interval_schedule_pause (&session->schedule, now);
  if (__atomic_exchange_n (&session->rest_seen, 0, __ATOMIC_ACQ_REL))
    pyro_interval_schedule_rest (&session->schedule, now);

  if (flush || rate != 0
      || pyro_interval_schedule_is_over (&session->schedule, now)
      || g_hash_table_size (session->aggregate->entries) > MAX_ENTRIES)
    end_interval (session, now);
  if (rate != 0) {
    session->rate = rate;
    pyro_threads_set_rate (kept.threads, rate);
  }
}

static void
wake_collector (void)
{
  pyro_wakeup_send (&wakeup);
}

static void *
collect (void *data)
{
  PyroSession *session = data;

  pthread_setname_np (pthread_self (), "pyro-collector");
  begin (session);
  pyro_interposition_set_collector (wake_collector);
  pyro_announcements_set_waker (&wakeup);
  while (!__atomic_load_n (&session->stop_wanted, __ATOMIC_ACQUIRE)) {
    session->idle_ticks = MIN (session->idle_ticks + 1, LONG_IDLE_AFTER_TICKS);
    session->steady_ticks++;
    tick (session);
    fulfil_wishes (session);
    sleep_until_next_tick (session);
  }
  pyro_announcements_set_waker (NULL);
  pyro_interposition_set_collector (NULL);
  tick (session);
  pyro_threads_stop (kept.threads, pyro_clock_monotonic (), &sink, session);
  pyro_unloads_watch (FALSE);
  pyro_signal_upkeep_end (&session->signal, kept.threads);
  end_interval (session, pyro_clock_monotonic ());
  __atomic_store_n (&kept.in_use, FALSE, __ATOMIC_RELEASE);
  return NULL;
}

static void
session_free (PyroSession *session)
{
  if (session->aggregate != NULL)
    pyro_aggregate_free (session->aggregate);
  pyro_unsampled_report_clear (&session->unsampled);
  g_mutex_clear (&session->stats_lock);
  pyro_cpu_encoder_unref (session->encoder);
  pyro_settings_free (session->settings);
  g_free (session);
}

PyroSession *
pyro_session_new (const PyroSettings *settings, GError **error)
{
  PyroSession *session;
  PyroUnwindFunc unwind;
  gint result;

  if (__atomic_exchange_n (&kept.in_use, TRUE, __ATOMIC_ACQUIRE)) {
    g_set_error_literal (error, G_THREAD_ERROR, G_THREAD_ERROR_AGAIN,
                         "the collector of the last run is still at work: "
                         "another thread stops it, or it did not end within "
                         "stop-timeout; start again later");
    return NULL;
  }
  session = g_new0 (PyroSession, 1);
  g_mutex_init (&session->stats_lock);
  session->settings = pyro_settings_copy (settings);
  pyro_unsampled_report_init (&session->unsampled);
  session->encoder = pyro_cpu_encoder_new (
      settings, choose_unwinder (settings->unwinder, &unwind));
  session->delivery = pyro_delivery_new (settings);

  result = pyro_own_thread_create (&session->thread, COLLECTOR_STACK_SIZE,
                                   PYRO_OWN_THREAD_PROMPT, collect, session);
  if (result != 0) {
    g_set_error (error, G_THREAD_ERROR, G_THREAD_ERROR_AGAIN,
                 "the collector's thread cannot be made: %s",
                 g_strerror (result));
    pyro_delivery_stop (session->delivery, 0, NULL);
    session_free (session);
    __atomic_store_n (&kept.in_use, FALSE, __ATOMIC_RELEASE);
    return NULL;
  }
  pyro_delivery_start (session->delivery);
  return session;
}

void
pyro_session_get_stats (PyroSession *session, PyroSessionStats *stats)
{
  g_mutex_lock (&session->stats_lock);
  *stats = session->stats;
  g_mutex_unlock (&session->stats_lock);
  pyro_delivery_get_stats (session->delivery, &stats->delivery);
}

void
pyro_session_flush (PyroSession *session)
{
  __atomic_store_n (&session->flush_wanted, TRUE, __ATOMIC_RELEASE);
  pyro_wakeup_send (&wakeup);
}

void
pyro_session_pause (PyroSession *session)
{
  __atomic_store_n (&session->pause_seen, TRUE, __ATOMIC_RELEASE);
  if (!pyro_nodes_are_at_rest ())
    return;
  __atomic_store_n (&session->rest_seen, TRUE, __ATOMIC_RELEASE);
  pyro_wakeup_send (&wakeup);
}

void
pyro_session_set_rate (PyroSession *session, guint rate)
{
  __atomic_store_n (&session->rate_wanted, rate, __ATOMIC_RELEASE);
  pyro_wakeup_send (&wakeup);
}

gboolean
pyro_session_stop (PyroSession *session, PyroSessionStats *stats)
{
  gint64 now = pyro_clock_monotonic ();
  gint64 deadline
      = now + (gint64)session->settings->stop_timeout * G_USEC_PER_SEC;
  gint64 collector_deadline = MAX (deadline, now + STOP_GRACE_US);
  struct timespec limit
      = { .tv_sec = collector_deadline / G_USEC_PER_SEC,
          .tv_nsec = collector_deadline % G_USEC_PER_SEC * 1000 };
  gboolean complete;

  pyro_cpu_encoder_limit_names (
      session->encoder,
      now + MIN ((deadline - now) / NAMES_PART, MAX_NAMES_US));
  __atomic_store_n (&session->stop_wanted, TRUE, __ATOMIC_RELEASE);
  pyro_wakeup_send (&wakeup);
  if (pthread_clockjoin_np (session->thread, NULL, CLOCK_MONOTONIC, &limit)
      != 0) {
    /* It waits for something of the application's (the loader's lock, a core):
     * it keeps the session until the process ends. */
    *stats = (PyroSessionStats){ 0 };
    pthread_detach (session->thread);
    pyro_log_user (GST_LEVEL_WARNING,
                   "the collector did not end within stop-timeout: the last "
                   "profile is lost; raise stop-timeout");
    return FALSE;
  }
  *stats = session->stats;
  complete = pyro_delivery_stop (session->delivery, deadline, &stats->delivery);
  session_free (session);
  return complete;
}

void
pyro_session_fork_prepare (void)
{
  pyro_nodes_fork_prepare ();
  pyro_modules_fork_prepare ();
}

void
pyro_session_fork_parent (void)
{
  pyro_modules_fork_done (FALSE);
  pyro_nodes_fork_done (FALSE);
}

void
pyro_session_fork_child (PyroSession *session)
{
  pyro_modules_fork_done (TRUE);
  pyro_interposition_fork_child ();
  pyro_nodes_fork_done (TRUE);
  pyro_threads_forget ();
  pyro_signal_fork_child ();
  pyro_unblocking_fork_child ();
  memset (&kept, 0, sizeof kept);
  pyro_delivery_fork_child ();
  pyro_unloads_fork_child ();
  if (session != NULL)
    pyro_delivery_forget (session->delivery);
}
