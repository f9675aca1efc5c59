/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "pools.h"

#include "node-stack.h"
#include "owners.h"
#include "shared-map.h"
#include "unwinding/published.h"
#include "workers.h"

/* What a pool was made with; it is the wrapped function's user data. Its public
 * fields are ours then: only pools are made so that an element makes, and
 * GStreamer's own, which nobody else sees. */
typedef struct {
  GFunc func;
  gpointer user_data;
  guint64 checked; /* atomic; the last label word that may run FUNC */
} Pool;

/* Any other pool is adopted when an element pushes a task that may be its own,
 * so that the application finds in its pools what it put there: the pool's
 * function is exchanged, by one store, for one of these, and its user data
 * stay, because a thread of the pool may be between reading one and the other.
 * What an adopted pool calls is therefore known by the place alone, which
 * belongs to one function for good. There are fewer of them than of pools:
 * GStreamer's task pools have two. */
#define N_ADOPTED 32

static GFunc adopted[N_ADOPTED];   /* atomic; NULL: free */
static guint64 checked[N_ADOPTED]; /* as in Pool */

static void run_adopted_task (guint place, gpointer data, gpointer user_data);

/* clang-format off */
#define PLACES(EACH) \
  EACH (0) EACH (1) EACH (2) EACH (3) EACH (4) EACH (5) EACH (6) EACH (7) \
  EACH (8) EACH (9) EACH (10) EACH (11) EACH (12) EACH (13) EACH (14) EACH (15) \
  EACH (16) EACH (17) EACH (18) EACH (19) EACH (20) EACH (21) EACH (22) EACH (23) \
  EACH (24) EACH (25) EACH (26) EACH (27) EACH (28) EACH (29) EACH (30) EACH (31)
/* clang-format on */

#define DEFINE(place)                                                 \
  static void run_adopted_##place (gpointer data, gpointer user_data) \
  {                                                                   \
    run_adopted_task (place, data, user_data);                        \
  }
PLACES (DEFINE)
#undef DEFINE

static const GFunc run_adopted[N_ADOPTED] = {
#define ENTRY(place) run_adopted_##place,
  PLACES (ENTRY)
#undef ENTRY
};

/* A pool's tasks in "waiting", and the function that they run. */
typedef struct {
  guint64 key;
  GFunc func;
  guint64 *checked;
} Tasks;

/* Tasks that were pushed and have not begun: (pool's key, data) → label word. A
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
remember (guint64 pool, gconstpointer data, guint64 label)
{
  pyro_readers_enter ();
  pyro_shared_map_add (&waiting, pool, key_of (data), label);
  pyro_readers_leave ();
}

static guint64
take (guint64 pool, gconstpointer data)
{
  PyroSharedItem *item;
  guint64 label = 0;

  pyro_readers_enter ();
  while (label == 0
         && (item = pyro_shared_map_find_oldest (&waiting, pool, key_of (data)))
                != NULL) {
    label = pyro_shared_item_get (item);
    /* Where another thread has taken that one, the next. */
    if (label == PYRO_SHARED_GONE || label == 0
        || !pyro_shared_item_swap (item, &label, 0))
      label = 0;
  }
  pyro_readers_leave ();
  if (label != 0)
    pyro_shared_map_sweep_key (&waiting, pool, key_of (data));
  return label;
}

static gboolean
forget_task (PyroSharedItem *item, gpointer pool)
{
  guint64 label = pyro_shared_item_get (item);

  if (item->key == *(const guint64 *)pool)
    while (label != 0 && label != PYRO_SHARED_GONE
           && !pyro_shared_item_swap (item, &label, 0))
      ;
  return TRUE;
}

/* Tasks that will never run. */
static void
forget (guint64 pool)
{
  pyro_readers_enter ();
  pyro_shared_map_foreach (&waiting, forget_task, &pool);
  pyro_readers_leave ();
  pyro_shared_map_sweep (&waiting);
}

static void
run (guint64 pool, GFunc func, gpointer data, gpointer user_data)
{
  guint generation = pyro_workers_get_generation ();
  guint64 label = take (pool, data);
  PyroNodeStack *stack = pyro_own_node_stack;
  guint64 before = 0;

  if (G_UNLIKELY (label & PYRO_LABEL_QUESTION))
    label = pyro_owners_check_task (label, (gpointer)func);
  if (label != 0 && generation != 0)
    stack = pyro_node_stack_get (generation);
  if (label == 0)
    pyro_node_stack_work_for_nobody ();
  if (stack != NULL)
    before = pyro_node_stack_rebase (stack, label);
  func (data, user_data);
  stack = pyro_own_node_stack;
  if (stack != NULL)
    pyro_node_stack_rebase (stack, before);
}

/* In the place of the pool's function. */
static void
run_task (gpointer data, gpointer user_data)
{
  const Pool *pool = user_data;

  run (key_of (pool), pool->func, data, pool->user_data);
}

/* Pools of one function and equal user data share a key: their tasks differ by
 * their data. An odd factor keeps different user data apart. */
static guint64
key_of_adopted (guint place, gconstpointer user_data)
{
  return key_of (user_data) * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15)
         + key_of (&adopted[place]);
}

static void
run_adopted_task (guint place, gpointer data, gpointer user_data)
{
  run (key_of_adopted (place, user_data),
       __atomic_load_n (&adopted[place], __ATOMIC_ACQUIRE), data, user_data);
}

