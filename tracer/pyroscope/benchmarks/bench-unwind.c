/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every unwinder on stacks of real pipelines, where a timer interrupts them.
 * One sample of a thread is given to the tracer's signal handler alone, with
 * what happens to be in the processor's caches, and again, warm. The next one
 * is walked by tables whose lines were flushed, by libunwind's unw_step and
 * unw_backtrace, twice each, and by frame pointers. A stack is complete if its
 * outermost frame is where a thread begins. Times are the processor's, of
 * samples during which the kernel did not take it away.
 *
 * usage: bench-unwind [SECONDS-PER-PIPELINE [PIPELINE]]
 */

#include <gst/gst.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>
#include <x86intrin.h>

#define UNW_LOCAL_ONLY
#include <libunwind.h>

#include "sampling/handler.h"
#include "unwinding/memory-map.h"
#include "unwinding/modules.h"
#include "unwinding/reference-libunwind.h"
#include "unwinding/registers.h"
#include "unwinding/tables.h"
#include "unwinding/tests/own-bounds.h"
#include "unwinding/tests/pipelines.h"
#include "unwinding/tests/thread-start.h"

#define MAX_SAMPLES 100000
#define MAX_THREADS 512
#define RING_SIZE 65536
#define N_WARM 8

typedef enum {
  HANDLER,      /* as the tracer does, all of it */
  HANDLER_WARM, /* the fastest of N_WARM repetitions */
  TABLES_COLD,  /* flushed */
  STEP,         /* unw_step, the first time on this stack */
  STEP_WARM,    /* the second */
  BACKTRACE,    /* unw_backtrace, from the handler: its own frames count */
  BACKTRACE_WARM,
  FRAME_POINTERS,
  N_WAYS,
} Way;

static const char *way_names[N_WAYS]
    = { "handler, as sampled",  "handler, warm",   "tables, flushed",
        "unw_step, first",      "unw_step, again", "unw_backtrace, first",
        "unw_backtrace, again", "frame pointers" };

typedef struct {
  guint64 ticks[N_WAYS];
  guint16 frames[N_WAYS]; /* 0: not measured */
  guint8 complete[N_WAYS];
  guint8 rescued;
  guint8 interrupted; /* no times */
} Sample;

static Sample *samples;
static guint n_samples;
static guint n_threads;
static __thread gint thread_slot = -1;
static __thread guint n_thread_samples;
static __thread PyroUnwindCache cache; /* of the other walks */

/* Every line that a walk over these pcs reads of the tables. */
static void
flush (const PyroUnwindTables *tables, const uintptr_t *pcs, guint depth)
{
  guint i, j;

  for (i = 0; i < depth; i++) {
    const PyroSegment *segment
        = pyro_tables_find_segment (tables, pcs[i] - (i > 0));
    const guint32 *rows;
    gsize bucket;

    if (segment == NULL)
      continue;
    bucket = (pcs[i] - segment->start) >> PYRO_BUCKET_SHIFT;
    if (bucket >= segment->n_buckets)
      continue;
    rows = segment->first + segment->n_buckets + 1;
    for (j = segment->first[bucket]; j < segment->first[bucket + 1]; j += 8)
      _mm_clflush (&rows[j]);
    _mm_clflush (&segment->first[bucket]);
  }
  for (i = 0; i < tables->n_segments; i++) {
    _mm_clflush (&tables->segments[i]);
    _mm_clflush (&tables->starts[i]);
    _mm_clflush (&tables->tops[i / PYRO_TOPS_STEP]);
  }
  for (i = 0; i < sizeof cache; i += 64)
    _mm_clflush ((char *)&cache + i);
  _mm_mfence ();
}

static guint64
ticks (void)
{
  unsigned core;

  return __rdtscp (&core);
}

static void
make_records (void)
{
  guint i;

  for (i = 0; i < MAX_THREADS; i++) {
    PyroThreadRecord *record = g_new0 (PyroThreadRecord, 1);

    record->ring = g_new0 (PyroRing, 1);
    record->ring->data = g_malloc0 (RING_SIZE);
    record->ring->capacity = RING_SIZE;
    record->slot = i;
    record->generation = 1;
    pyro_thread_records[i] = record;
  }
  pyro_handler_set_unwinder (pyro_unwind_by_tables);
}

