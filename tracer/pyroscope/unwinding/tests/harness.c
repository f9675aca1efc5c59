/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "harness.h"

#include <signal.h>

#include "registers.h"

#define MAX_CALLS 40

/* hazards.S: sets the trap flag, calls FUNC, clears it. */
void pyro_test_stepped_call (void (*func) (gpointer), gpointer argument);

PyroModules *pyro_test_modules;
PyroMemoryWatch *pyro_test_watch;

void
pyro_test_refresh (void)
{
  if (pyro_test_modules == NULL) {
    pyro_test_modules = pyro_modules_new (TRUE);
    pyro_test_watch = pyro_memory_watch_new ();
  }
  pyro_modules_refresh (pyro_test_modules);
  g_assert_true (pyro_memory_watch_refresh (pyro_test_watch, NULL));
}

void
pyro_test_tear_down (void)
{
  g_clear_pointer (&pyro_test_modules, pyro_modules_free);
  g_clear_pointer (&pyro_test_watch, pyro_memory_watch_free);
}

void
pyro_test_walk (const ucontext_t *context, PyroUnwindCache *cache,
                uintptr_t *pcs, unsigned max, PyroWalk *walk)
{
  PyroUnwindSources sources = { .tables = pyro_modules_published (),
                                .map = pyro_memory_map_published (),
                                .cache = cache };
  PyroStackBounds stack = { 0 };
  PyroRegisters regs;

  pyro_registers_from_ucontext (&regs, context);
  pyro_memory_map_get_main_stack (sources.map, &sources.own_low,
                                  &sources.own_high);
  pyro_stack_find (&sources, regs.sp, true, &stack);
  pyro_unwind_by_tables (&sources, &regs, &stack, pcs, max, walk);
}

void
pyro_test_copy_file (const char *from, const char *to)
{
  gchar *contents;
  gsize size;

  g_assert_true (g_file_get_contents (from, &contents, &size, NULL));
  g_assert_true (g_file_set_contents (to, contents, (gssize)size, NULL));
  g_free (contents);
}

void
pyro_test_install (int signo, void (*handler) (int, siginfo_t *, void *),
                   int flags)
{
  struct sigaction action = { .sa_sigaction = handler,
                              .sa_flags = SA_SIGINFO | SA_RESTART | flags };

  g_assert_no_errno (sigaction (signo, &action, NULL));
}

#if defined(__x86_64__)

static struct {
  PyroTestStepFunc on_step;
  gpointer data;
  unsigned n_steps;
  struct {
    uintptr_t slot;
    uintptr_t ra;
  } calls[MAX_CALLS];
  unsigned n_calls;
  uintptr_t base[PYRO_MAX_FRAMES];
  unsigned n_base;
  uintptr_t pc, sp;
} stepper;

static void
on_trap (int signo, siginfo_t *info, void *data)
{
  const ucontext_t *context = data;
  uintptr_t pc = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
  uintptr_t sp = (uintptr_t)context->uc_mcontext.gregs[REG_RSP];
  PyroTestTruth truth;
  unsigned i;

  if (stepper.n_steps++ == 0) {
    PyroWalk walk;

    pyro_test_walk (context, NULL, stepper.base, PYRO_MAX_FRAMES, &walk);
    g_assert_cmpint (walk.end, ==, PYRO_STACK_COMPLETE);
    stepper.n_base = walk.depth;
    stepper.n_calls = 0;
  } else {
    while (stepper.n_calls > 0 && stepper.calls[stepper.n_calls - 1].slot < sp)
      stepper.n_calls--;
    if (sp == stepper.sp - 8) {
      uintptr_t ra = *(const uintptr_t *)sp;

      if (ra - stepper.pc >= 2 && ra - stepper.pc <= 8 && pc != ra) {
        g_assert_cmpuint (stepper.n_calls, <, MAX_CALLS);
        stepper.calls[stepper.n_calls].slot = sp;
        stepper.calls[stepper.n_calls++].ra = ra;
      }
    }
  }
  stepper.pc = pc;
  stepper.sp = sp;
  truth.n_executed = stepper.n_calls;
  truth.n = 0;
  for (i = stepper.n_calls; i > 0; i--)
    truth.chain[truth.n++] = stepper.calls[i - 1].ra;
  for (i = 1; i < stepper.n_base && truth.n < G_N_ELEMENTS (truth.chain); i++)
    truth.chain[truth.n++] = stepper.base[i];
  stepper.on_step (context, &truth, stepper.data);
}

unsigned
pyro_test_step (void (*func) (gpointer), gpointer argument,
                PyroTestStepFunc on_step, gpointer data)
{
  stepper.on_step = on_step;
  stepper.data = data;
  stepper.n_steps = 0;
  pyro_test_install (SIGTRAP, on_trap, 0);
  pyro_test_stepped_call (func, argument);
  return stepper.n_steps;
}

#endif
