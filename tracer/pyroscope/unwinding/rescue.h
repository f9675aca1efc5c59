/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Handler-safe: no lock, no allocation, no system call, no libc, no TLS. */
/*
 * What: the caller of an interrupted function that has no CFI.
 * Owner: nothing is owned.
 * Threads: the thread that walks.
 */
#pragma once

#include "frame.h"
#include "memory-map.h"

/* FRAME is exact and lies in CODE, which ORC wrote and the collector copied.
 * ORC's functions begin at multiples of 16 with endbr64, push what they save,
 * never move the stack pointer in between, and end in pops and a ret; so bytes
 * tell where the return address is. Makes *CALLER the caller's. False if the
 * bytes look otherwise: the copy may be older than the code, which is why the
 * caller has to lead to the root like any other guess. */
bool
pyro_rescue_orc (const PyroUnwindSources *sources, const PyroCodeMapping *code,
                 const PyroFrame *frame, PyroFrame *caller);

/* The next word on the stack of FRAME, at *FROM or above it (0: from the stack
 * pointer), that can be the return address of a call made by code with CFI.
 * Makes *CALLER that caller's frame (with FRAME's own frame pointer) and moves
 * *FROM past it. False if there is none within the bound, or nothing is left of
 * *BUDGET, from which what it looks at is taken. */
bool pyro_rescue_scan (const PyroUnwindSources *sources, const PyroFrame *frame,
                       uintptr_t *from, PyroFrame *caller, int *budget);
