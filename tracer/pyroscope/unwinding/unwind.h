/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Handler-safe: no lock, no allocation, no system call, no libc, no TLS. */
/*
 * What: from the registers of an interrupted thread to its return addresses.
 * Owner: the caller owns every buffer; tables belong to modules.h.
 * Threads: called in the signal handler, on the interrupted thread; also by
 * tests and by the collector on copies.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* What every walk executes lies together, apart from the rest: at a sample it
 * is in no cache. */
#define PYRO_HOT __attribute__ ((hot, noinline))
#define PYRO_COLD __attribute__ ((cold, noinline))

/* Why a walk ended. Kept small: it travels in 8 bits of each sample. */
typedef enum {
  PYRO_STACK_COMPLETE = 0,   /* reached the thread's start */
  PYRO_STACK_NO_UNWIND_INFO, /* code without CFI, no rescue possible */
  PYRO_STACK_UNKNOWN_CODE,   /* pc outside every known module */
  PYRO_STACK_UNREADABLE,     /* outside of what is certain to be readable */
  PYRO_STACK_NO_PROGRESS,    /* the CFA did not move towards the root */
  PYRO_STACK_UNSUPPORTED,    /* a CFI rule that the tables cannot hold */
  PYRO_STACK_TOO_DEEP,       /* given up: it took more than a sample may cost */
  PYRO_STACK_UNKNOWN_STACK,  /* sp in no known stack */
  PYRO_STACK_BUSY,           /* the reference unwinder was in use */
  PYRO_STACK_GIVEN_UP,       /* so much for a rescue's search for a caller */
  PYRO_STACK_N_ENDS
} PyroStackEnd;

/* The registers that a walk starts from, as the kernel saved them; see
 * registers.h for how to fill it from a ucontext. A zero in a scratch register
 * is harmless: only the CFI of the interrupted function itself can name one. */
typedef struct {
  uintptr_t pc;
  uintptr_t sp;
  uintptr_t fp;                                        /* rbp, x29 */
  uintptr_t lr;                                        /* aarch64 only */
  uintptr_t rbx, r12, r13, r14, r15;                   /* x86_64 only */
  uintptr_t rax, rcx, rdx, rsi, rdi, r8, r9, r10, r11; /* x86_64 scratch */
} PyroRegisters;

/* [low, high): the memory that a walk may read. The byte at address A is read
 * at A + SHIFT: 0 on the thread's own stack, else the stack is a copy.
 *
 * LIMIT 0: all of it is certain to be there, whatever is in it may be looked
 * at. Else it is a stack of the application's making that nobody vouches for
 * (a coroutine's): up to CERTAIN it is there; above, only the slots of frames
 * that call frame information leads to from the interrupted registers are read,
 * at most PYRO_STACK_REACH from the frame before, and none from LIMIT on. HIGH
 * moves with the frames then (pyro_stack_reach() in frame.h). */
typedef struct {
  uintptr_t low;
  uintptr_t high;
  intptr_t shift;
  uintptr_t limit;
  uintptr_t certain;
} PyroStackBounds;

#define PYRO_STACK_REACH ((uintptr_t)65536)

/* A stack deeper than the buffer keeps its leaf side and its root side: the
 * OMITTED frames are missing between PCS[GAP - 1] and PCS[GAP]. END still says
 * how the walk ended, so a deep stack that reached its root is COMPLETE. */
typedef struct {
  PyroStackEnd end;
  uint16_t depth;   /* frames written */
  uint16_t omitted; /* frames left out of the middle, 65535: that or more */
  uint16_t gap;     /* where they are missing; 0 if OMITTED is 0 */
  bool rescued;     /* a caller was found without CFI */
} PyroWalk;

#define PYRO_MAX_FRAMES 256

typedef struct _PyroUnwindTables PyroUnwindTables;
typedef struct _PyroMemoryMap PyroMemoryMap;
typedef struct _PyroUnwindCache PyroUnwindCache; /* unwind-cache.h */

/* What a walk looks things up in. Each may be NULL or 0: without tables nothing
 * is known of any code, without a map there is no JIT rescue and no way from an
 * alternate signal stack to a coroutine's, without a cache it is slower. */
typedef struct {
  const PyroUnwindTables *tables; /* pyro_modules_published () */
  const PyroMemoryMap *map;       /* pyro_memory_map_published () */
  PyroUnwindCache *cache;
  /* The stack that the thread was created with: there as long as the thread. */
  uintptr_t own_low, own_high;
} PyroUnwindSources;

/* PCS[0] is the interrupted pc itself, the others are return addresses (the
 * caller of a name look-up subtracts 1). A frame that was interrupted by
 * another signal has an exact pc, too: it is stored plus 1, so that pc - 1 is
 * right for every entry but the first. At most MAX entries are written; every
 * field of WALK is set. STACK must hold regs->sp, else the walk ends at once
 * with PYRO_STACK_UNKNOWN_STACK. */
typedef void (*PyroUnwindFunc) (const PyroUnwindSources *sources,
                                const PyroRegisters *regs,
                                const PyroStackBounds *stack, uintptr_t *pcs,
                                unsigned max, PyroWalk *walk);

/* By tables compiled from .eh_frame, with leaf rescue. */
void
pyro_unwind_by_tables (const PyroUnwindSources *sources,
                       const PyroRegisters *regs, const PyroStackBounds *stack,
                       uintptr_t *pcs, unsigned max, PyroWalk *walk);

/* By the chain of frame pointers alone; SOURCES is not looked at. */
void
pyro_unwind_by_frame_pointers (const PyroUnwindSources *sources,
                               const PyroRegisters *regs,
                               const PyroStackBounds *stack, uintptr_t *pcs,
                               unsigned max, PyroWalk *walk);

/* Asks for what a walk from REGS will read, and reads nothing itself. A sample
 * finds the caches of the processor filled with the application's data: waiting
 * for one line of ours after another would take most of its time; asked for
 * together, before anything else is done, they come together. */
void pyro_unwind_prefetch (const PyroUnwindSources *sources,
                           const PyroRegisters *regs);
