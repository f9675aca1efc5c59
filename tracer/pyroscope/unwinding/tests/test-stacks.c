/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Stacks of all kinds: whose they are, and walks that cross them. */

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "asan.h"
#include "harness.h"
#include "registers.h"

#ifdef HAVE_LIBUNWIND
#include "reference-libunwind.h"
#endif

static struct {
  uintptr_t pcs[PYRO_MAX_FRAMES], reference[PYRO_MAX_FRAMES];
  PyroWalk walk, reference_walk;
} last;

static void
on_walk (int signo, siginfo_t *info, void *context)
{
  pyro_test_walk (context, NULL, last.pcs, PYRO_MAX_FRAMES, &last.walk);
#ifdef HAVE_LIBUNWIND
  {
    PyroUnwindSources sources = { .map = pyro_memory_map_published () };
    PyroStackBounds stack;
    PyroRegisters regs;

    pyro_registers_from_ucontext (&regs, context);
    pyro_memory_map_get_main_stack (sources.map, &sources.own_low,
                                    &sources.own_high);
    if (pyro_stack_find (&sources, regs.sp, true, &stack))
      pyro_unwind_by_libunwind (&sources, &regs, &stack, last.reference,
                                PYRO_MAX_FRAMES, &last.reference_walk);
  }
#endif
}

/* Leaf functions keep data below the stack pointer there. */
#if defined(__x86_64__)
#define RED_ZONE 128
#else
#define RED_ZONE 0
#endif

#define PAGE 4096

/* No test function is longer. */
#if PYRO_TEST_HAS_ASAN
#define MAX_FUNCTION 2500
#else
#define MAX_FUNCTION 400
#endif

/* FUNC's frame is in the chain. */
static gboolean
crossed (gconstpointer func)
{
  guint i;

  for (i = 0; i < last.walk.depth; i++) {
    if (last.pcs[i] - (uintptr_t)func < MAX_FUNCTION)
      return TRUE;
  }
  return FALSE;
}

static void
assert_like_reference (void)
{
  guint i;

#ifdef HAVE_LIBUNWIND
  g_assert_cmpuint (last.walk.depth, ==, last.reference_walk.depth);
  for (i = 0; i < last.walk.depth; i++) {
    /* 1 is added to the pc of what a signal interrupted. */
    if (last.pcs[i] != last.reference[i] + 1)
      g_assert_cmphex (last.pcs[i], ==, last.reference[i]);
  }
#else
  (void)i;
#endif
}

static volatile guint not_a_tail_call;

static uintptr_t interrupted[2];

static uintptr_t
context_pc (const ucontext_t *context)
{
  PyroRegisters regs;

  pyro_registers_from_ucontext (&regs, context);
  return regs.pc;
}

static __attribute__ ((noinline)) void
inner_handler (int signo, siginfo_t *info, void *context)
{
  interrupted[0] = context_pc (context);
  raise (SIGUSR1);
  not_a_tail_call++;
}

static __attribute__ ((noinline)) void
outer_handler (int signo, siginfo_t *info, void *context)
{
  interrupted[1] = context_pc (context);
  raise (SIGURG);
  not_a_tail_call++;
}

/* Two signals' frames, the outer one on a stack of its own. */
static void
test_nested_signals (void)
{
  static guint8 memory[256 * 1024] __attribute__ ((aligned (4096)));
  stack_t alternate = { .ss_sp = memory, .ss_size = sizeof memory };
  stack_t none = { .ss_flags = SS_DISABLE };
  guint i, found = 0;

  pyro_test_install (SIGUSR1, on_walk, 0);
  pyro_test_install (SIGURG, inner_handler, 0);
  pyro_test_install (SIGWINCH, outer_handler, SA_ONSTACK);
  g_assert_no_errno (sigaltstack (&alternate, NULL));
  pyro_test_refresh ();
  raise (SIGWINCH);
  g_assert_no_errno (sigaltstack (&none, NULL));
  g_assert_cmpint (last.walk.end, ==, PYRO_STACK_COMPLETE);
  g_assert_true (crossed (inner_handler));
  g_assert_true (crossed (outer_handler));
  g_assert_true (crossed (test_nested_signals));
  /* Exact pcs, plus 1: whoever names them subtracts it again. */
  for (i = 0; i < last.walk.depth && found < 2; i++)
    found += last.pcs[i] == interrupted[found] + 1;
  g_assert_cmpuint (found, ==, 2);
  assert_like_reference ();
}

static ucontext_t main_context, coroutine_context;

static int coroutine_signal = SIGUSR1;