static guint64
time_handler (PyroThreadRecord *record, ucontext_t *context)
{
  siginfo_t info = { .si_code = SI_TIMER };
  guint64 begin;

  info.si_value.sival_ptr
      = GSIZE_TO_POINTER (pyro_cookie (record->slot, record->generation));
  begin = ticks ();
  pyro_handler (SIGPROF, &info, context);
  return ticks () - begin;
}

/* As the collector does. */
static void
find_own_stack (PyroThreadRecord *record, const ucontext_t *context)
{
  PyroUnwindSources sources = { .map = pyro_memory_map_published () };
  PyroStackBounds stack;
  PyroRegisters regs;

  pyro_registers_from_ucontext (&regs, context);
  pyro_test_find_stack (&sources, regs.sp, &stack);
  record->stack_low = sources.own_low;
  record->stack_high = sources.own_high;
}

static void
measure_handler (Sample *sample, ucontext_t *context)
{
  PyroThreadRecord *record = pyro_thread_records[thread_slot];
  PyroRawSample *raw;
  guint i;

  if (record->stack_high == 0)
    find_own_stack (record, context);
  sample->ticks[HANDLER] = time_handler (record, context);
  raw = pyro_ring_peek (record->ring);
  sample->frames[HANDLER] = sample->frames[HANDLER_WARM] = raw->depth;
  sample->complete[HANDLER]
      = raw->end == PYRO_STACK_COMPLETE
        && pyro_test_is_thread_start (raw->pcs[raw->depth - 1]);
  sample->rescued = (raw->flags & PYRO_SAMPLE_RESCUED) != 0;
  pyro_ring_release (record->ring, raw);

  sample->ticks[HANDLER_WARM] = G_MAXUINT64;
  for (i = 0; i < N_WARM; i++) {
    guint64 taken = time_handler (record, context);

    sample->ticks[HANDLER_WARM] = MIN (sample->ticks[HANDLER_WARM], taken);
    pyro_ring_release (record->ring, pyro_ring_peek (record->ring));
  }
}

static void
measure_others (Sample *sample, const ucontext_t *context)
{
  PyroUnwindSources sources = { .tables = pyro_modules_published (),
                                .map = pyro_memory_map_published (),
                                .cache = &cache };
  uintptr_t pcs[PYRO_MAX_FRAMES];
  void *backtrace[PYRO_MAX_FRAMES];
  PyroStackBounds stack;
  PyroRegisters regs;
  PyroWalk walk;
  guint64 begin;
  guint i;

  pyro_registers_from_ucontext (&regs, context);
  if (!pyro_test_find_stack (&sources, regs.sp, &stack))
    return;
  pyro_unwind_by_tables (&sources, &regs, &stack, pcs, PYRO_MAX_FRAMES, &walk);

  flush (sources.tables, pcs, walk.depth);
  memset (&cache, 0, sizeof cache);
  for (i = 0; i < sizeof cache; i += 64)
    _mm_clflush ((char *)&cache + i);
  _mm_mfence ();
  begin = ticks ();
  pyro_unwind_by_tables (&sources, &regs, &stack, pcs, PYRO_MAX_FRAMES, &walk);
  sample->ticks[TABLES_COLD] = ticks () - begin;
  sample->frames[TABLES_COLD] = walk.depth;

  for (i = 0; i < 2; i++) {
    begin = ticks ();
    pyro_unwind_by_libunwind (&sources, &regs, &stack, pcs, PYRO_MAX_FRAMES,
                              &walk);
    sample->ticks[STEP + i] = ticks () - begin;
    if (walk.end != PYRO_STACK_BUSY)
      sample->frames[STEP + i] = walk.depth;
    sample->complete[STEP + i]
        = pyro_test_is_thread_start (pcs[walk.depth - 1]);
  }
  for (i = 0; i < 2; i++) {
    int n;

    begin = ticks ();
    n = unw_backtrace (backtrace, PYRO_MAX_FRAMES);
    sample->ticks[BACKTRACE + i] = ticks () - begin;
    sample->frames[BACKTRACE + i] = (guint16)MAX (n, 0);
    sample->complete[BACKTRACE + i]
        = n > 0 && pyro_test_is_thread_start ((uintptr_t)backtrace[n - 1]);
  }
  begin = ticks ();
  pyro_unwind_by_frame_pointers (&sources, &regs, &stack, pcs, PYRO_MAX_FRAMES,
                                 &walk);
  sample->ticks[FRAME_POINTERS] = ticks () - begin;
  sample->frames[FRAME_POINTERS] = walk.depth;
  sample->complete[FRAME_POINTERS]
      = pyro_test_is_thread_start (pcs[walk.depth - 1]);
}

