/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the stack of the thread that a test interrupts, by the memory map: in a
 * test nobody unmaps what is above it.
 * Owner: nothing is owned.
 * Threads: the interrupted thread; inline.
 */
#pragma once

#include <pthread.h>

#include "unwinding/memory-map-layout.h"

/* Fills in own_low and own_high of SOURCES for a thread whose stack pointer is
 * SP, and then STACK. */
static inline bool
pyro_test_find_stack (PyroUnwindSources *sources, uintptr_t sp,
                      PyroStackBounds *stack)
{
  const PyroMemoryMap *map = sources->map;
  uintptr_t control_block = (uintptr_t)pthread_self ();
  size_t i;

  sources->own_low = sources->own_high = 0;
  for (i = 0; map != NULL && i < map->n_stacks; i++) {
    uintptr_t low = map->stacks[i].start;

    if (low == map->main_stack.start)
      low = map->main_floor;
    if (sp >= low && sp < map->stacks[i].limit) {
      sources->own_low = low;
      sources->own_high = map->stacks[i].limit;
      if (control_block > sp && control_block < sources->own_high)
        sources->own_high = control_block;
    }
  }
  return pyro_stack_find (sources, sp, true, stack);
}