/* The place of FUNC; N_ADOPTED: there is none left. */
static guint
find_place (GFunc func)
{
  guint place = 0;

  for (; place < N_ADOPTED; place++) {
    GFunc there = __atomic_load_n (&adopted[place], __ATOMIC_ACQUIRE);

    if (there == func
        || (there == NULL
            && (__atomic_compare_exchange_n (&adopted[place], &there, func,
                                             FALSE, __ATOMIC_ACQ_REL,
                                             __ATOMIC_ACQUIRE)
                || there == func)))
      break;
  }
  return place;
}

/* FALSE: its fields are as they were. */
static gboolean
find_tasks (GThreadPool *pool, Tasks *tasks)
{
  GFunc func;

  if (pool == NULL)
    return FALSE;
  func = __atomic_load_n (&pool->func, __ATOMIC_ACQUIRE);
  if (func == run_task) {
    Pool *known = pool->user_data;

    *tasks = (Tasks){ key_of (known), known->func, &known->checked };
    return TRUE;
  }
  for (guint i = 0; i < N_ADOPTED; i++)
    if (func == run_adopted[i]) {
      *tasks = (Tasks){ key_of_adopted (i, pool->user_data),
                        __atomic_load_n (&adopted[i], __ATOMIC_ACQUIRE),
                        &checked[i] };
      return TRUE;
    }
  return FALSE;
}

/* The label word of the caller; 0: nobody's, or it is not asked for now. */
static guint64
get_own_label (void)
{
  guint generation = pyro_workers_get_generation ();
  const PyroNodeStack *stack = pyro_own_node_stack;

  return generation != 0 && stack != NULL && stack->generation == generation
             ? pyro_node_stack_get_label (stack)
             : 0;
}

/* NULL: the pool is made as if we were not there. */
static Pool *
pool_new (GFunc func, gpointer user_data)
{
  guint64 label = get_own_label ();
  Pool *pool;

  if ((label == 0 || pyro_owners_check_task (label, (gpointer)func) == 0)
      && !pyro_owners_is_everybodys ((gpointer)func))
    return NULL;
  pool = g_new (Pool, 1);

  *pool = (Pool){ .func = func, .user_data = user_data };
  return pool;
}

GThreadPool *
pyro_pools_new (GFunc func, gpointer user_data, gint max_threads,
                gboolean exclusive, GError **error)
{
  Pool *pool = pool_new (func, user_data);
  GThreadPool *result;

  if (pool == NULL)
    return g_thread_pool_new (func, user_data, max_threads, exclusive, error);
  result = g_thread_pool_new (run_task, pool, max_threads, exclusive, error);

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
  GThreadPool *result;

  if (pool == NULL)
    return g_thread_pool_new_full (func, user_data, item_free_func, max_threads,
                                   exclusive, error);
  result = g_thread_pool_new_full (run_task, pool, item_free_func, max_threads,
                                   exclusive, error);

  if (result == NULL)
    g_free (pool);
  return result;
}
#endif

/* LABEL, or 0 if its element cannot have pushed one of TASKS. A question may
 * not have its answer before the task runs: it is checked then. */
static guint64
check (const Tasks *tasks, guint64 label)
{
  if (__atomic_load_n (tasks->checked, __ATOMIC_RELAXED) == label
      || label & PYRO_LABEL_QUESTION)
    return label;
  label = pyro_owners_check_task (label, tasks->func);
  if (label != 0)
    __atomic_store_n (tasks->checked, label, __ATOMIC_RELAXED);
  return label;
}

/* Whoever pushes a task keeps the pool alive. */
static gboolean
adopt (GThreadPool *pool, Tasks *tasks)
{
  GFunc func;
  guint place;

  if (pool == NULL)
    return FALSE;
  func = __atomic_load_n (&pool->func, __ATOMIC_ACQUIRE);
  place = func != NULL ? find_place (func) : N_ADOPTED;
  if (place == N_ADOPTED)
    return FALSE;
  if (!__atomic_compare_exchange_n (&pool->func, &func, run_adopted[place],
                                    FALSE, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
    /* Another thread has just done it. */
    return find_tasks (pool, tasks);
  *tasks = (Tasks){ key_of_adopted (place, pool->user_data), func,
                    &checked[place] };
  return TRUE;
}

/* For a task of LABEL's element; what the application pushes in a callback
 * leaves its pool alone. */
static gboolean
adopt_for (GThreadPool *pool, guint64 label, Tasks *tasks)
{
  gpointer func = pool != NULL ? (gpointer)pool->func : NULL;

  return func != NULL
         && (label & PYRO_LABEL_QUESTION
             || pyro_owners_check_task (label, func) != 0)
         && adopt (pool, tasks);
}

gboolean
pyro_pools_push (GThreadPool *pool, gpointer data, GError **error)
{
  guint64 label = get_own_label ();
  Tasks tasks;

  if (label != 0
      && (find_tasks (pool, &tasks) || adopt_for (pool, label, &tasks)))
    label = check (&tasks, label);
  else
    label = 0;
  if (label != 0)
    remember (tasks.key, data, label);
  return g_thread_pool_push (pool, data, error);
}

void
pyro_pools_free (GThreadPool *pool, gboolean immediate, gboolean wait)
{
  gboolean is_own = pool != NULL && pool->func == run_task;
  Pool *known = is_own ? pool->user_data : NULL;
  Tasks tasks;
  gboolean is_known = find_tasks (pool, &tasks);

  g_thread_pool_free (pool, immediate, wait);
  if (!is_known)
    return;
  /* Another adopted pool may have the same key: if all of this one's have run,
   * those that wait are the other's. */
  if (immediate || (wait && is_own))
    forget (tasks.key);
  /* Else threads may still run it: those few bytes stay. */
  if (wait)
    g_free (known);
}

void
pyro_pools_fork_child (void)
{
  pyro_shared_map_fork_child (&waiting);
}
