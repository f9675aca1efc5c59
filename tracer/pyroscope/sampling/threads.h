/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the threads of the process: found, given CPU timers, read, swept.
 * Owner: a PyroThreads owns records, rings and timers. A record lives as long
 * as its thread, whatever else happens: a late signal may still look at it.
 * Threads: the collector.
 */
#pragma once

#include <glib.h>
#include <sys/types.h>

#include "proc-task.h"
#include "ring.h"

typedef struct _PyroThreads PyroThreads;

/* Why CPU time has no stack. The time itself is exact: it is read from the CPU
 * clocks of the threads and of the process. */
typedef enum {
  PYRO_UNSAMPLED_START,    /* before its timer was armed */
  PYRO_UNSAMPLED_BLOCKED,  /* it blocks our signal */
  PYRO_UNSAMPLED_NO_TIMER, /* no timer could be had (RLIMIT_SIGPENDING) */
  PYRO_UNSAMPLED_OWN,      /* a thread of the profiler's own */
  PYRO_UNSAMPLED_LOST,     /* its ring was full */
  PYRO_UNSAMPLED_MISSED, /* our signal did not arrive: ignored or taken over */
  PYRO_UNSAMPLED_UNSEEN, /* of threads that ended before they were seen, or
                          * between two expirations */
  PYRO_UNSAMPLED_TURNED, /* before the thread turned to work of another owner:
                          * the timer had expired, but nobody had looked */
  PYRO_UNSAMPLED_N_REASONS
} PyroUnsampledReason;

typedef struct {
  pid_t tid; /* 0: no thread in particular */
  gchar name[PYRO_THREAD_NAME_SIZE];
} PyroThreadInfo;

typedef struct {
  void (*sample) (const PyroThreadInfo *thread, const PyroRawSample *sample,
                  gpointer data);
  /* WEIGHT: samples that it would have been, 0 where there was no timer.
   * LABEL: the only label word that the thread ever had; 0: it had several, and
   * nobody knows under which of them it was used, or none. */
  void (*unsampled) (const PyroThreadInfo *thread, PyroUnsampledReason reason,
                     guint64 ns, guint64 weight, guint64 label, gpointer data);
  /* A handler missed a copy of the code around PC. NULL: nobody cares. */
  void (*wanted_code) (guintptr pc, gpointer data);
  /* A CPU clock showed NS more than can have passed: left out. */
  void (*impossible) (const PyroThreadInfo *thread, guint64 ns, gpointer data);
} PyroThreadsSink;

PyroThreads *pyro_threads_new (void);

/* For tests: only when no handler can come any more. */
void pyro_threads_free (PyroThreads *threads);

/* Begins to count: CPU time that was used before is not told. Stacks are
 * sampled from the first signal on; the time until then is told without. */
void pyro_threads_start (PyroThreads *threads, guint rate);
/* Samples RATE times a second of CPU time. */
void pyro_threads_set_rate (PyroThreads *threads, guint rate);
/* Samples by SIGNO from now on; 0: there is none. */
void pyro_threads_set_signal (PyroThreads *threads, gint signo,
                              const PyroThreadsSink *sink, gpointer data);

/* A signal SIGNO waits to be delivered to a thread that may have had a timer:
 * it may be a tick of one that is deleted (kernels before 6.13 leave it).
 * TRUE also where no descriptor is left to look with. */
gboolean pyro_threads_have_pending (PyroThreads *threads, gint signo);

/* Finds new threads, arms, sweeps dead ones; what it has to tell of CPU time
 * without samples goes to SINK. Cheap where nothing changed. NOW: monotonic
 * time, microseconds. Returns TRUE if new threads were found. */
gboolean pyro_threads_update (PyroThreads *threads, gint64 now,
                              const PyroThreadsSink *sink, gpointer data);

/* Only arms the threads that have announced themselves since: what is sampled
 * waits for the next drain. TRUE: there were new ones. */
gboolean pyro_threads_meet (PyroThreads *threads, const PyroThreadsSink *sink,
                            gpointer data);

/* The main thread's stack, by the memory map. */
void
pyro_threads_set_main_stack (PyroThreads *threads, guintptr low, guintptr high);

/* Empties all rings. Returns TRUE if a handler met a stack that it did not
 * know: the memory map wants a refresh. */
gboolean pyro_threads_drain (PyroThreads *threads, gint64 now,
                             const PyroThreadsSink *sink, gpointer data);

/* Deletes all timers, empties the rings for the last time, and tells what is
 * missing to the CPU clocks. */
void pyro_threads_stop (PyroThreads *threads, gint64 now,
                        const PyroThreadsSink *sink, gpointer data);

/* Each handler has been seen outside of what it reads during this call: none
 * holds what was replaced before it. Takes a PyroThreads; the type is that of
 * pyro_modules_reclaim(). */
gboolean pyro_threads_is_quiescent (gpointer threads);

guint pyro_threads_get_n_armed (PyroThreads *threads);
guint pyro_threads_get_n (PyroThreads *threads);

/* Why the last timer was refused (errno); 0: none was. */
gint pyro_threads_get_timer_error (PyroThreads *threads);

/* After fork(), in the child: none of the other threads is there and timers
 * were not inherited. Whatever PyroThreads there was leaks on purpose. */
void pyro_threads_forget (void);
