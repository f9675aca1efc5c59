/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: libunwind behind the same interface: a reference, and an oracle.
 * Owner: nothing is owned.
 * Threads: any, also in a signal handler, with libunwind's own reservations:
 * it takes the loader's lock, maps memory and is slow when cold. A thread that
 * is interrupted in the few instructions in which it gets or gives back that
 * lock (dlopen, dlclose, dl_iterate_phdr, a C++ throw) then waits for itself
 * for ever: block the signal in threads that do so often.
 */
#pragma once

#include "unwind.h"

/* One walk at a time in the whole process: whoever comes while another thread
 * is inside gets PYRO_STACK_BUSY and the leaf alone, so that no handler waits
 * for another. SOURCES is not looked at. Registers that PyroRegisters does not
 * carry (aarch64: x19 to x28) count as 0. libunwind 1.6 does not tell which
 * frames a signal interrupted, so 1 is not added to their pcs. */
void pyro_unwind_by_libunwind (const PyroUnwindSources *sources,
                               const PyroRegisters *regs,
                               const PyroStackBounds *stack, uintptr_t *pcs,
                               unsigned max, PyroWalk *walk);

/* Lets libunwind do outside the handler what it does at its first use. */
void pyro_reference_libunwind_warm_up (void);
