/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers.h"

#include <errno.h>
#include <stdlib.h>

#include "node-stack.h"
#include "owners.h"

static guint active_generation;

void
pyro_workers_set_generation (guint generation)
{
  __atomic_store_n (&active_generation, generation, __ATOMIC_SEQ_CST);
}

void
pyro_workers_end_generation (guint generation)
{
  __atomic_compare_exchange_n (&active_generation, &generation, 0, FALSE,
                               __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

guint
pyro_workers_get_generation (void)
{
  return __atomic_load_n (&active_generation, __ATOMIC_ACQUIRE);
}

/* Nothing is left to do when the start routine returns, so that an optimized
 * build jumps into it: the stack looks as if we had not been there. */
static void *
begin (void *data)
{
  PyroNodeStack *stack = data;
  void *(*start) (void *) = stack->start;
  void *argument = stack->argument;

  pyro_unblocking_begin (stack->mask);
  pyro_node_stack_adopt (stack);
  return start (argument);
}

/* A thread that has no owner, but a mask to change. */
typedef struct {
  void *(*start) (void *);
  void *argument;
  PyroMaskPlan mask;
} Start;

static void *
begin_ownerless (void *data)
{
  Start start = *(Start *)data;

  free (data);
  pyro_unblocking_begin (start.mask);
  return start.start (start.argument);
}

static int
create_ownerless (pthread_t *thread, const pthread_attr_t *attributes,
                  void *(*start) (void *), void *argument, PyroMaskPlan mask)
{
  Start *data = malloc (sizeof *data);
  int result;

  if (data == NULL)
    return EAGAIN; /* as where there is no memory for its stack */
  *data = (Start){ start, argument, mask };
  result = pthread_create (thread, attributes, begin_ownerless, data);
  if (result != 0)
    free (data);
  return result;
}

static PyroNodeStack *
prepare (void *(*start) (void *), void *argument)
{
  guint generation = pyro_workers_get_generation ();
  guint64 owner;
  PyroNodeStack *stack;

  if (generation == 0 || pyro_own_node_stack == NULL
      || pyro_own_node_stack->generation != generation)
    return NULL;
  owner = pyro_owners_find (pyro_node_stack_get_label (pyro_own_node_stack),
                            start, argument);
  if (owner == 0)
    return NULL;
  stack = pyro_node_stack_new (generation, owner);
  if (stack == NULL)
    return NULL;
  stack->start = start;
  stack->argument = argument;
  return stack;
}

int
pyro_workers_create (pthread_t *thread, const pthread_attr_t *attributes,
                     void *(*start) (void *), void *argument)
{
  int saved_errno = errno;
  PyroNodeStack *stack = prepare (start, argument);
  PyroMaskPlan mask = { PYRO_MASK_STAYS, 0 };
  int result, hidden = 0;

  if (pyro_unblocking_is_due ()) {
    mask = pyro_unblocking_plan (pyro_owners_is_library (start, argument));
    hidden = pyro_unblocking_hide ();
  }
  errno = saved_errno;
  if (stack == NULL && mask.kind == PYRO_MASK_STAYS) {
    result = pthread_create (thread, attributes, start, argument);
  } else if (stack == NULL) {
    result = create_ownerless (thread, attributes, start, argument, mask);
  } else {
    stack->mask = mask;
    result = pthread_create (thread, attributes, begin, stack);
    if (result != 0)
      pyro_node_stack_discard (stack);
  }
  pyro_unblocking_show (hidden);
  return result;
}
