/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Handler-safe: no lock, no allocation, no system call, no libc, no TLS. */
/*
 * What: one frame during a walk, and the only way to read a stack.
 * Owner: the walk; nothing outlives it.
 * Threads: the thread that walks.
 */
#pragma once

#include "unwind.h"

typedef struct {
  PyroRegisters regs;
  PyroStackBounds stack;
  bool exact; /* regs.pc is where it stopped, not a return address; the scratch
               * registers are its own */
  bool saved_known;    /* rbx, r12 to r15 are this frame's own, too */
  bool crossed_signal; /* some frame before it was a signal's */
  bool guessed;        /* some frame before it was found without CFI */
} PyroFrame;

/* The word at ADDRESS, if it is aligned and lies in the stack. */
static inline bool
pyro_stack_read (const PyroStackBounds *stack, uintptr_t address,
                 uintptr_t *word)
{
  if (address % sizeof (uintptr_t) != 0 || address < stack->low
      || address >= stack->high || stack->high - address < sizeof (uintptr_t))
    return false;
  *word = *(const uintptr_t *)(address + (uintptr_t)stack->shift);
  return true;
}

/* SP is a frame's that call frame information has led to. False: so far away
 * that it is none. */
static inline bool
pyro_stack_reach (PyroStackBounds *stack, uintptr_t sp)
{
  uintptr_t high;

  if (__builtin_expect (stack->limit == 0, 1))
    return true;
  if (sp > stack->high)
    return false;
  high = stack->limit - sp > PYRO_STACK_REACH ? sp + PYRO_STACK_REACH
                                              : stack->limit;
  stack->high = high > stack->certain ? high : stack->certain;
  return true;
}

/* From here on nothing but guesses is read by. */
static inline void
pyro_stack_forgo_reach (PyroStackBounds *stack)
{
  if (stack->limit == 0)
    return;
  stack->high = stack->certain;
  stack->limit = 0;
}
