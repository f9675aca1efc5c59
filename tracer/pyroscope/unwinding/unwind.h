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

/* Why a walk ended. Kept small: it travels in 8 bits of each sample. */
typedef enum {
  PYRO_STACK_COMPLETE = 0,    /* reached the thread's start */
  PYRO_STACK_NO_UNWIND_INFO,  /* code without CFI, no rescue possible */
  PYRO_STACK_UNKNOWN_CODE,    /* pc outside every known module */
  PYRO_STACK_UNREADABLE,      /* a read outside the thread's stack */
  PYRO_STACK_NO_PROGRESS,     /* the CFA did not move towards the root */
  PYRO_STACK_UNSUPPORTED,     /* a CFI rule that the tables cannot hold */
  PYRO_STACK_TOO_DEEP,        /* more frames than the buffer */
  PYRO_STACK_UNKNOWN_STACK,   /* sp in no known stack */
  PYRO_STACK_BUSY,            /* the reference unwinder was in use */
  PYRO_STACK_N_ENDS
} PyroStackEnd;

/* The registers that a walk starts from, as the kernel saved them. */
typedef struct {
  uintptr_t pc;
  uintptr_t sp;
  uintptr_t fp; /* rbp, x29 */
  uintptr_t lr; /* aarch64 only */
  uintptr_t rbx, r12, r13, r14, r15; /* x86_64 only */
} PyroRegisters;

/* [low, high): the memory that a walk may read. */
typedef struct {
  uintptr_t low;
  uintptr_t high;
} PyroStackBounds;

typedef struct {
  PyroStackEnd end;
  uint16_t depth;   /* frames written */
  uint16_t omitted; /* frames left out of the middle (PYRO_STACK_TOO_DEEP) */
  bool rescued;     /* the leaf's caller was found without CFI */
} PyroWalk;

#define PYRO_MAX_FRAMES 256

struct _PyroUnwindTables;

/* PCS[0] is the interrupted pc itself, the others are return addresses (the
 * caller of a name look-up subtracts 1). A frame that was interrupted by
 * another signal has an exact pc, too: it is stored plus 1, so that pc - 1 is
 * right for every entry but the first. At most MAX entries are written. */
typedef void (*PyroUnwindFunc) (const struct _PyroUnwindTables *tables,
                                const PyroRegisters *regs,
                                const PyroStackBounds *stack, uintptr_t *pcs,
                                unsigned max, PyroWalk *walk);

/* By tables compiled from .eh_frame, with leaf rescue. */
void pyro_unwind_by_tables (const struct _PyroUnwindTables *tables,
                            const PyroRegisters *regs,
                            const PyroStackBounds *stack, uintptr_t *pcs,
                            unsigned max, PyroWalk *walk);

/* By the chain of frame pointers alone. TABLES may be NULL. */
void pyro_unwind_by_frame_pointers (const struct _PyroUnwindTables *tables,
                                    const PyroRegisters *regs,
                                    const PyroStackBounds *stack,
                                    uintptr_t *pcs, unsigned max,
                                    PyroWalk *walk);
