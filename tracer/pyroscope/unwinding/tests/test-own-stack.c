/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The calling thread's own stack, outside of a signal handler. */

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

#include "harness.h"
#include "own-stack.h"

#define VALUE ((uintptr_t)0x70797266)

static volatile guint not_a_tail_call;

static struct {
  PyroOwnFrame frames[300];
  guint n, max;
  PyroStackEnd end;
  gboolean found_saved;
} seen;

static uintptr_t cfas[3];
static uintptr_t low, high;

static bool
on_frame (const PyroOwnFrame *frame, void *data)
{
  const uintptr_t *word;

  g_assert_true (frame->start <= frame->limit);
  g_assert_true (frame->saved >= frame->start);
  g_assert_true (frame->saved <= frame->saved_limit);
  g_assert_true (frame->saved_limit <= frame->limit);
  for (word = frame->saved; word < frame->saved_limit; word++)
    seen.found_saved |= *word == VALUE;
  seen.frames[seen.n++] = *frame;
  return seen.n < seen.max;
}

static __attribute__ ((noinline)) void
innermost (void)
{
  cfas[0] = (uintptr_t)__builtin_dwarf_cfa ();
  memset (&seen, 0, sizeof seen);
  seen.max = G_N_ELEMENTS (seen.frames);
  seen.end = pyro_walk_own_stack (low, high, on_frame, NULL);
  not_a_tail_call++;
}

static __attribute__ ((noinline)) void
middle (void)
{
  volatile guint8 room[1000];

  cfas[1] = (uintptr_t)__builtin_dwarf_cfa ();
  room[0] = 1;
  innermost ();
  not_a_tail_call += room[0];
}

static __attribute__ ((noinline)) void
outermost (void)
{
  cfas[2] = (uintptr_t)__builtin_dwarf_cfa ();
  middle ();
  not_a_tail_call++;
}

static void
assert_frames (void)
{
  guint i;

  g_assert_cmpint (seen.end, ==, PYRO_STACK_COMPLETE);
  g_assert_cmpuint (seen.n, >, 4);
  for (i = 0; i < 3; i++) {
    g_assert_cmphex ((uintptr_t)seen.frames[i + 1].limit, ==, cfas[i]);
    g_assert_true (seen.frames[i + 2].start == seen.frames[i + 1].limit);
  }
  g_assert_true (seen.frames[1].pc - (uintptr_t)innermost < 1000);
  g_assert_true (seen.frames[2].pc - (uintptr_t)middle < 1000);
  g_assert_true (seen.frames[3].pc - (uintptr_t)outermost < 1000);
  g_assert_true (seen.frames[seen.n - 1].start
                 == seen.frames[seen.n - 1].limit);
}

static gpointer
walk_in_thread (gpointer data)
{
  pthread_attr_t attributes;
  gpointer start;
  gsize size;

  g_assert_no_errno (pthread_getattr_np (pthread_self (), &attributes));
  g_assert_no_errno (pthread_attr_getstack (&attributes, &start, &size));
  pthread_attr_destroy (&attributes);
  low = (uintptr_t)start;
  high = low + size;
  outermost ();
  low = high = 0;
  assert_frames ();
  return NULL;
}

static void
test_frames (void)
{
  pthread_t thread;

  pyro_test_refresh ();
  outermost ();
  assert_frames ();
  g_assert_no_errno (pthread_create (&thread, NULL, walk_in_thread, NULL));
  pthread_join (thread, NULL);
}

static void
test_enough (void)
{
  pyro_test_refresh ();
  memset (&seen, 0, sizeof seen);
  seen.max = 2;
  seen.end = pyro_walk_own_stack (0, 0, on_frame, NULL);
  g_assert_cmpint (seen.end, ==, PYRO_STACK_TOO_DEEP);
  g_assert_cmpuint (seen.n, ==, 2);
}

static __attribute__ ((noinline)) guint
recurse (guint depth)
{
  guint n;

  if (depth == 0) {
    innermost ();
    return 0;
  }
  n = recurse (depth - 1) + 1;
  not_a_tail_call++;
  return n;
}

static void
test_depth (void)
{
  pyro_test_refresh ();
  recurse (10000);
  g_assert_cmpint (seen.end, ==, PYRO_STACK_TOO_DEEP);
  g_assert_cmpuint (seen.n, ==, 256);
}

#if defined(__x86_64__)

/* What a caller keeps in a register is saved by somebody whom it calls, or is
 * still there. */
static void
test_registers (void)
{
  pyro_test_refresh ();
  __asm__ volatile("mov %0, %%r14\n"
                   "call *%1\n"
                   :
                   : "r"(VALUE), "r"(middle)
                   : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10",
                     "r11", "r14", "memory", "cc");
  g_assert_cmpuint (seen.n, >, 4);
  g_assert_cmphex (seen.frames[0].known, ==, (1 << PYRO_OWN_N_REGISTERS) - 1);
  g_assert_true (seen.found_saved
                 || seen.frames[0].registers[PYRO_OWN_R14] == VALUE);
  g_assert_true (seen.frames[2].known >> PYRO_OWN_RBP & 1);
}

#endif

static gboolean
yes (gpointer data)
{
  return TRUE;
}

/* Tables that a reader holds stay, however old they are. */
static void
test_reclaim (void)
{
  PyroModulesStatistics statistics;
  gpointer module;

  pyro_test_refresh ();
  pyro_modules_reclaim (pyro_test_modules, yes, NULL);
  pyro_readers_enter ();
  module = dlopen (g_getenv ("CHURN_MODULE_A"), RTLD_NOW);
  g_assert_nonnull (module);
  g_assert_true (pyro_modules_refresh (pyro_test_modules));
  pyro_modules_reclaim (pyro_test_modules, yes, NULL);
  pyro_modules_get_statistics (pyro_test_modules, &statistics);
  g_assert_cmpuint (statistics.n_retired, ==, 1);
  pyro_readers_leave ();
  pyro_modules_reclaim (pyro_test_modules, yes, NULL);
  pyro_modules_get_statistics (pyro_test_modules, &statistics);
  g_assert_cmpuint (statistics.n_retired, ==, 0);
  dlclose (module);
}

static void
test_no_tables (void)
{
  pyro_test_tear_down ();
  g_assert_cmpint (pyro_walk_own_stack (0, 0, on_frame, NULL), ==,
                   PYRO_STACK_UNKNOWN_CODE);
}

int
main (int argc, char **argv)
{
  int result;

  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/own-stack/each-frame-has-its-pc-and-its-bounds",
                   test_frames);
  g_test_add_func ("/own-stack/ends-when-the-visitor-has-enough", test_enough);
  g_test_add_func ("/own-stack/a-deep-stack-is-not-walked-to-its-end",
                   test_depth);
#if defined(__x86_64__)
  g_test_add_func ("/own-stack/a-callers-registers-are-found", test_registers);
#endif
  g_test_add_func ("/own-stack/a-readers-tables-are-not-reclaimed",
                   test_reclaim);
  g_test_add_func ("/own-stack/without-tables-there-are-no-frames",
                   test_no_tables);
  result = g_test_run ();
  pyro_test_tear_down ();
  return result;
}