static void
on_tick (int signo, siginfo_t *info, void *context)
{
  guint n = __atomic_fetch_add (&n_samples, 1, __ATOMIC_RELAXED);
  struct rusage before, after;

  if (n >= MAX_SAMPLES)
    return;
  if (thread_slot < 0)
    thread_slot = (gint)(__atomic_fetch_add (&n_threads, 1, __ATOMIC_RELAXED)
                         % MAX_THREADS);
  getrusage (RUSAGE_THREAD, &before);
  if (n_thread_samples++ % 2 == 0)
    measure_handler (&samples[n], context);
  else
    measure_others (&samples[n], context);
  getrusage (RUSAGE_THREAD, &after);
  samples[n].interrupted = before.ru_nivcsw != after.ru_nivcsw;
}

static void
set_timer (gint microseconds)
{
  struct itimerval timer = { { 0, microseconds }, { 0, microseconds } };

  setitimer (ITIMER_PROF, &timer, NULL);
}

static gdouble
ticks_per_ns (void)
{
  static gdouble result;
  struct timespec begin, end;
  guint64 first, last;

  if (result > 0)
    return result;
  clock_gettime (CLOCK_MONOTONIC, &begin);
  first = ticks ();
  g_usleep (200 * 1000);
  clock_gettime (CLOCK_MONOTONIC, &end);
  last = ticks ();
  result = (gdouble)(last - first)
           / ((gdouble)(end.tv_sec - begin.tv_sec) * 1e9
              + (gdouble)(end.tv_nsec - begin.tv_nsec));
  return result;
}

static int
compare_doubles (const void *a, const void *b)
{
  gdouble one = *(const gdouble *)a, other = *(const gdouble *)b;

  return one < other ? -1 : one > other;
}

/* What reading the clock twice takes, which is in every figure. */
static guint64
clock_ticks (void)
{
  guint64 least = G_MAXUINT64;
  guint i;

  for (i = 0; i < 1000; i++) {
    guint64 begin = ticks ();
    guint64 taken = ticks () - begin;

    least = MIN (least, taken);
  }
  return least;
}

/* Of all stacks: the median of nanoseconds a frame, since means tell more of
 * what else the machine did, and the quantiles of a whole walk. */
static void
print_way (Way way, guint n)
{
  gdouble *walks = g_new (gdouble, n);
  gdouble *frames = g_new (gdouble, n);
  guint64 clock = clock_ticks ();
  guint i, used = 0;

  for (i = 0; i < n; i++) {
    if (samples[i].frames[way] == 0 || samples[i].interrupted)
      continue;
    walks[used]
        = (gdouble)(samples[i].ticks[way] - MIN (clock, samples[i].ticks[way]))
          / ticks_per_ns ();
    frames[used] = walks[used] / samples[i].frames[way];
    used++;
  }
  if (used > 0) {
    qsort (walks, used, sizeof *walks, compare_doubles);
    qsort (frames, used, sizeof *frames, compare_doubles);
    g_print ("  %-22s %8.1f %9.0f %9.0f %9.0f %9.0f\n", way_names[way],
             frames[used / 2], walks[used / 2], walks[used * 99 / 100],
             walks[(guint64)used * 999 / 1000], walks[used - 1]);
  }
  g_free (walks);
  g_free (frames);
}

/* In percent of the stacks that were walked in this way. */
static gdouble
complete_share (Way way, guint n)
{
  guint n_walked = 0, n_complete = 0, i;

  for (i = 0; i < n; i++) {
    n_walked += samples[i].frames[way] > 0;
    n_complete += samples[i].frames[way] > 0 && samples[i].complete[way];
  }
  return n_walked > 0 ? 100.0 * n_complete / n_walked : 0;
}

static void
print_results (const char *name, guint n)
{
  guint handled = 0, rescued = 0, depth = 0, interrupted = 0, i;

  for (i = 0; i < n; i++) {
    handled += samples[i].frames[HANDLER] > 0;
    rescued += samples[i].rescued;
    depth += samples[i].frames[HANDLER];
    interrupted += samples[i].interrupted;
  }
  g_print ("\n%s: %u stacks of %.1f frames, %u of %u samples interrupted\n"
           "  complete: tables %.2f %% (rescued %.1f %%), unw_step "
           "%.1f %%, unw_backtrace %.1f %%, frame pointers %.1f %%\n",
           name, handled, handled > 0 ? (gdouble)depth / handled : 0,
           interrupted, n, complete_share (HANDLER, n),
           handled > 0 ? 100.0 * rescued / handled : 0,
           complete_share (STEP, n), complete_share (BACKTRACE, n),
           complete_share (FRAME_POINTERS, n));
  g_print ("  %-22s %8s %9s %9s %9s %9s   (ns)\n", "", "a frame", "median",
           "p99", "p99.9", "max");
  for (i = 0; i < N_WAYS; i++)
    print_way (i, n);
}

