/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "plugin-loading.h"

#include "node-stack.h"
#include "nodes.h"
#include "workers.h"

/* What the entry on the stack is about. */
static const gchar loading;

void
pyro_plugin_loading_prepare (void)
{
  if (pyro_label_word_node (pyro_loading_label) == 0)
    __atomic_store_n (&pyro_loading_label,
                      pyro_nodes_make_lasting (PYRO_PLUGIN_LOADING),
                      __ATOMIC_RELEASE);
}

gboolean
pyro_plugin_loading_begin (void)
{
  guint generation = pyro_workers_get_generation ();
  PyroNodeStack *stack
      = generation != 0 ? pyro_node_stack_get (generation) : NULL;

  if (stack == NULL)
    return FALSE;
  pyro_node_stack_push (
      stack, &loading, __atomic_load_n (&pyro_loading_label, __ATOMIC_ACQUIRE),
      PYRO_HOOK_LOADING, (guintptr)__builtin_frame_address (0));
  return TRUE;
}

/* The session may be another one by now: its stack is without the entry. */
void
pyro_plugin_loading_end (void)
{
  PyroNodeStack *stack = pyro_own_node_stack;

  if (stack != NULL)
    pyro_node_stack_pop (stack, &loading, PYRO_HOOK_LOADING);
}
