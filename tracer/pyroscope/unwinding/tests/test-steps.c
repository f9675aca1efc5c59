/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every instruction of chosen functions: after each, the chain by the tables
 * has to be exactly the calls that the processor has executed.
 */

#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "harness.h"
#include "own-bounds.h"
#include "registers.h"
#include "tables.h"
#include "unwind-cache.h"

void pyro_test_no_cfi_leaf (gpointer);
void pyro_test_no_cfi_large (gpointer);
void pyro_test_no_cfi_realigned (gpointer);
void pyro_test_no_cfi_nested (gpointer);
void pyro_test_wild_frame_pointer (gpointer);
void pyro_test_ends_in_call (gpointer);
void pyro_test_large_frame (gpointer);
extern const char pyro_test_no_cfi_large_filled[];
extern const char pyro_test_no_cfi_realigned_filled[];

typedef struct {
  PyroUnwindCache *cache;
  guint n_rescued;
  guint n_wrong;
  uintptr_t wrong_pc;
  guint wrong_at;
  uintptr_t got, expected;
  uintptr_t chain[12]; /* as it was, for the message */
  gboolean with_copies;
  uintptr_t not_from, not_to; /* there the chain is not looked at */
  guint8 *copy;
} Check;

/* Callers without CFI are not in the chain if the leaf was rescued. */
static gboolean
has_rule (uintptr_t ra)
{
  guint32 rule = pyro_tables_find_rule (pyro_modules_published (), ra - 1);

  return rule != PYRO_SPECIAL_NONE && rule != PYRO_SPECIAL_UNKNOWN;
}

static void
note_wrong (Check *check, const uintptr_t *pcs, guint at, uintptr_t expected)
{
  if (check->n_wrong++ > 0)
    return;
  check->wrong_pc = pcs[0];
  check->wrong_at = at;
  check->got = pcs[at];
  check->expected = expected;
  memcpy (check->chain, pcs, sizeof check->chain);
}

static void
check_chain (Check *check, const uintptr_t *pcs, const PyroWalk *walk,
             const PyroTestTruth *truth)
{
  guint at = 1, i = 0;

  if (pcs[0] >= check->not_from && pcs[0] < check->not_to)
    return;
  if (walk->end != PYRO_STACK_COMPLETE) {
    note_wrong (check, pcs, 0, 0);
    return;
  }
  if (walk->rescued) {
    check->n_rescued++;
    while (i < truth->n_executed && !has_rule (truth->chain[i]))
      i++;
  }
  for (; i < truth->n; i++, at++) {
    if (at >= walk->depth || pcs[at] != truth->chain[i]) {
      note_wrong (check, pcs, at, truth->chain[i]);
      return;
    }
  }
  if (at != walk->depth)
    note_wrong (check, pcs, at, 0);
}

/* Not memcpy: AddressSanitizer's would look at what lies between variables. */
static __attribute__ ((no_sanitize_address)) void
copy_words (guint8 *to, uintptr_t from, uintptr_t limit)
{
  volatile guint64 *out = (guint64 *)to;

  for (; from < limit; from += sizeof *out)
    *out++ = *(volatile guint64 *)from;
}

/* What the collector does with a blocked thread: the same walk on a copy. */
static void
walk_on_copy (Check *check, const ucontext_t *context, uintptr_t *pcs,
              PyroWalk *walk)
{
  PyroUnwindSources sources
      = { pyro_modules_published (), pyro_memory_map_published (), NULL };
  PyroStackBounds stack;
  PyroRegisters regs;

  pyro_registers_from_ucontext (&regs, context);
  if (!pyro_test_find_stack (&sources, regs.sp, &stack))
    return;
  stack.low &= ~(uintptr_t)7;
  copy_words (check->copy, stack.low, stack.high);
  stack.shift = (intptr_t)check->copy - (intptr_t)stack.low;
  pyro_unwind_by_tables (&sources, &regs, &stack, pcs, PYRO_MAX_FRAMES, walk);
}

static void
on_step (const ucontext_t *context, const PyroTestTruth *truth, gpointer data)
{
  Check *check = data;
  uintptr_t pcs[PYRO_MAX_FRAMES];
  PyroWalk walk;

  pyro_test_walk (context, check->cache, pcs, PYRO_MAX_FRAMES, &walk);
  check_chain (check, pcs, &walk, truth);
  if (check->with_copies) {
    walk_on_copy (check, context, pcs, &walk);
    check_chain (check, pcs, &walk, truth);
  }
}

