/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "pools.h"

#include "node-stack.h"
#include "shared-map.h"
#include "unwinding/published.h"
#include "workers.h"

/* What a pool was made with; it is the wrapped function's user data. */
typedef struct {
  GFunc func;
  gpointer user_data;
} Pool;

/* Tasks that were pushed and have not begun: (pool, data) → label word. A
 * task's data is not wrapped: sort functions and g_thread_pool_move_to_front()
 * see it. Tasks with equal data begin in the order of their pushing, so the
 * oldest one is taken. */
PYRO_SHARED_MAP (waiting, 8);

static guint64
key_of (gconstpointer pointer)
{
  return (guint64)(guintptr)pointer;
}

static void
remember (const Pool *pool, gconstpointer data, guint64 label)
{
  pyro_readers_enter ();
  pyro_shared_map_add (&waiting, key_of (pool), key_of (data), label);
  pyro_readers_leave ();
}

static guint64
take (const Pool *pool, gconstpointer data)
{
  PyroSharedItem *item;
  guint64 label = 0;

  pyro_readers_enter ();
  while (label == 0
         && (item = pyro_shared_map_find_oldest (&waiting, key_of (pool),
                                                 key_of (data)))
                != NULL) {
    label = pyro_shared_item_get (item);
    /* Where another thread has taken that one, the next. */
    if (label == PYRO_SHARED_GONE || label == 0
        || !pyro_shared_item_swap (item, &label, 0))
      label = 0;
  }
  pyro_readers_leave ();
  if (label != 0)
    pyro_shared_map_sweep_key (&waiting, key_of (pool), key_of (data));
  return label;
}

static gboolean
forget_task (PyroSharedItem *item, gpointer pool)
{
  guint64 label = pyro_shared_item_get (item);

  if (item->key == key_of (pool))
    while (label != 0 && label != PYRO_SHARED_GONE
           && !pyro_shared_item_swap (item, &label, 0))
      ;
  return TRUE;
}

/* Tasks that will never run. */
static void
forget (Pool *pool)
{
  pyro_readers_enter ();
  pyro_shared_map_foreach (&waiting, forget_task, pool);
  pyro_readers_leave ();
  pyro_shared_map_sweep (&waiting);
}

/* In the place of the pool's function. */
static void
run_task (gpointer data, gpointer user_data)
{
  const Pool *pool = user_data;
  guint generation = pyro_workers_get_generation ();
  guint64 label = take (pool, data);
  PyroNodeStack *stack = pyro_own_node_stack;
  guint64 before = 0;

  if (label != 0 && generation != 0)
    stack = pyro_node_stack_get (generation);
  if (stack != NULL)
    before = pyro_node_stack_rebase (stack, label);
  pool->func (data, pool->user_data);
  stack = pyro_own_node_stack;
  if (stack != NULL)
    pyro_node_stack_rebase (stack, before);
}

static Pool *
pool_new (GFunc func, gpointer user_data)
{
  Pool *pool = g_new (Pool, 1);

  *pool = (Pool){ func, user_data };
  return pool;
}

GThreadPool *
pyro_pools_new (GFunc func, gpointer user_data, gint max_threads,
                gboolean exclusive, GError **error)
{
  Pool *pool = pool_new (func, user_data);
  GThreadPool *result
      = g_thread_pool_new (run_task, pool, max_threads, exclusive, error);

  if (result == NULL)
    g_free (pool);
  return result;
}

#if GLIB_CHECK_VERSION(2, 70, 0)
GThreadPool *
pyro_pools_new_full (GFunc func, gpointer user_data,
                     GDestroyNotify item_free_func, gint max_threads,
                     gboolean exclusive, GError **error)
{
  Pool *pool = pool_new (func, user_data);
  GThreadPool *result = g_thread_pool_new_full (run_task, pool, item_free_func,
                                                max_threads, exclusive, error);

  if (result == NULL)
    g_free (pool);
  return result;
}
#endif

static Pool *
find_pool (const GThreadPool *pool)
{
  return pool != NULL && pool->func == run_task ? pool->user_data : NULL;
}

gboolean
pyro_pools_push (GThreadPool *pool, gpointer data, GError **error)
{
  const Pool *known = find_pool (pool);
  guint generation = pyro_workers_get_generation ();
  const PyroNodeStack *stack = pyro_own_node_stack;
  guint64 label = 0;

  if (known != NULL && generation != 0 && stack != NULL
      && stack->generation == generation)
    label = pyro_node_stack_get_label (stack);
  if (label != 0)
    remember (known, data, label);
  return g_thread_pool_push (pool, data, error);
}

void
pyro_pools_free (GThreadPool *pool, gboolean immediate, gboolean wait)
{
  Pool *known = find_pool (pool);

  g_thread_pool_free (pool, immediate, wait);
  if (known == NULL)
    return;
  if (immediate || wait)
    forget (known);
  /* Else threads may still run it: those few bytes stay. */
  if (wait)
    g_free (known);
}

void
pyro_pools_fork_child (void)
{
  pyro_shared_map_fork_child (&waiting);
}
