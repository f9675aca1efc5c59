/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tasks of thread pools run with the label word of whoever pushed them, in the
 * end just as often and with the same data as without us. */

#include "attribution/node-stack.h"
#include "attribution/pools.h"
#include "attribution/workers.h"

#define GENERATION 3
#define N_TASKS 400

typedef struct {
  guint64 label;
  gint freed;
} Task;

static struct {
  GMutex lock;
  GCond cond;
  gboolean closed;
  guint begun, n;
  guint wrong;
  gint of_many;
} gate;

static void
run (gpointer data, gpointer user_data)
{
  const Task *task = data;
  guint64 label = pyro_own_node_stack != NULL ? pyro_own_node_stack->label : 0;

  g_mutex_lock (&gate.lock);
  gate.begun++;
  g_cond_broadcast (&gate.cond);
  while (gate.closed)
    g_cond_wait (&gate.cond, &gate.lock);
  gate.n++;
  gate.wrong += label != task->label || user_data != &gate;
  g_cond_broadcast (&gate.cond);
  g_mutex_unlock (&gate.lock);
}

static void
set_closed (gboolean closed)
{
  g_mutex_lock (&gate.lock);
  gate.closed = closed;
  g_cond_broadcast (&gate.cond);
  g_mutex_unlock (&gate.lock);
}

static void
wait_for (const guint *counter, guint n)
{
  g_mutex_lock (&gate.lock);
  while (*counter < n)
    g_cond_wait (&gate.cond, &gate.lock);
  g_mutex_unlock (&gate.lock);
}

static void
begin (guint generation)
{
  pyro_workers_set_generation (generation);
  pyro_node_stack_renew (GENERATION);
  pyro_node_stack_rebase (pyro_own_node_stack, 0);
  gate.begun = gate.n = gate.wrong = 0;
}

static void
push (GThreadPool *pool, Task *task, guint node)
{
  guint64 label = pyro_label_word (node, PYRO_ATTRIBUTION_EXACT);

  if (pyro_workers_get_generation () != 0)
    task->label = label;
  pyro_node_stack_rebase (pyro_own_node_stack, label);
  g_assert_true (pyro_pools_push (pool, task, NULL));
  pyro_node_stack_rebase (pyro_own_node_stack, 0);
}

static void
expect_pushers (guint generation, guint nodes)
{
  Task tasks[N_TASKS] = { 0 };
  GThreadPool *pool, *other;

  begin (generation);
  pool = pyro_pools_new (run, &gate, 3, FALSE, NULL);
  other = pyro_pools_new (run, &gate, 1, TRUE, NULL);
  for (guint i = 0; i < N_TASKS; i++)
    push (i % 3 == 0 ? other : pool, &tasks[i], i % nodes);
  pyro_pools_free (pool, FALSE, TRUE);
  pyro_pools_free (other, FALSE, TRUE);
  g_assert_cmpuint (gate.n, ==, N_TASKS);
  g_assert_cmpuint (gate.wrong, ==, 0);
}

static void
test_pushers (void)
{
  /* Node 0: whoever pushed was nobody. */
  expect_pushers (GENERATION, 5);
}

static void
note_sole_label (gpointer data, gpointer user_data)
{
  *(guint64 *)data = pyro_own_node_stack != NULL
                         ? pyro_announcement_get_sole_label (
                             &pyro_own_node_stack->announcement)
                         : 0;
}

