/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Walks from a signal handler that lands anywhere: inside malloc, dlopen,
 * dl_iterate_phdr, a C++ throw, a thread's start and end, while tables and map
 * are replaced. The allocator ends the process if the handler calls it.
 *
 * usage: test-unwinding-stress [SECONDS]
 */

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "allocator.h"
#include "harness.h"
#include "own-bounds.h"
#include "registers.h"
#include "throw.h"
#include "unwind-cache.h"

/* Percent of the walks: a module is there before its table, and longer where
 * the processor is emulated. */
#if defined(__x86_64__)
#define MIN_COMPLETE 95
#else
#define MIN_COMPLETE 60
#endif

/* Signals to each worker in a second. */
#define RATE 1000

typedef enum {
  ALLOCATE,
  LOAD,
  LIST_MODULES,
  START_THREADS,
#ifdef HAVE_CPP
  THROW,
#endif
  N_KINDS
} Kind;

static const char *kind_names[]
    = { "malloc", "dlopen", "dl_iterate_phdr", "threads", "throw" };

static guint seconds = 2;
static gint is_stopped;

/* Walks under way, for the quiescence that reclaiming asks for. */
static gint n_walking;
static guint64 n_ends[PYRO_STACK_N_ENDS], n_walks;

/* Of each worker, and of the walks on its stack. */
static struct {
  gint tid;
  guint n_rounds;
  guint64 n_walks;
  guint64 n_complete;
} workers[N_KINDS];
static __thread guint kind_here; /* kind + 1; 0: no worker */

/* In an executable it is at a constant offset from the thread pointer. */
static __thread PyroUnwindCache cache_here;

static void
on_signal (int signo, siginfo_t *info, void *context)
{
  int saved = errno;
  PyroUnwindSources sources;
  uintptr_t pcs[PYRO_MAX_FRAMES];
  PyroStackBounds stack;
  PyroRegisters regs;
  PyroWalk walk = { .end = PYRO_STACK_UNKNOWN_STACK };

  pyro_test_in_handler = 1;
  __atomic_fetch_add (&n_walking, 1, __ATOMIC_SEQ_CST);
  sources.tables = pyro_modules_published ();
  sources.map = pyro_memory_map_published ();
  sources.cache = &cache_here;
  pyro_registers_from_ucontext (&regs, context);
  pyro_unwind_prefetch (&sources, &regs);
  if (pyro_test_find_stack (&sources, regs.sp, &stack))
    pyro_unwind_by_tables (&sources, &regs, &stack, pcs, PYRO_MAX_FRAMES,
                           &walk);
  __atomic_fetch_add (&n_ends[walk.end], 1, __ATOMIC_RELAXED);
  __atomic_fetch_add (&n_walks, 1, __ATOMIC_RELAXED);
  if (kind_here > 0) {
    workers[kind_here - 1].n_walks++;
    workers[kind_here - 1].n_complete += walk.end == PYRO_STACK_COMPLETE;
  }
  __atomic_fetch_sub (&n_walking, 1, __ATOMIC_SEQ_CST);
  pyro_test_in_handler = 0;
  errno = saved;
}

static gboolean
is_quiescent (gpointer data)
{
  return __atomic_load_n (&n_walking, __ATOMIC_SEQ_CST) == 0;
}

static int
on_module (struct dl_phdr_info *info, size_t size, void *data)
{
  *(guint *)data += info->dlpi_phnum;
  return 0;
}

static gpointer
come_and_go (gpointer data)
{
  pthread_exit (NULL); /* unwinds this stack by force */
}

static void
work (Kind kind, guint round)
{
  guint n = 0;
  gpointer blocks[32];
  pthread_t thread;
  void *handle;

  switch (kind) {
  case ALLOCATE:
    for (n = 0; n < G_N_ELEMENTS (blocks); n++)
      blocks[n] = malloc (((gsize)round * 131 + n * 977) % 70000 + 1);
    for (n = 0; n < G_N_ELEMENTS (blocks); n++)
      free (blocks[n]);
    break;
  case LOAD:
    handle = dlopen (g_getenv (round % 2 ? "CHURN_MODULE_A" : "CHURN_MODULE_B"),
                     RTLD_NOW | RTLD_LOCAL);
    g_assert_nonnull (handle);
    dlclose (handle);
    break;
  case LIST_MODULES:
    dl_iterate_phdr (on_module, &n);
    break;
#ifdef HAVE_CPP
  case THROW:
    g_assert_cmpuint (pyro_test_throw (round % 32), ==, round % 32 + 1);
    break;
#endif
  default:
    if (pthread_create (&thread, NULL, come_and_go, NULL) == 0)
      pthread_join (thread, NULL);
  }
}

