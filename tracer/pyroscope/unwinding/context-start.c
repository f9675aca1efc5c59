/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "context-start.h"

#include <ucontext.h>

static void
nothing (void)
{
}

guintptr
pyro_find_context_start (void)
{
  guintptr start = 0;
#if defined(__GLIBC__)
  guint64 stack[512];
  ucontext_t context;

  if (getcontext (&context) != 0)
    return 0;
  context.uc_stack.ss_sp = stack;
  context.uc_stack.ss_size = sizeof stack;
  context.uc_link = NULL;
  makecontext (&context, nothing, 0);
#if defined(__x86_64__)
  {
    guintptr sp = (guintptr)context.uc_mcontext.gregs[REG_RSP];

    if (sp >= (guintptr)stack && sp < (guintptr)(stack + 512))
      start = *(guintptr *)sp;
  }
#elif defined(__aarch64__)
  start = context.uc_mcontext.regs[30];
#endif
#endif
  return start;
}
