/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: where a signal handler returns to, where no CFI says so.
 * Owner: nothing is owned.
 * Threads: the collector's.
 */
#pragma once

#include "loader.h"

G_BEGIN_DECLS

/* The address of __kernel_rt_sigreturn in the vDSO, or 0. On aarch64 the kernel
 * gives it no FDE, on purpose (arch/arm64/kernel/vdso/sigreturn.S); debuggers
 * know it by its two instructions. On x86_64 libc's trampoline has CFI, and
 * this gives 0. */
guint64 pyro_find_signal_return (const PyroLoadedModule *vdso);

G_END_DECLS