/* CPU time of its thread that no sample saw may be of either. */
static void
test_nobodys_tasks_beside (void)
{
  const guint64 label = pyro_label_word (5, PYRO_ATTRIBUTION_EXACT);
  guint64 alone = 0, beside = 0, nobodys = 0;
  GThreadPool *pool;

  begin (GENERATION);
  pool = pyro_pools_new (note_sole_label, NULL, 1, TRUE, NULL);
  pyro_node_stack_rebase (pyro_own_node_stack, label);
  g_assert_true (pyro_pools_push (pool, &alone, NULL));
  pyro_node_stack_rebase (pyro_own_node_stack, 0);
  g_assert_true (pyro_pools_push (pool, &nobodys, NULL));
  pyro_node_stack_rebase (pyro_own_node_stack, label);
  g_assert_true (pyro_pools_push (pool, &beside, NULL));
  pyro_node_stack_rebase (pyro_own_node_stack, 0);
  pyro_pools_free (pool, FALSE, TRUE);
  g_assert_cmphex (alone, ==, label);
  g_assert_cmphex (beside, ==, 0);
}

static void
test_without_a_session (void)
{
  expect_pushers (0, 5);
}

/* The same data pushed again and again, by different elements, in order. */
static void
test_equal_data (void)
{
  Task task = { 0 };
  GThreadPool *pool;

  begin (GENERATION);
  pool = pyro_pools_new (run, &gate, 1, FALSE, NULL);
  set_closed (TRUE);
  for (guint i = 0; i < 50; i++)
    push (pool, &task, 7);
  set_closed (FALSE);
  pyro_pools_free (pool, FALSE, TRUE);
  g_assert_cmpuint (gate.n, ==, 50);
  g_assert_cmpuint (gate.wrong, ==, 0);
}

static void
run_pool (gpointer data, gpointer user_data)
{
  guint64 *seen = user_data;

  *seen = pyro_own_node_stack->label;
}

/* One piece of data in many pools at once. */
static void
test_equal_data_in_many_pools (void)
{
  static Task task;
  GThreadPool *pools[64];
  guint64 seen[G_N_ELEMENTS (pools)];

  begin (GENERATION);
  for (guint i = 0; i < G_N_ELEMENTS (pools); i++)
    pools[i] = pyro_pools_new (run_pool, &seen[i], 0, FALSE, NULL);
  /* No thread is there to run them yet. */
  for (guint i = 0; i < G_N_ELEMENTS (pools); i++)
    push (pools[i], &task, i + 1);
  for (guint i = G_N_ELEMENTS (pools); i-- > 0;) {
    g_thread_pool_set_max_threads (pools[i], 1, NULL);
    pyro_pools_free (pools[i], FALSE, TRUE);
    g_assert_cmpuint (pyro_label_word_node (seen[i]), ==, i + 1);
  }
}

/* Tasks that never run must not lend their label to later ones with the same
 * data in a pool at the same address. */
static void
test_freed_before_it_ran (void)
{
  Task tasks[N_TASKS] = { 0 };
  GThreadPool *pool;
  guint n;

  begin (GENERATION);
  pool = pyro_pools_new (run, &gate, 1, FALSE, NULL);
  set_closed (TRUE);
  for (guint i = 0; i < N_TASKS; i++)
    push (pool, &tasks[i], 1);
  /* The first one runs. */
  wait_for (&gate.begun, 1);
  pyro_pools_free (pool, TRUE, FALSE);
  set_closed (FALSE);
  wait_for (&gate.n, 1);
  n = gate.n;
  g_assert_cmpuint (n, <, N_TASKS);

  begin (GENERATION);
  pool = pyro_pools_new (run, &gate, 1, FALSE, NULL);
  for (guint i = 0; i < N_TASKS; i++)
    push (pool, &tasks[i], 2);
  pyro_pools_free (pool, FALSE, TRUE);
  g_assert_cmpuint (gate.wrong, ==, 0);
}

/* Pools that were made before the wrappers were there. */
static void
test_pools_of_before (void)
{
  Task tasks[N_TASKS] = { 0 };
  GThreadPool *pools[2];

  begin (GENERATION);
  for (guint i = 0; i < G_N_ELEMENTS (pools); i++)
    pools[i] = g_thread_pool_new (run, &gate, 2, FALSE, NULL);
  for (guint i = 0; i < N_TASKS; i++)
    push (pools[i % 2], &tasks[i], i % 7);
  for (guint i = 0; i < G_N_ELEMENTS (pools); i++)
    pyro_pools_free (pools[i], FALSE, TRUE);
  g_assert_cmpuint (gate.n, ==, N_TASKS);
  g_assert_cmpuint (gate.wrong, ==, 0);
}