static void
print_tables (PyroModules *modules)
{
  PyroModulesStatistics statistics;
  gdouble mebibytes;

  pyro_modules_get_statistics (modules, &statistics);
  mebibytes = (gdouble)statistics.text_size / (1 << 20);
  g_print ("  tables: %u segments, %.1f MiB of text, %.1f KiB and %.3f ms a "
           "MiB, %u rules beside the rows\n",
           statistics.n_segments, mebibytes,
           (gdouble)statistics.table_size / 1024 / mebibytes,
           (gdouble)statistics.compile_ns / 1e6 / mebibytes,
           statistics.n_rules);
}

/* libunwind takes the loader's lock, and a thread that is interrupted while it
 * gets that lock would wait for itself: not this one. */
static void
block_ticks (gboolean is_blocked)
{
  sigset_t set;

  sigemptyset (&set);
  sigaddset (&set, SIGPROF);
  pthread_sigmask (is_blocked ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

static void
copy_wanted_code (PyroModules *modules)
{
  guint i;

  for (i = 0; i < MIN (n_threads, MAX_THREADS); i++) {
    uintptr_t *wanted = &pyro_thread_records[i]->unwind_cache.wanted_code;

    if (*wanted != 0)
      pyro_modules_want_call_sites (modules, *wanted);
    *wanted = 0;
  }
}

static void
run (const PyroTestPipeline *pipeline, guint seconds)
{
  GError *error = NULL;
  GstElement *element = gst_parse_launch (pipeline->description, &error);
  PyroModules *modules;
  PyroMemoryWatch *watch;
  guint i;

  if (element == NULL || error != NULL) {
    g_print ("\n%s: cannot be built: %s\n", pipeline->name,
             error != NULL ? error->message : "unknown reason");
    g_clear_error (&error);
    g_clear_pointer (&element, gst_object_unref);
    return;
  }
  memset (samples, 0, MAX_SAMPLES * sizeof *samples);
  n_samples = 0;
  gst_element_set_state (element, GST_STATE_PLAYING);
  gst_element_get_state (element, NULL, NULL, 20 * GST_SECOND);
  block_ticks (TRUE);
  modules = pyro_modules_new (TRUE);
  watch = pyro_memory_watch_new ();
  pyro_modules_refresh (modules);
  pyro_memory_watch_refresh (watch, NULL);
  set_timer (4000);
  for (i = 0; i < seconds * 10; i++) {
    g_usleep (100 * 1000);
    pyro_modules_refresh (modules);
    pyro_memory_watch_refresh (watch, NULL);
    copy_wanted_code (modules);
  }
  set_timer (0);
  g_usleep (50 * 1000);
  block_ticks (FALSE);
  gst_element_set_state (element, GST_STATE_NULL);
  gst_object_unref (element);
  print_results (pipeline->name, MIN (n_samples, MAX_SAMPLES));
  print_tables (modules);
  pyro_memory_watch_free (watch);
  pyro_modules_free (modules);
}

int
main (int argc, char **argv)
{
  struct sigaction action
      = { .sa_sigaction = on_tick, .sa_flags = SA_SIGINFO | SA_RESTART };
  guint seconds = 10;
  gsize first = 0, last = G_N_ELEMENTS (pyro_test_pipelines) - 1, i;

  gst_init (&argc, &argv);
  if (argc > 1)
    seconds = (guint)g_ascii_strtoull (argv[1], NULL, 10);
  if (argc > 2)
    first = last = MIN ((gsize)g_ascii_strtoull (argv[2], NULL, 10), last);
  samples = g_new0 (Sample, MAX_SAMPLES);
  make_records ();
  pyro_test_learn_thread_starts ();
  pyro_reference_libunwind_warm_up ();
  sigfillset (&action.sa_mask);
  sigaction (SIGPROF, &action, NULL);
  for (i = first; i <= last; i++)
    run (&pyro_test_pipelines[i], seconds);
  g_free (samples);
  return 0;
}
