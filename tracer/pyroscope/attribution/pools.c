/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "pools.h"

#include "node-stack.h"
#include "workers.h"

/* What a pool was made with; it is the wrapped function's user data. */
typedef struct {
  GFunc func;
  gpointer user_data;
} Pool;

/* A task that was pushed and has not begun. The task's data is not wrapped:
 * sort functions and g_thread_pool_move_to_front() see it. */
typedef struct _Submission {
  struct _Submission *next;
  const Pool *pool;
  gconstpointer data;
  guint64 label;
} Submission;

#define N_BUCKETS 256

static struct {
  GMutex lock;
  Submission *buckets[N_BUCKETS]; /* each in the order of their pushing */
} waiting;

static Submission **
find_bucket (const Pool *pool, gconstpointer data)
{
  guint64 key = (guintptr)pool + (guintptr)data * 31;

  return &waiting.buckets[key * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15) >> 56];
}

static void
remember (const Pool *pool, gconstpointer data, guint64 label)
{
  Submission **link = find_bucket (pool, data);
  Submission *submission = g_new (Submission, 1);

  *submission = (Submission){ NULL, pool, data, label };
  g_mutex_lock (&waiting.lock);
  while (*link != NULL)
    link = &(*link)->next;
  *link = submission;
  g_mutex_unlock (&waiting.lock);
}

static guint64
take (const Pool *pool, gconstpointer data)
{
  Submission **link = find_bucket (pool, data);
  Submission *submission;
  guint64 label = 0;

  g_mutex_lock (&waiting.lock);
  while ((submission = *link) != NULL
         && (submission->pool != pool || submission->data != data))
    link = &submission->next;
  if (submission != NULL)
    *link = submission->next;
  g_mutex_unlock (&waiting.lock);
  if (submission != NULL)
    label = submission->label;
  g_free (submission);
  return label;
}

/* Tasks that will never run. */
static void
forget (const Pool *pool)
{
  Submission *gone = NULL;

  g_mutex_lock (&waiting.lock);
  for (guint i = 0; i < N_BUCKETS; i++)
    for (Submission **link = &waiting.buckets[i]; *link != NULL;) {
      Submission *submission = *link;

      if (submission->pool == pool) {
        *link = submission->next;
        submission->next = gone;
        gone = submission;
      } else {
        link = &submission->next;
      }
    }
  g_mutex_unlock (&waiting.lock);
  while (gone != NULL) {
    Submission *submission = gone;

    gone = submission->next;
    g_free (submission);
  }
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
pyro_pools_fork_prepare (void)
{
  g_mutex_lock (&waiting.lock);
}

void
pyro_pools_fork_done (void)
{
  g_mutex_unlock (&waiting.lock);
}