static gpointer
run_worker (gpointer data)
{
  Kind kind = GPOINTER_TO_UINT (data);

  kind_here = kind + 1;
  g_atomic_int_set (&workers[kind].tid, (gint)syscall (SYS_gettid));
  while (!g_atomic_int_get (&is_stopped))
    work (kind, workers[kind].n_rounds++);
  g_atomic_int_set (&workers[kind].tid, 0);
  return NULL;
}

/* At RATE; if it could not run in time, the missing ones at once. */
static gpointer
send_signals (gpointer data)
{
  gint64 due = g_get_monotonic_time ();
  guint i;

  while (!g_atomic_int_get (&is_stopped)) {
    gint64 rest;

    for (i = 0; i < N_KINDS; i++) {
      gint tid = g_atomic_int_get (&workers[i].tid);

      if (tid != 0)
        syscall (SYS_tgkill, getpid (), tid, SIGUSR1);
    }
    due += G_USEC_PER_SEC / RATE;
    rest = due - g_get_monotonic_time ();
    g_usleep ((gulong)MAX (rest, 1)); /* which looks at it twice */
  }
  return NULL;
}

static void
test_anywhere (void)
{
  GThread *threads[N_KINDS], *signaller;
  gint64 end;
  gdouble complete;
  guint i;

  pyro_test_install (SIGUSR1, on_signal, 0);
  pyro_test_refresh ();
  for (i = 0; i < N_KINDS; i++)
    threads[i] = g_thread_new ("worker", run_worker, GUINT_TO_POINTER (i));
  signaller = g_thread_new ("signaller", send_signals, NULL);
  end = g_get_monotonic_time () + seconds * G_USEC_PER_SEC;
  while (g_get_monotonic_time () < end) {
    pyro_test_refresh ();
    pyro_modules_reclaim (pyro_test_modules, is_quiescent, NULL);
    pyro_memory_watch_reclaim (pyro_test_watch, is_quiescent, NULL);
    g_usleep (2000);
  }
  g_atomic_int_set (&is_stopped, TRUE);
  g_thread_join (signaller);
  for (i = 0; i < N_KINDS; i++)
    g_thread_join (threads[i]);
  complete = 100.0 * (gdouble)n_ends[PYRO_STACK_COMPLETE] / (gdouble)n_walks;
  g_test_message (
      "%" G_GUINT64_FORMAT " walks, %.2f %% complete; unknown "
      "stack %" G_GUINT64_FORMAT ", unknown code %" G_GUINT64_FORMAT
      ", no unwind info %" G_GUINT64_FORMAT ", unreadable %" G_GUINT64_FORMAT,
      n_walks, complete, n_ends[PYRO_STACK_UNKNOWN_STACK],
      n_ends[PYRO_STACK_UNKNOWN_CODE], n_ends[PYRO_STACK_NO_UNWIND_INFO],
      n_ends[PYRO_STACK_UNREADABLE]);
  for (i = 0; i < N_KINDS; i++) {
    g_test_message ("%s: %u rounds, %" G_GUINT64_FORMAT
                    " walks, %.2f %% complete",
                    kind_names[i], workers[i].n_rounds, workers[i].n_walks,
                    100.0 * (gdouble)workers[i].n_complete
                        / (gdouble)MAX (workers[i].n_walks, 1));
    g_assert_cmpuint (workers[i].n_rounds, >, 10);
    g_assert_cmpuint (workers[i].n_walks, >, 20);
  }
  g_assert_cmpfloat (complete, >, MIN_COMPLETE);
}

/* What the other tests rely on: it is this allocator that everybody calls, and
 * it ends whoever calls it in a handler. */
