/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the stack of elements of the thread that tests it. Frames are numbers
 *   here: a called function's is lower.
 * Owner: the thread.
 * Threads: each has its own.
 */
#pragma once

#include "attribution/node-stack.h"

#define FRAME(depth) ((guintptr)0x7fff0000 - (guintptr)(depth)*256)
#define OBJECT(n) GUINT_TO_POINTER (0x1000 + (n)*16)
#define GENERATION 7
#define EXACT(node) pyro_label_word (node, PYRO_ATTRIBUTION_EXACT)

static inline PyroNodeStack *
begin (void)
{
  PyroNodeStack *stack = pyro_node_stack_renew (GENERATION);

  g_assert_nonnull (stack);
  pyro_node_stack_rebase (stack, 0);
  stack->own_low = FRAME (4 * PYRO_NODE_STACK_SIZE);
  stack->own_size = FRAME (0) - stack->own_low;
  return stack;
}

static inline void
push (PyroNodeStack *stack, guint node, guint depth)
{
  pyro_node_stack_push (stack, OBJECT (node), EXACT (node), PYRO_HOOK_CHAIN,
                        FRAME (depth));
}

static inline void
pop (PyroNodeStack *stack, guint node)
{
  pyro_node_stack_pop (stack, OBJECT (node), PYRO_HOOK_CHAIN);
}

static inline void
assert_top (const PyroNodeStack *stack, guint node)
{
  g_assert_cmphex (stack->label, ==,
                   pyro_label_word (node, PYRO_ATTRIBUTION_EXACT));
}

static inline void
query (PyroNodeStack *stack, guint node, guint depth)
{
  pyro_node_stack_push (stack, OBJECT (node), EXACT (node), PYRO_HOOK_QUERY,
                        FRAME (depth));
  pyro_node_stack_doubt_top (stack);
}