static __attribute__ ((noinline)) void
coroutine (void)
{
  raise (coroutine_signal);
  swapcontext (&coroutine_context, &main_context);
  not_a_tail_call++;
}

static void
run_coroutine (gpointer memory, gsize size)
{
  memset (&last, 0, sizeof last);
  getcontext (&coroutine_context);
  coroutine_context.uc_stack.ss_sp = memory;
  coroutine_context.uc_stack.ss_size = size;
  coroutine_context.uc_link = &main_context;
  makecontext (&coroutine_context, coroutine, 0);
  pyro_test_refresh ();
  swapcontext (&main_context, &coroutine_context);
  g_assert_cmpint (last.walk.end, ==, PYRO_STACK_COMPLETE);
  g_assert_true (crossed (coroutine));
  g_assert_false (crossed (run_coroutine));
}

static void
test_coroutines (void)
{
  gsize size = 64 * 1024;
  gpointer memory = g_malloc (size);
  guint8 *mapped;

  pyro_test_install (SIGUSR1, on_walk, 0);
  run_coroutine (memory, size);
  g_free (memory);
  /* At the edge of a mapping: nothing above it can be read. */
  mapped = mmap (NULL, size + 4096, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  g_assert_true (mapped != MAP_FAILED);
  g_assert_no_errno (mprotect (mapped + size, 4096, PROT_NONE));
  run_coroutine (mapped, size);
  munmap (mapped, size + 4096);
}

/* Three stacks: a handler's own, the coroutine's, and the thread's that nobody
 * may come to. */
static void
test_coroutine_and_signals (void)
{
  static guint8 memory[256 * 1024] __attribute__ ((aligned (4096)));
  stack_t alternate = { .ss_sp = memory, .ss_size = sizeof memory };
  stack_t none = { .ss_flags = SS_DISABLE };
  gsize size = 64 * 1024;
  gpointer stack = g_malloc (size);

  pyro_test_install (SIGUSR1, on_walk, 0);
  pyro_test_install (SIGURG, inner_handler, 0);
  pyro_test_install (SIGWINCH, outer_handler, SA_ONSTACK);
  g_assert_no_errno (sigaltstack (&alternate, NULL));
  coroutine_signal = SIGWINCH;
  run_coroutine (stack, size);
  coroutine_signal = SIGUSR1;
  g_assert_true (crossed (inner_handler));
  g_assert_true (crossed (outer_handler));
  g_assert_no_errno (sigaltstack (&none, NULL));
  g_free (stack);
}

#if defined(__x86_64__)

static struct {
  guint n_on_thread, n_in_coroutine, n_on_neither; /* complete */
  guint n_on_both, n_incomplete;
} switching;

/* While swapcontext has the new stack pointer and not yet the new pc, it is
 * called by whoever is on the new stack: nobody, if it is a new coroutine. */
static void
on_switch_step (const ucontext_t *context, const PyroTestTruth *truth,
                gpointer data)
{
  pyro_test_walk (context, NULL, last.pcs, PYRO_MAX_FRAMES, &last.walk);
  if (last.walk.end != PYRO_STACK_COMPLETE)
    switching.n_incomplete++;
  else if (crossed (coroutine))
    *(crossed (pyro_test_step) ? &switching.n_on_both
                               : &switching.n_in_coroutine)
        += 1;
  else
    *(crossed (pyro_test_step) ? &switching.n_on_thread
                               : &switching.n_on_neither)
        += 1;
}

static void
switch_there_and_back (gpointer data)
{
  swapcontext (&main_context, &coroutine_context);
  not_a_tail_call++;
}

static void
test_switch (void)
{
  gsize size = 64 * 1024;
  gpointer stack = g_malloc (size);
  struct sigaction ignore = { .sa_handler = SIG_IGN };

  g_assert_no_errno (sigaction (SIGUSR1, &ignore, NULL));
  memset (&switching, 0, sizeof switching);
  getcontext (&coroutine_context);
  coroutine_context.uc_stack.ss_sp = stack;
  coroutine_context.uc_stack.ss_size = size;
  coroutine_context.uc_link = &main_context;
  makecontext (&coroutine_context, coroutine, 0);
  pyro_test_refresh ();
  pyro_test_step (switch_there_and_back, NULL, on_switch_step, NULL);
  g_test_message ("%u stacks of the thread, %u of the coroutine, %u of neither",
                  switching.n_on_thread, switching.n_in_coroutine,
                  switching.n_on_neither);
  g_assert_cmpuint (switching.n_on_both, ==, 0);
  g_assert_cmpuint (switching.n_incomplete, ==, 0);
  g_assert_cmpuint (switching.n_on_thread, >, 20);
  g_assert_cmpuint (switching.n_in_coroutine, >, 20);
  g_assert_cmpuint (switching.n_on_neither, <, 40);
  g_free (stack);
}

#endif

static __attribute__ ((noinline)) guint
recurse (guint depth)
{
  guint result;

  if (depth == 0) {
    raise (SIGUSR1);
    return 1;
  }
  result = recurse (depth - 1) + 1;
  not_a_tail_call++;
  return result;
}

static void
test_recursion (void)
{
  static const guint depths[] = { 10, 300, 3000, 50000 };
  guint i;

  pyro_test_install (SIGUSR1, on_walk, 0);
  for (i = 0; i < G_N_ELEMENTS (depths); i++) {
    pyro_test_refresh ();
    g_assert_cmpuint (recurse (depths[i]), ==, depths[i] + 1);
    if (depths[i] <= 3000) {
      g_assert_cmpint (last.walk.end, ==, PYRO_STACK_COMPLETE);
      g_assert_true (crossed (test_recursion));
      g_assert_cmpuint (last.walk.omitted > 0, ==, depths[i] > 256);
    } else {
      g_assert_cmpint (last.walk.end, ==, PYRO_STACK_TOO_DEEP);
      g_assert_cmpuint (last.walk.depth, ==, PYRO_MAX_FRAMES);
    }
  }
}

static gpointer
walk_in_thread (gpointer data)
{
  raise (SIGUSR1);
  return NULL;
}

static void
test_threads (void)
{
  static const gsize sizes[] = { 16 * 1024 + 8192, 64 * 1024, 8 << 20 };
  guint i;

  pyro_test_install (SIGUSR1, on_walk, 0);
  for (i = 0; i < G_N_ELEMENTS (sizes); i++) {
    pthread_attr_t attributes;
    pthread_t thread;
    gpointer memory = mmap (NULL, sizes[i], PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    memset (&last, 0, sizeof last);
    pthread_attr_init (&attributes);
    g_assert_no_errno (pthread_attr_setstack (&attributes, memory, sizes[i]));
    pyro_test_refresh ();
    g_assert_no_errno (
        pthread_create (&thread, &attributes, walk_in_thread, NULL));
    pthread_join (thread, NULL);
    pthread_attr_destroy (&attributes);
    munmap (memory, sizes[i]);
    if (last.walk.depth == 0)
      g_test_message ("a stack of %" G_GSIZE_FORMAT " bytes is too small for "
                      "this test's handler",
                      sizes[i]);
    g_assert_cmpint (last.walk.end, ==, PYRO_STACK_COMPLETE);
    g_assert_true (crossed (walk_in_thread));
  }
}

/* The kernel has written below the stack pointer; above it nobody knows. */
static void
test_find (void)
{
  PyroUnwindSources sources = { NULL };
  const PyroMemoryMap *map;
  const PyroCodeMapping *code;
  PyroStackBounds bounds;
  guint8 local;
  guint8 *pages = mmap (NULL, 40 * PAGE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  uintptr_t start = (uintptr_t)pages, low, high;
  bool published;

  g_assert_no_errno (mprotect (pages, PAGE, PROT_NONE));
  g_assert_no_errno (mprotect (pages + 30 * PAGE, PAGE, PROT_READ));
  pyro_test_refresh ();
  map = sources.map = pyro_memory_map_published ();
  /* Whose memory cannot be a stack, unless the kernel has written there. */
  g_assert_false (pyro_stack_find (&sources, start + 100, false, &bounds));
  g_assert_false (
      pyro_stack_find (&sources, start + 30 * PAGE + 100, false, &bounds));
  g_assert_false (pyro_stack_find (&sources, 8, true, &bounds));
  g_assert_false (pyro_stack_find (&sources, UINTPTR_MAX - 8, false, &bounds));

  /* A stack of somebody's: the page for certain, frames up to the bound. */
  g_assert_true (
      pyro_stack_find (&sources, start + 2 * PAGE + 1000, true, &bounds));
  g_assert_cmpuint (bounds.low, ==, start + 2 * PAGE + 1000 - RED_ZONE);
  g_assert_cmpuint (bounds.certain, ==, start + 3 * PAGE);
  g_assert_cmpuint (bounds.limit, ==, start + 30 * PAGE);
  g_assert_cmpuint (bounds.high, ==,
                    start + 2 * PAGE + 1000 + PYRO_STACK_REACH);
  g_assert_true (
      pyro_stack_find (&sources, start + 29 * PAGE + 8, true, &bounds));
  g_assert_cmpuint (bounds.certain, ==, start + 29 * PAGE);
  g_assert_cmpuint (bounds.high, ==, start + 30 * PAGE);
  /* Not below the mapping, where the guard is. */
  g_assert_true (pyro_stack_find (&sources, start + PAGE + 8, false, &bounds));
  g_assert_cmpuint (bounds.low, ==, start + PAGE + 8 - MIN (RED_ZONE, 8));
  g_assert_cmpuint (bounds.certain, ==, start + PAGE + 8);
  /* A stack that the map does not know: the page. */
  sources.map = NULL;
  g_assert_true (
      pyro_stack_find (&sources, start + 2 * PAGE + 1000, true, &bounds));
  g_assert_cmpuint (bounds.limit, ==, 0);
  g_assert_cmpuint (bounds.high, ==, start + 3 * PAGE);
  g_assert_false (
      pyro_stack_find (&sources, start + 2 * PAGE + 1000, false, &bounds));
  sources.map = map;

  /* The thread's own. */
  sources.own_low = start + PAGE;
  sources.own_high = start + 20 * PAGE;
  g_assert_true (
      pyro_stack_find (&sources, start + 2 * PAGE + 1000, false, &bounds));
  g_assert_cmpuint (bounds.low, ==, start + 2 * PAGE + 1000 - RED_ZONE);
  g_assert_cmpuint (bounds.high, ==, start + 20 * PAGE);
  g_assert_cmpuint (bounds.limit, ==, 0);
  sources.own_low = sources.own_high = 0;

  /* The main thread's stack may have grown since. */
  g_assert_true (pyro_memory_map_get_main_stack (map, &low, &high));
  g_assert_cmpuint ((uintptr_t)&local, >=, low);
  g_assert_cmpuint ((uintptr_t)&local, <, high);
  g_assert_true (pyro_stack_find (&sources, low - (2 << 20), true, &bounds));
  g_assert_cmpuint (bounds.limit, ==, high);

  code = pyro_memory_map_find_code (map, (uintptr_t)test_find);
  g_assert_nonnull (code);
  g_assert_cmpint (code->kind, ==, PYRO_CODE_FILE);
  g_assert_nonnull (strstr (pyro_memory_map_code_name (map, code), "stacks"));
  g_assert_null (pyro_memory_map_find_code (map, start + 2 * PAGE));

  g_assert_true (pyro_memory_watch_refresh (pyro_test_watch, &published));
  g_assert_true (pyro_memory_watch_refresh (pyro_test_watch, &published));
  g_assert_false (published);
  munmap (pages, 40 * PAGE);
  g_assert_true (pyro_memory_watch_refresh (pyro_test_watch, &published));
  g_assert_true (published);
}

static gpointer
outlive_main (gpointer data)
{
  g_usleep (200 * 1000);
  pyro_test_refresh ();
  raise (SIGUSR1);
  _exit (last.walk.end == PYRO_STACK_COMPLETE && crossed (outlive_main) ? 0
                                                                        : 1);
}

/* /proc/self/maps is empty then. */
static void
test_main_thread_gone (void)
{
  if (g_test_subprocess ()) {
    pyro_test_install (SIGUSR1, on_walk, 0);
    g_thread_new ("heir", outlive_main, NULL);
    pthread_exit (NULL);
  }
  g_test_trap_subprocess (NULL, 0, 0);
  g_test_trap_assert_passed ();
}

int
main (int argc, char **argv)
{
  int result;

  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/stacks/nested-signals-on-an-alternate-stack",
                   test_nested_signals);
  g_test_add_func ("/stacks/coroutines", test_coroutines);
  g_test_add_func ("/stacks/a-signal-on-an-alternate-stack-in-a-coroutine",
                   test_coroutine_and_signals);
#if defined(__x86_64__)
  g_test_add_func ("/stacks/each-instruction-of-a-switch-of-coroutines",
                   test_switch);
#endif
  g_test_add_func ("/stacks/deep-recursion-keeps-its-root", test_recursion);
  g_test_add_func ("/stacks/threads-on-their-own-memory", test_threads);
  g_test_add_func ("/stacks/what-is-not-the-threads-own-is-read-frame-by-frame",
                   test_find);
  g_test_add_func ("/stacks/the-main-thread-may-be-gone",
                   test_main_thread_gone);
  result = g_test_run ();
  pyro_test_tear_down ();
  return result;
}
