/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Handler-safe: no lock, no allocation, no system call, no libc, no TLS. */
/*
 * What: from a frame to its caller's, by the tables alone.
 * Owner: the caller owns frames, buffers and histories.
 * Threads: the thread that walks.
 */
#pragma once

#include "frame-buffer.h"
#include "frame.h"
#include "unwind-cache.h"

/* Not a PyroStackEnd: there is a caller. */
#define PYRO_GO_ON PYRO_STACK_N_ENDS

#define PYRO_CACHE_LINE 64

/* What one sample may cost, all guesses of its rescues included, in units of
 * some 10 ns: a frame whose rule is remembered takes 1. */
#define PYRO_BUDGET 3200
#define PYRO_COST_STEP 1
/* On top of that: lines of tables that nobody has read. */
#define PYRO_COST_LOOK_UP 24
/* And where the next frame is so far up the stack that its words are in no
 * cache and are not fetched ahead. */
#define PYRO_COST_FAR 1
#define PYRO_FAR_BYTES ((uintptr_t)3 * PYRO_CACHE_LINE)
/* A word that a rescue looks at. */
#define PYRO_COST_WORD 1

/* Makes *FRAME its caller's and returns PYRO_GO_ON; else *FRAME has no caller
 * by the tables, and the result tells why. */
PyroStackEnd pyro_step (const PyroUnwindSources *sources, PyroFrame *frame);

/* Walks on from FRAME, whose pc is in BUFFER already, up to the root or to the
 * first frame that has no caller by the tables; that frame stays in *FRAME.
 * PYRO_STACK_TOO_DEEP: nothing is left of *BUDGET. */
PyroStackEnd pyro_step_to_end (const PyroUnwindSources *sources,
                               PyroFrame *frame, PyroWalkHistory *history,
                               PyroFrameBuffer *buffer, int *budget);

/* The rule for PC out of the tables, whatever was remembered. Here for its
 * address: it is asked for before a walk begins. */
uint32_t pyro_step_look_up (const PyroUnwindSources *sources, uintptr_t pc);

/* What a step from the frame at SP to the one at NEXT costs. */
static inline int
pyro_step_cost (uintptr_t sp, uintptr_t next)
{
  return PYRO_COST_STEP + (next - sp >= PYRO_FAR_BYTES ? PYRO_COST_FAR : 0);
}

static inline void
pyro_prefetch (const void *from, size_t size)
{
  size_t i;

  for (i = 0; i < size; i += PYRO_CACHE_LINE)
    __builtin_prefetch ((const char *)from + i);
}
