/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Handler-safe: no lock, no allocation, no system call, no libc, no TLS. */

#include "unwind.h"

#include "frame-buffer.h"
#include "frame.h"
#include "step.h"

/* Code without frame pointers may hold anything in the register: every read
 * is checked against the stack, and each record has to be above the last. */
void
pyro_unwind_by_frame_pointers (const PyroUnwindSources *sources,
                               const PyroRegisters *regs,
                               const PyroStackBounds *stack, uintptr_t *pcs,
                               unsigned max, PyroWalk *walk)
{
  PyroStackBounds readable = *stack;
  PyroFrameBuffer buffer;
  uintptr_t fp = regs->fp;
  uintptr_t lowest = regs->sp;
  int budget = PYRO_BUDGET;

  walk->rescued = false;
  walk->end = PYRO_STACK_TOO_DEEP;
  pyro_frame_buffer_init (&buffer, pcs, max);
  pyro_frame_buffer_add (&buffer, regs->pc);
  if (regs->sp < stack->low || regs->sp >= stack->high) {
    walk->end = PYRO_STACK_UNKNOWN_STACK;
    pyro_frame_buffer_finish (&buffer, walk);
    return;
  }
  /* A register that may hold anything proves no frame. */
  pyro_stack_forgo_reach (&readable);
  while (budget > 0) {
    uintptr_t next, ra;

    /* Both ABIs mark the outermost frame by a zero frame pointer. */
    if (fp == 0) {
      walk->end = PYRO_STACK_COMPLETE;
      break;
    }
    if (fp < lowest) {
      walk->end = PYRO_STACK_NO_PROGRESS;
      break;
    }
    if (!pyro_stack_read (&readable, fp, &next)
        || !pyro_stack_read (&readable, fp + sizeof (uintptr_t), &ra)) {
      walk->end = PYRO_STACK_UNREADABLE;
      break;
    }
#if defined(__aarch64__)
    ra &= ((uintptr_t)1 << 48) - 1; /* pointer authentication */
#endif
    if (ra == 0) {
      walk->end = PYRO_STACK_COMPLETE;
      break;
    }
    pyro_frame_buffer_add (&buffer, ra);
    budget -= pyro_step_cost (lowest, fp);
    lowest = fp + 2 * sizeof (uintptr_t);
    fp = next;
  }
  pyro_frame_buffer_finish (&buffer, walk);
}
