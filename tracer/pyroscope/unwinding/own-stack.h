/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Handler-safe: no lock, no allocation, no system call, no libc, no TLS. */
/*
 * What: the calling thread's own stack, frame by frame, outside of the signal
 * handler, by the published tables.
 * Owner: nothing is owned; frames are valid during the call of FUNC.
 * Threads: any thread of the application's, in hooks and wrappers. Takes no
 * lock and waits for nobody; tables that it reads are not reclaimed meanwhile
 * (pyro_readers_enter() in published.h).
 */
#pragma once

#include <stdbool.h>

#include "unwind.h"

/* What functions preserve for their callers. */
#if defined(__x86_64__)
enum {
  PYRO_OWN_RBX,
  PYRO_OWN_RBP,
  PYRO_OWN_R12,
  PYRO_OWN_R13,
  PYRO_OWN_R14,
  PYRO_OWN_R15,
  PYRO_OWN_N_REGISTERS
};
#else
enum { PYRO_OWN_X29, PYRO_OWN_N_REGISTERS };
#endif

/* A function that has called: its registers are those at the call. */
typedef struct {
  uintptr_t pc; /* where the call returns to: look up PC - 1 */
  /* The words of the frame itself, [start, limit): LIMIT is its CFA. Of the
   * outermost frame, whose CFI has no CFA, START == LIMIT. */
  const uintptr_t *start, *limit;
  /* Those whose bit is in KNOWN. Tables carry the others (rbx, r12 to r15)
   * only for modules that need them: what such a register held was saved by
   * one of the functions that were called from here, so it is among [saved,
   * saved_limit) of a frame that was visited before this one; or nobody has
   * touched it since, and it is in REGISTERS of the first frame, where all are
   * known. */
  uintptr_t registers[PYRO_OWN_N_REGISTERS];
  unsigned known;
  /* Where this function has put the registers that it saved for its callers,
   * if it has: part of the frame's own words, at most 12 of them. */
  const uintptr_t *saved, *saved_limit;
} PyroOwnFrame;

/* FALSE: enough. */
typedef bool (*PyroOwnFrameFunc) (const PyroOwnFrame *frame, void *data);

/* Calls FUNC for pyro_walk_own_stack() itself, its caller, and all further out,
 * at most 256 frames. [LOW, HIGH) is the calling thread's stack, 0 where that
 * is not known: then only what is certain to be there is walked. Returns why it
 * ended; PYRO_STACK_TOO_DEEP also where FUNC had enough. Before tables are
 * published it ends at once, with PYRO_STACK_UNKNOWN_CODE. */
PyroStackEnd pyro_walk_own_stack (uintptr_t low, uintptr_t high,
                                  PyroOwnFrameFunc func, void *data);