/* Nothing tells its tasks from those of a pool that is freed. */
static void
test_freed_beside_another (void)
{
  Task tasks[10] = { 0 };
  GThreadPool *first, *second;

  begin (GENERATION);
  first = g_thread_pool_new (run, &gate, 1, FALSE, NULL);
  second = g_thread_pool_new (run, &gate, 1, FALSE, NULL);
  push (first, &tasks[0], 1);
  wait_for (&gate.n, 1);
  set_closed (TRUE);
  for (guint i = 1; i < G_N_ELEMENTS (tasks); i++)
    push (second, &tasks[i], 2);
  pyro_pools_free (first, FALSE, TRUE);
  set_closed (FALSE);
  pyro_pools_free (second, FALSE, TRUE);
  g_assert_cmpuint (gate.n, ==, G_N_ELEMENTS (tasks));
  g_assert_cmpuint (gate.wrong, ==, 0);
}

/* Its threads read the function and the data, one after the other, while the
 * pool is adopted. */
static void
test_adopted_at_work (void)
{
  Task others[50] = { 0 };
  Task task = { 0 };

  for (guint round = 0; round < 100; round++) {
    GThreadPool *pool = g_thread_pool_new (run, &gate, 4, FALSE, NULL);

    begin (GENERATION);
    for (guint i = 0; i < G_N_ELEMENTS (others); i++)
      g_thread_pool_push (pool, &others[i], NULL);
    push (pool, &task, 5);
    pyro_pools_free (pool, FALSE, TRUE);
    g_assert_cmpuint (gate.n, ==, G_N_ELEMENTS (others) + 1);
    g_assert_cmpuint (gate.wrong, ==, 0);
  }
}

static guint pool_nodes[2];

static void
note_node (guint *node)
{
  *node = pyro_own_node_stack != NULL
              ? pyro_label_word_node (pyro_own_node_stack->label)
              : 0;
}

static void
run_first_pool (gpointer data, gpointer user_data)
{
  note_node (&pool_nodes[0]);
}

static void
run_second_pool (gpointer data, gpointer user_data)
{
  note_node (&pool_nodes[1]);
}

/* Nothing but the function tells apart equal data in pools of equal data. */
static void
test_functions_of_before (void)
{
  static Task task;
  GThreadPool *pools[2];

  begin (GENERATION);
  pools[0] = g_thread_pool_new (run_first_pool, NULL, 0, FALSE, NULL);
  pools[1] = g_thread_pool_new (run_second_pool, NULL, 0, FALSE, NULL);
  /* No thread is there to run them yet. */
  push (pools[0], &task, 8);
  push (pools[1], &task, 9);
  for (guint i = G_N_ELEMENTS (pools); i-- > 0;) {
    g_thread_pool_set_max_threads (pools[i], 1, NULL);
    pyro_pools_free (pools[i], FALSE, TRUE);
  }
  g_assert_cmpuint (pool_nodes[0], ==, 8);
  g_assert_cmpuint (pool_nodes[1], ==, 9);
}

