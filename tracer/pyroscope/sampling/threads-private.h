/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: what the files that make up the threads' keeping share: threads.c finds
 * and sweeps, threads-upkeep.c looks after what is known, now and then.
 * Owner: see threads.h.
 * Threads: the collector.
 */
#pragma once

#include "bounded-clock.h"
#include "thread.h"
#include "threads.h"

struct _PyroThreads {
  GHashTable *by_tid; /* pid_t → PyroThread */
  GArray *tids;       /* scratch */
  PyroTimerPlan plan;
  guint n_armed;
  guint max_timers;
  guint last_count;
  gint64 scan_time, scan_cost; /* microseconds */
  gint64 check_time;
  gint64 account_time; /* when the first unarmed thread is due */
  gboolean starting;   /* CPU time of before is not ours */

  /* The balance of the process: what its clock shows beyond what is known of
   * its threads. */
  PyroBoundedClock process_clock;
  guint n_cpus;
  gint64 start_time; /* of the run, monotonic, microseconds */
  gint64 process_base_ns;
  gint64 told_of_gone_ns; /* of threads that are gone, while they lived */
  gint64 told_unseen_ns;

  guintptr main_low, main_high; /* the main thread's stack, 0: not known */
};

/* Gives THREAD a timer, or takes it, and keeps count. */
PyroArmResult pyro_threads_arm (PyroThreads *threads, PyroThread *thread,
                                const PyroThreadsSink *sink, gpointer data);
void pyro_threads_disarm (PyroThreads *threads, PyroThread *thread,
                          PyroUnsampledReason reason);

/* Another thread has got the id of OLD. NULL: it is gone, too. */
PyroThread *pyro_threads_replace (PyroThreads *threads, PyroThread *old,
                                  const PyroThreadsSink *sink, gpointer data);

/* The process's clock, from which all is counted. */
void pyro_threads_start_process_clock (PyroThreads *threads);

/* Each thread's clock, timer and samples; who is to have the timers; what the
 * process used beyond its threads. */
void pyro_threads_check (PyroThreads *threads, gint64 now,
                         const PyroThreadsSink *sink, gpointer data);
gint64 pyro_threads_check_interval (PyroThreads *threads);

/* What threads without timers used. */
void pyro_threads_account (PyroThreads *threads, gint64 now,
                           const PyroThreadsSink *sink, gpointer data);
