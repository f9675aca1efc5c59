/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "invocations.h"

#include "node-stack.h"
#include "owners.h"
#include "workers.h"

typedef struct {
  GSourceFunc function;
  gpointer data;
  GDestroyNotify notify;
  guint64 label;
} Invocation;

/* Zero: nobody's. A question that had no answer then may have it now. */
static guint64
find_owner (const Invocation *invocation)
{
  return invocation->label & PYRO_LABEL_QUESTION ? pyro_owners_check_task (
             invocation->label, (gpointer)invocation->function)
                                                 : invocation->label;
}

static guint64
serve (PyroNodeStack *stack, guint64 label)
{
  if (label == 0)
    pyro_node_stack_work_for_nobody ();
  /* What the thread does besides is its own. */
  else if (stack->base == 0)
    pyro_node_stack_note_nobody (stack);
  return pyro_node_stack_serve (stack, label);
}

static gboolean
run (gpointer data)
{
  const Invocation *invocation = data;
  guint generation = pyro_workers_get_generation ();
  PyroNodeStack *stack
      = generation != 0 ? pyro_node_stack_get (generation) : NULL;
  guint64 before = 0;
  gboolean again;

  /* A thread that is in the middle of a hook's call runs its own main context:
   * what it executes stays known. */
  if (stack != NULL && stack->depth > 0)
    stack = NULL;
  if (stack != NULL)
    before = serve (stack, find_owner (invocation));
  again = invocation->function (invocation->data);
  if (stack != NULL && pyro_own_node_stack == stack)
    pyro_node_stack_rebase (stack, before);
  return again;
}

static void
destroy (gpointer data)
{
  Invocation *invocation = data;

  if (invocation->notify != NULL)
    invocation->notify (invocation->data);
  g_free (invocation);
}

/* 0: nobody's, or it is not asked for now. */
static guint64
find_label (GSourceFunc function)
{
  guint generation = pyro_workers_get_generation ();
  const PyroNodeStack *stack = pyro_own_node_stack;
  guint64 label;

  if (generation == 0 || stack == NULL || stack->generation != generation)
    return 0;
  label = pyro_node_stack_get_label (stack);
  return label & PYRO_LABEL_QUESTION
             ? label
             : pyro_owners_check_task (label, (gpointer)function);
}

void
pyro_invocations_invoke_full (GMainContext *context, gint priority,
                              GSourceFunc function, gpointer data,
                              GDestroyNotify notify)
{
  guint64 label = function != NULL ? find_label (function) : 0;
  Invocation *invocation;

  if (label == 0) {
    g_main_context_invoke_full (context, priority, function, data, notify);
    return;
  }
  invocation = g_new (Invocation, 1);
  *invocation = (Invocation){ function, data, notify, label };
  g_main_context_invoke_full (context, priority, run, invocation, destroy);
}

void
pyro_invocations_invoke (GMainContext *context, GSourceFunc function,
                         gpointer data)
{
  pyro_invocations_invoke_full (context, G_PRIORITY_DEFAULT, function, data,
                                NULL);
}