/* clang-format off */
#define TEN(EACH, n) \
  EACH (n##0) EACH (n##1) EACH (n##2) EACH (n##3) EACH (n##4) \
  EACH (n##5) EACH (n##6) EACH (n##7) EACH (n##8) EACH (n##9)
/* clang-format on */
#define MANY(EACH) TEN (EACH, 1) TEN (EACH, 2) TEN (EACH, 3) TEN (EACH, 4)

#define FUNCTION(n)                                       \
  static void run_##n (gpointer data, gpointer user_data) \
  {                                                       \
    run (data, user_data);                                \
    g_atomic_int_add (&gate.of_many, n);                  \
  }
MANY (FUNCTION)
#undef FUNCTION

/* There are no places for so many functions: the rest is as without us. */
static void
test_more_functions_than_places (void)
{
  static const GFunc functions[] = {
#define NAME(n) run_##n,
    MANY (NAME)
#undef NAME
  };
  Task tasks[G_N_ELEMENTS (functions)] = { 0 };
  gint sum = 0;

  begin (GENERATION);
  gate.of_many = 0;
  for (guint i = 0; i < G_N_ELEMENTS (functions); i++) {
    GThreadPool *pool = g_thread_pool_new (functions[i], &gate, 1, FALSE, NULL);

    push (pool, &tasks[i], 1);
    pyro_pools_free (pool, FALSE, TRUE);
    sum += (gint)i + 10;
  }
  g_assert_cmpuint (gate.n, ==, G_N_ELEMENTS (functions));
  g_assert_cmpint (gate.of_many, ==, sum);
}

#if GLIB_CHECK_VERSION(2, 70, 0)

static void
count_freed (gpointer data)
{
  g_atomic_int_inc (&((Task *)data)->freed);
}

static void
test_data_is_not_wrapped (void)
{
  Task tasks[20] = { 0 };
  GThreadPool *pool;
  guint freed = 0;

  begin (GENERATION);
  pool = pyro_pools_new_full (run, &gate, count_freed, 1, FALSE, NULL);
  set_closed (TRUE);
  for (guint i = 0; i < G_N_ELEMENTS (tasks); i++)
    push (pool, &tasks[i], 4);
  g_assert_true (g_thread_pool_move_to_front (pool, &tasks[19]));
  /* The first one runs. */
  wait_for (&gate.begun, 1);
  pyro_pools_free (pool, TRUE, FALSE);
  set_closed (FALSE);
  wait_for (&gate.n, 1);
  /* A task runs or its data is given back. */
  do {
    freed = 0;
    for (guint i = 0; i < G_N_ELEMENTS (tasks); i++)
      freed += (guint)g_atomic_int_get (&tasks[i].freed);
    g_usleep (1000);
  } while (gate.n + freed < G_N_ELEMENTS (tasks));
  g_assert_cmpuint (gate.n + freed, ==, G_N_ELEMENTS (tasks));
  g_assert_cmpuint (gate.wrong, ==, 0);
}

#endif

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  /* First of all: GLib uses threads again. */
  g_test_add_func ("/pools/time-without-a-sample-beside-a-task-of-nobodys-is-"
                   "nobodys",
                   test_nobodys_tasks_beside);
  g_test_add_func ("/pools/tasks-are-whose-pushed-them", test_pushers);
  g_test_add_func ("/pools/without-a-session-calls-are-passed-through",
                   test_without_a_session);
  g_test_add_func ("/pools/equal-data-is-told-apart-by-its-order",
                   test_equal_data);
  g_test_add_func ("/pools/equal-data-in-many-pools",
                   test_equal_data_in_many_pools);
  g_test_add_func ("/pools/what-never-ran-is-forgotten",
                   test_freed_before_it_ran);
  g_test_add_func ("/pools/tasks-of-a-pool-of-before-are-whose-pushed-them",
                   test_pools_of_before);
  g_test_add_func ("/pools/a-pool-is-freed-beside-one-like-it",
                   test_freed_beside_another);
  g_test_add_func ("/pools/a-pool-is-adopted-while-it-works",
                   test_adopted_at_work);
  g_test_add_func ("/pools/pools-of-before-are-told-apart-by-their-functions",
                   test_functions_of_before);
  g_test_add_func ("/pools/more-functions-than-places-are-as-without-us",
                   test_more_functions_than_places);
#if GLIB_CHECK_VERSION(2, 70, 0)
  g_test_add_func ("/pools/data-is-not-wrapped", test_data_is_not_wrapped);
#endif
  return g_test_run ();
}
