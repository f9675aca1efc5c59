/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the return address that ends the stack of a ucontext coroutine.
 * Owner: nothing is owned.
 * Threads: any.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* glibc's __start_context has no symbol, and its CFI does not call it a root;
 * but makecontext() writes its address onto each new stack. 0 where there is
 * no makecontext(). */
guintptr pyro_find_context_start (void);

G_END_DECLS