static uintptr_t uninitialised_from, uninitialised_to;

static guint
step (void (*func) (gpointer), gpointer argument, gboolean with_copies)
{
  PyroUnwindCache cache = { 0 };
  Check check = { .cache = &cache,
                  .with_copies = with_copies,
                  .not_from = uninitialised_from,
                  .not_to = uninitialised_to };
  guint n_steps, i;

  check.copy = g_malloc (8 << 20);
  n_steps = pyro_test_step (func, argument, on_step, &check);
  g_free (check.copy);
  g_test_message ("%u instructions, %u rescued", n_steps, check.n_rescued);
  if (check.n_wrong > 0) {
    const PyroModule *module
        = pyro_modules_find (pyro_test_modules, check.wrong_pc);

    g_test_message ("%u wrong, the first at %s+0x%" G_GINTPTR_MODIFIER
                    "x, frame %u: 0x%" G_GINTPTR_MODIFIER
                    "x instead of 0x%" G_GINTPTR_MODIFIER "x",
                    check.n_wrong, module != NULL ? module->path : "?",
                    module != NULL ? check.wrong_pc - (uintptr_t)module->bias
                                   : check.wrong_pc,
                    check.wrong_at, check.got, check.expected);
    for (i = 0; i < G_N_ELEMENTS (check.chain); i++) {
      module = pyro_modules_find (pyro_test_modules, check.chain[i]);
      if (module != NULL)
        g_test_message ("  %s+0x%" G_GINTPTR_MODIFIER "x", module->path,
                        check.chain[i] - (uintptr_t)module->bias);
    }
  }
  g_assert_cmpuint (check.n_wrong, ==, 0);
  g_assert_cmpuint (n_steps, >, 3);
  return check.n_rescued;
}

static int
compare (const void *a, const void *b)
{
  return *(const int *)a - *(const int *)b;
}

static void
sort (gpointer data)
{
  int numbers[] = { 5, 3, 9, 1, 7, 2, 8, 4, 6, 0 };

  qsort (numbers, G_N_ELEMENTS (numbers), sizeof numbers[0], compare);
}

static void
print (gpointer data)
{
  char text[200];

  snprintf (text, sizeof text, "%s %d %.3f %p", "text", 42, 2.5, data);
}

static void
use_vdso (gpointer data)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
}

/* Its first call goes through the loader's resolver, which realigns its stack
 * and saves the vector registers. */
static void
call_through_plt (gpointer data)
{
  *(gulong *)data = strtoul ("42", NULL, 10);
}

static __attribute__ ((noinline)) void
use_vectors (volatile guint8 *bytes)
{
  bytes[0]++;
}

static void
realign (gpointer data)
{
  volatile guint8 vectors[256] __attribute__ ((aligned (128))) = { 0 };
  volatile guint8 *variable = __builtin_alloca ((gsize)vectors[0] + 100);

  use_vectors (vectors);
  use_vectors (variable);
}

static __attribute__ ((noinline, force_align_arg_pointer)) int
realign_entry (int a, int b, int c, int d, int e, int f, int on_stack)
{
  volatile guint8 vectors[64] __attribute__ ((aligned (64))) = { 0 };

  use_vectors (vectors);
  return a + b + c + d + e + f + on_stack + vectors[0];
}

static void
realign_with_arguments_on_stack (gpointer data)
{
  g_assert_cmpint (realign_entry (1, 2, 3, 4, 5, 6, 7), ==, 29);
}

static void
test_libc (void)
{
  step (sort, NULL, TRUE);
  step (print, NULL, TRUE);
}

static void
test_vdso (void)
{
  step (use_vdso, NULL, FALSE);
}

static void
test_plt (void)
{
  gulong result;

  step (call_through_plt, &result, FALSE);
  g_assert_cmpuint (result, ==, 42);
}

static void
test_realigned (void)
{
  step (realign, NULL, TRUE);
  step (realign_with_arguments_on_stack, NULL, TRUE);
}

static void
test_ends_in_call (void)
{
  step (pyro_test_ends_in_call, NULL, TRUE);
}

static void
test_large_frame (void)
{
  g_assert_cmpuint (step (pyro_test_large_frame, NULL, TRUE), ==, 0);
}