static void
allocate_in_handler (int signo, siginfo_t *info, void *context)
{
  pyro_test_in_handler = 1;
  g_free (g_malloc (100));
  pyro_test_in_handler = 0;
}

static void
test_allocator (void)
{
  unsigned long before = pyro_test_n_allocations;

  if (!PYRO_TEST_HAS_ALLOCATOR) {
    g_test_skip ("this program has no allocator of its own");
    return;
  }
  if (g_test_subprocess ()) {
    pyro_test_install (SIGUSR1, allocate_in_handler, 0);
    raise (SIGUSR1);
    _exit (0);
  }
  g_free (g_strdup ("by a library"));
  g_assert_cmpuint (pyro_test_n_allocations, >=, before + 2);
  g_test_trap_subprocess (NULL, 0, 0);
  g_test_trap_assert_failed ();
  g_test_trap_assert_stderr ("*the allocator was called in a handler*");
}

static gint strict_tid;
static guint64 n_strict_walks;

/* seccomp's strict mode kills at any system call but read, write, exit and
 * sigreturn. Works until enough walks were made, then exits. */
static gpointer
live_strictly (gpointer data)
{
  g_atomic_int_set (&strict_tid, (gint)syscall (SYS_gettid));
  if (prctl (PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0)
    _exit (77);
  while (__atomic_load_n (&n_walks, __ATOMIC_RELAXED) < 200)
    continue;
  n_strict_walks = __atomic_load_n (&n_walks, __ATOMIC_RELAXED);
  g_atomic_int_set (&strict_tid, -1);
  syscall (SYS_exit, 0);
  return NULL;
}

/* Whoever makes a call there is killed, and the test with it. */
static void
test_no_system_call (void)
{
  if (g_test_subprocess ()) {
    gint64 end = g_get_monotonic_time () + 20 * G_USEC_PER_SEC;

    pyro_test_install (SIGUSR1, on_signal, 0);
    g_thread_new ("strict", live_strictly, NULL);
    while (g_atomic_int_get (&strict_tid) == 0)
      g_usleep (1000);
    pyro_test_refresh ();
    while (g_atomic_int_get (&strict_tid) > 0
           && g_get_monotonic_time () < end) {
      syscall (SYS_tgkill, getpid (), g_atomic_int_get (&strict_tid), SIGUSR1);
      g_usleep (500);
    }
    g_assert_cmpuint (n_strict_walks, >=, 200);
    g_assert_cmpuint (n_ends[PYRO_STACK_COMPLETE], >=, 190);
    _exit (0);
  }
  g_test_trap_subprocess (NULL, 0, 0);
  g_test_trap_assert_passed ();
}

static gpointer
short_life (gpointer data)
{
  guint i;

  for (i = 0; i < 50; i++)
    g_free (g_malloc (i * 100));
  return NULL;
}

static void
test_short_lives (void)
{
  guint i;

  pyro_test_install (SIGUSR1, on_signal, 0);
  pyro_test_refresh ();
  n_walks = 0;
  for (i = 0; i < 1000; i++) {
    pthread_t thread;

    g_assert_no_errno (pthread_create (&thread, NULL, short_life, NULL));
    pthread_kill (thread, SIGUSR1);
    pthread_kill (thread, SIGUSR1);
    pthread_join (thread, NULL);
    if (i % 50 == 0)
      pyro_test_refresh ();
  }
  g_test_message ("%" G_GUINT64_FORMAT " walks in 1000 threads", n_walks);
  g_assert_cmpuint (n_walks, >, 500);
}

int
main (int argc, char **argv)
{
  int result;

  g_test_init (&argc, &argv, NULL);
  if (argc > 1)
    seconds = (guint)g_ascii_strtoull (argv[1], NULL, 10);
  g_test_add_func ("/stress/an-allocation-in-a-handler-would-end-this-program",
                   test_allocator);
  g_test_add_func ("/stress/signals-land-anywhere", test_anywhere);
  g_test_add_func ("/stress/the-handler-makes-no-system-call",
                   test_no_system_call);
  g_test_add_func ("/stress/a-thousand-short-lived-threads", test_short_lives);
  result = g_test_run ();
  pyro_test_tear_down ();
  return result;
}
