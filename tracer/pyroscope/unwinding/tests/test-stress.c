/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Walks from a signal handler that lands anywhere: inside malloc, dlopen,
 * dl_iterate_phdr, a thread's start and end, while tables and map are replaced.
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

#include "harness.h"
#include "registers.h"

#define N_WORKERS 4

static guint seconds = 2;
static gint is_stopped;

/* Walks under way, for the quiescence that reclaiming asks for. */
static gint n_walking;
static guint64 n_ends[PYRO_STACK_N_ENDS], n_walks;

static void
on_signal (int signo, siginfo_t *info, void *context)
{
  int saved = errno;
  PyroUnwindSources sources;
  uintptr_t pcs[PYRO_MAX_FRAMES];
  PyroStackBounds stack;
  PyroRegisters regs;
  PyroWalk walk = { .end = PYRO_STACK_UNKNOWN_STACK };

  __atomic_fetch_add (&n_walking, 1, __ATOMIC_SEQ_CST);
  sources.tables = pyro_modules_published ();
  sources.map = pyro_memory_map_published ();
  sources.cache = NULL;
  pyro_registers_from_ucontext (&regs, context);
  if (pyro_memory_map_find_own_stack (sources.map, regs.sp, &stack))
    pyro_unwind_by_tables (&sources, &regs, &stack, pcs, PYRO_MAX_FRAMES,
                           &walk);
  __atomic_fetch_add (&n_ends[walk.end], 1, __ATOMIC_RELAXED);
  __atomic_fetch_add (&n_walks, 1, __ATOMIC_RELAXED);
  __atomic_fetch_sub (&n_walking, 1, __ATOMIC_SEQ_CST);
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
work (guint what, guint round)
{
  guint n = 0;
  gpointer blocks[32];
  pthread_t thread;
  void *handle;

  switch (what) {
  case 0:
    for (n = 0; n < G_N_ELEMENTS (blocks); n++)
      blocks[n] = malloc (((gsize)round * 131 + n * 977) % 70000 + 1);
    for (n = 0; n < G_N_ELEMENTS (blocks); n++)
      free (blocks[n]);
    break;
  case 1:
    handle = dlopen (g_getenv (round % 2 ? "CHURN_MODULE_A" : "CHURN_MODULE_B"),
                     RTLD_NOW | RTLD_LOCAL);
    g_assert_nonnull (handle);
    dlclose (handle);
    break;
  case 2:
    dl_iterate_phdr (on_module, &n);
    break;
  default:
    if (pthread_create (&thread, NULL, come_and_go, NULL) == 0)
      pthread_join (thread, NULL);
  }
}

typedef struct {
  guint what;
  gint tid;
  guint n_rounds;
} Worker;

static gpointer
run_worker (gpointer data)
{
  Worker *worker = data;

  g_atomic_int_set (&worker->tid, (gint)syscall (SYS_gettid));
  while (!g_atomic_int_get (&is_stopped))
    work (worker->what, worker->n_rounds++);
  g_atomic_int_set (&worker->tid, 0);
  return NULL;
}

static void
test_anywhere (void)
{
  Worker workers[N_WORKERS] = { 0 };
  GThread *threads[N_WORKERS];
  gint64 end;
  guint i, n_signals = 0;
  gdouble complete;

  pyro_test_install (SIGUSR1, on_signal, 0);
  pyro_test_refresh ();
  for (i = 0; i < N_WORKERS; i++) {
    workers[i].what = i;
    threads[i] = g_thread_new ("worker", run_worker, &workers[i]);
  }
  end = g_get_monotonic_time () + seconds * G_USEC_PER_SEC;
  while (g_get_monotonic_time () < end) {
    for (i = 0; i < N_WORKERS; i++) {
      gint tid = g_atomic_int_get (&workers[i].tid);

      if (tid != 0)
        syscall (SYS_tgkill, getpid (), tid, SIGUSR1);
    }
    if (++n_signals % 4 == 0) {
      pyro_test_refresh ();
      pyro_modules_reclaim (pyro_test_modules, is_quiescent, NULL);
      pyro_memory_watch_reclaim (pyro_test_watch, is_quiescent, NULL);
    }
    g_usleep (500);
  }
  g_atomic_int_set (&is_stopped, TRUE);
  for (i = 0; i < N_WORKERS; i++) {
    g_thread_join (threads[i]);
    g_assert_cmpuint (workers[i].n_rounds, >, 10);
  }
  complete = 100.0 * (gdouble)n_ends[PYRO_STACK_COMPLETE] / (gdouble)n_walks;
  g_test_message (
      "%" G_GUINT64_FORMAT " walks, %.2f %% complete; unknown "
      "stack %" G_GUINT64_FORMAT ", unknown code %" G_GUINT64_FORMAT
      ", no unwind info %" G_GUINT64_FORMAT ", unreadable %" G_GUINT64_FORMAT,
      n_walks, complete, n_ends[PYRO_STACK_UNKNOWN_STACK],
      n_ends[PYRO_STACK_UNKNOWN_CODE], n_ends[PYRO_STACK_NO_UNWIND_INFO],
      n_ends[PYRO_STACK_UNREADABLE]);
  g_test_message ("rounds: malloc %u, dlopen %u, dl_iterate_phdr %u, threads "
                  "%u",
                  workers[0].n_rounds, workers[1].n_rounds, workers[2].n_rounds,
                  workers[3].n_rounds);
  g_assert_cmpuint (n_walks, >, 100);
  g_assert_cmpfloat (complete, >, 95);
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
  g_test_add_func ("/stress/signals-land-anywhere", test_anywhere);
  g_test_add_func ("/stress/the-handler-makes-no-system-call",
                   test_no_system_call);
  g_test_add_func ("/stress/a-thousand-short-lived-threads", test_short_lives);
  result = g_test_run ();
  pyro_test_tear_down ();
  return result;
}
