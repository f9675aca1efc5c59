/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the calling thread's own stack, frame by frame, by the modules' own
 * .eh_frame: of a library that was loaded a moment ago, too, and with all the
 * registers that functions preserve, which the compiled tables do not carry.
 * Owner: nothing is owned; a frame is valid during the call of FUNC.
 * Threads: any, outside of the signal handler: inside pthread_create(), for
 * one. It takes no lock, allocates nothing and waits for nobody: the loader
 * tells the module of an address without a lock (_dl_find_object(), glibc
 * 2.35), and modules whose code is on the stack are not unloaded.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#if defined(HAVE_DL_FIND_OBJECT)

/* x86_64: rbx, r12 to r15, rbp. aarch64: x19 to x28, x29. */
#if defined(__aarch64__)
#define PYRO_CALLER_N_REGISTERS 11
#else
#define PYRO_CALLER_N_REGISTERS 6
#endif

/* A function that has called. */
typedef struct {
  uintptr_t pc;                                 /* look up PC - 1 */
  const uintptr_t *start, *limit;               /* the words of its frame */
  uintptr_t registers[PYRO_CALLER_N_REGISTERS]; /* at the call */
} PyroCaller;

/* FALSE: enough. */
typedef bool (*PyroCallerFunc) (const PyroCaller *caller, void *data);

/* Calls FUNC for pyro_callers_walk()'s caller and all further out, up to the
 * first frame that no .eh_frame tells, at most 256. [LOW, HIGH) is the thread's
 * stack; where that is not known (0), or where the stack is another one, each
 * frame costs a system call, which asks whether its memory is there. */
void pyro_callers_walk (uintptr_t low, uintptr_t high, PyroCallerFunc func,
                        void *data);

#endif
