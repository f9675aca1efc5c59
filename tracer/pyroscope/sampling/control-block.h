/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the stack of a thread that the application made before we came, by what
 * the C library keeps of it: its control block (struct pthread), whose layout
 * is not public and is found out by threads whose stack is known.
 * Owner: nothing is owned.
 * Threads: the collector's.
 */
#pragma once

#include <glib.h>
#include <sys/types.h>

G_BEGIN_DECLS

/* Finds out the layout, once, by two threads that it starts and waits for, and
 * has the handler note where control blocks are. Where the layout is not
 * certain (another C library, no more threads, a processor that does not tell
 * the thread pointer): nothing is found afterwards. */
void pyro_control_block_learn (void);

/* The stack of thread TID, whose thread pointer is POINTER, [*LOW, *HIGH), up
 * to its control block. Reads without the danger of a fault: POINTER may be
 * anything. FALSE: that is not the control block of that thread (clone() was
 * called with the creator's), or nobody knows. */
gboolean pyro_control_block_find_stack (guintptr pointer, pid_t tid,
                                        guintptr *low, guintptr *high);

G_END_DECLS