/* The register that a CFA is computed from is followed through callees. */
static void
test_saved_register (void)
{
  const char *path = g_getenv ("SAVED_REGISTER_MODULE");
  void *handle = path != NULL ? dlopen (path, RTLD_NOW | RTLD_LOCAL) : NULL;
  void (*func) (gpointer);

  g_assert_nonnull (handle);
  func = (void (*) (gpointer))dlsym (handle, "pyro_test_cfa_by_rbx");
  g_assert_nonnull (func);
  pyro_test_refresh ();
  g_assert_cmpuint (step (func, NULL, TRUE), ==, 0);
  dlclose (handle);
  pyro_test_refresh ();
}

static void
test_wild_frame_pointer (void)
{
  g_assert_cmpuint (step (pyro_test_wild_frame_pointer, NULL, TRUE), ==, 0);
}

static void
test_no_cfi (void)
{
  g_assert_cmpuint (step (pyro_test_no_cfi_leaf, NULL, TRUE), >, 2);
  /* Before they have filled their frames, relics of earlier calls stand there,
   * the stepper's own among them, which are of this module: no scan can tell.
   */
  uninitialised_from = (uintptr_t)pyro_test_no_cfi_large;
  uninitialised_to = (uintptr_t)pyro_test_no_cfi_large_filled;
  g_assert_cmpuint (step (pyro_test_no_cfi_large, NULL, TRUE), >, 30);
  uninitialised_from = (uintptr_t)pyro_test_no_cfi_realigned;
  uninitialised_to = (uintptr_t)pyro_test_no_cfi_realigned_filled;
  g_assert_cmpuint (step (pyro_test_no_cfi_realigned, NULL, TRUE), >, 5);
  uninitialised_from = uninitialised_to = 0;
  g_assert_cmpuint (step (pyro_test_no_cfi_nested, NULL, TRUE), >, 5);
}

/* The frame pointer's walk has no right to be right here, only to survive. */
static void
survive (const ucontext_t *context, const PyroTestTruth *truth, gpointer data)
{
  PyroUnwindSources sources = { .map = pyro_memory_map_published () };
  uintptr_t pcs[PYRO_MAX_FRAMES];
  PyroStackBounds stack;
  PyroRegisters regs;
  guint *n_complete = data;
  PyroWalk walk;

  pyro_registers_from_ucontext (&regs, context);
  g_assert_true (pyro_test_find_stack (&sources, regs.sp, &stack));
  pyro_unwind_by_frame_pointers (NULL, &regs, &stack, pcs, PYRO_MAX_FRAMES,
                                 &walk);
  g_assert_cmpuint (walk.depth, >=, 1);
  g_assert_cmpuint (walk.depth, <=, PYRO_MAX_FRAMES);
  g_assert_cmphex (pcs[0], ==, regs.pc);
  g_assert_cmpint (walk.end, <, PYRO_STACK_N_ENDS);
  *n_complete += walk.end == PYRO_STACK_COMPLETE;
}

static void
test_frame_pointers (void)
{
  guint n_complete = 0;

  pyro_test_step (pyro_test_wild_frame_pointer, NULL, survive, &n_complete);
  pyro_test_step (pyro_test_no_cfi_large, NULL, survive, &n_complete);
  pyro_test_step (pyro_test_no_cfi_realigned, NULL, survive, &n_complete);
}

int
main (int argc, char **argv)
{
  int result;

  g_test_init (&argc, &argv, NULL);
  pyro_test_refresh ();
  g_test_add_func ("/steps/each-instruction-of-libc-functions", test_libc);
  g_test_add_func ("/steps/each-instruction-of-the-vdso", test_vdso);
  g_test_add_func ("/steps/each-instruction-of-a-plt-entry-and-the-resolver",
                   test_plt);
  g_test_add_func ("/steps/each-instruction-of-realigned-stacks",
                   test_realigned);
  g_test_add_func ("/steps/a-function-that-ends-in-a-call", test_ends_in_call);
  g_test_add_func ("/steps/a-frame-too-large-for-a-row", test_large_frame);
  g_test_add_func ("/steps/a-cfa-by-a-register-that-callees-save",
                   test_saved_register);
  g_test_add_func ("/steps/a-wild-frame-pointer-with-cfi",
                   test_wild_frame_pointer);
  g_test_add_func ("/steps/functions-without-cfi-are-rescued-exactly",
                   test_no_cfi);
  g_test_add_func ("/steps/frame-pointers-survive-any-value",
                   test_frame_pointers);
  result = g_test_run ();
  pyro_test_tear_down ();
  return result;
}
