/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "reference-libunwind.h"

#define UNW_LOCAL_ONLY
#include <libunwind.h>
#include <string.h>
#include <ucontext.h>

#include "frame-buffer.h"
#include "memory-map.h"

#define MAX_STEPS 4096

static bool is_busy;

static void
fill_context (unw_context_t *context, const PyroRegisters *regs)
{
  memset (context, 0, sizeof *context);
#if defined(__x86_64__)
  /* libunwind's context is the kernel's on this processor. */
  greg_t *gregs = context->uc_mcontext.gregs;

  gregs[REG_RIP] = (greg_t)regs->pc;
  gregs[REG_RSP] = (greg_t)regs->sp;
  gregs[REG_RBP] = (greg_t)regs->fp;
  gregs[REG_RBX] = (greg_t)regs->rbx;
  gregs[REG_R12] = (greg_t)regs->r12;
  gregs[REG_R13] = (greg_t)regs->r13;
  gregs[REG_R14] = (greg_t)regs->r14;
  gregs[REG_R15] = (greg_t)regs->r15;
  gregs[REG_RAX] = (greg_t)regs->rax;
  gregs[REG_RCX] = (greg_t)regs->rcx;
  gregs[REG_RDX] = (greg_t)regs->rdx;
  gregs[REG_RSI] = (greg_t)regs->rsi;
  gregs[REG_RDI] = (greg_t)regs->rdi;
  gregs[REG_R8] = (greg_t)regs->r8;
  gregs[REG_R9] = (greg_t)regs->r9;
  gregs[REG_R10] = (greg_t)regs->r10;
  gregs[REG_R11] = (greg_t)regs->r11;
#elif defined(__aarch64__)
  context->uc_mcontext.pc = regs->pc;
  context->uc_mcontext.sp = regs->sp;
  context->uc_mcontext.regs[29] = regs->fp;
  context->uc_mcontext.regs[30] = regs->lr;
#else
#error "The registers of this processor are not known here: add them."
#endif
}

static bool
may_read (const PyroUnwindSources *sources, const PyroStackBounds *stack,
          uintptr_t sp)
{
  PyroStackBounds other;

  return (sp >= stack->low && sp < stack->high)
         || pyro_stack_find (sources, sp, false, &other);
}

static PyroStackEnd
walk_by_libunwind (const PyroUnwindSources *sources, const PyroRegisters *regs,
                   const PyroStackBounds *stack, PyroFrameBuffer *buffer)
{
  unw_context_t context;
  unw_cursor_t cursor;
  unsigned steps;

  fill_context (&context, regs);
  if (unw_init_local2 (&cursor, &context, UNW_INIT_SIGNAL_FRAME) < 0)
    return PYRO_STACK_UNSUPPORTED;
  for (steps = 0; steps < MAX_STEPS; steps++) {
    int result = unw_step (&cursor);
    unw_word_t pc, sp;

    if (result == 0)
      return PYRO_STACK_COMPLETE;
    if (result == -UNW_ENOINFO)
      return PYRO_STACK_NO_UNWIND_INFO;
    if (result < 0)
      return PYRO_STACK_UNREADABLE;
    if (unw_get_reg (&cursor, UNW_REG_IP, &pc) < 0 || pc == 0)
      return PYRO_STACK_COMPLETE;
    pyro_frame_buffer_add (buffer, (uintptr_t)pc);
    /* What the next step reads is near the stack pointer. It moves to another
     * stack where a signal came on an alternate one, and where it has been led
     * astray. */
    if (unw_get_reg (&cursor, UNW_REG_SP, &sp) < 0
        || !may_read (sources, stack, (uintptr_t)sp))
      return PYRO_STACK_UNREADABLE;
  }
  return PYRO_STACK_TOO_DEEP;
}

void
pyro_unwind_by_libunwind (const PyroUnwindSources *sources,
                          const PyroRegisters *regs,
                          const PyroStackBounds *stack, uintptr_t *pcs,
                          unsigned max, PyroWalk *walk)
{
  PyroFrameBuffer buffer;

  walk->rescued = false;
  pyro_frame_buffer_init (&buffer, pcs, max);
  pyro_frame_buffer_add (&buffer, regs->pc);
  /* libunwind follows sp wherever it leads, by system calls. */
  if (regs->sp < stack->low || regs->sp >= stack->high || stack->shift != 0) {
    walk->end = PYRO_STACK_UNKNOWN_STACK;
  } else if (__atomic_exchange_n (&is_busy, true, __ATOMIC_ACQUIRE)) {
    walk->end = PYRO_STACK_BUSY;
  } else {
    walk->end = walk_by_libunwind (sources, regs, stack, &buffer);
    __atomic_store_n (&is_busy, false, __ATOMIC_RELEASE);
  }
  pyro_frame_buffer_finish (&buffer, walk);
}

void
pyro_reference_libunwind_warm_up (void)
{
  unw_context_t context;
  unw_cursor_t cursor;

  unw_set_caching_policy (unw_local_addr_space, UNW_CACHE_GLOBAL);
  if (unw_getcontext (&context) != 0 || unw_init_local (&cursor, &context) != 0)
    return;
  while (unw_step (&cursor) > 0)
    continue;
}
