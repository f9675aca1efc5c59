/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The stack of elements that a thread executes, and what a signal handler sees
 * of it.
 */

#include "made-up-frames.h"

static void
test_nesting (void)
{
  PyroNodeStack *stack = begin ();

  assert_top (stack, 0);
  for (guint i = 1; i <= 1000; i++) {
    push (stack, i, i);
    assert_top (stack, i);
  }
  for (guint i = 1000; i > 0; i--) {
    assert_top (stack, i);
    pop (stack, i);
  }
  assert_top (stack, 0);
  g_assert_cmpuint (stack->depth, ==, 0);
}

static void
test_reentrance (void)
{
  PyroNodeStack *stack = begin ();

  push (stack, 1, 1);
  push (stack, 2, 2);
  push (stack, 1, 3);
  push (stack, 1, 4);
  pop (stack, 1);
  assert_top (stack, 1);
  g_assert_cmpuint (stack->depth, ==, 3);
  pop (stack, 1);
  assert_top (stack, 2);
  pop (stack, 2);
  assert_top (stack, 1);
  pop (stack, 1);
  assert_top (stack, 0);
}

static void
test_kinds (void)
{
  PyroNodeStack *stack = begin ();

  /* The post hook of another kind on the same object is not this one's. */
  push (stack, 1, 1);
  pyro_node_stack_push (stack, OBJECT (1), EXACT (1), PYRO_HOOK_QUERY,
                        FRAME (2));
  pyro_node_stack_pop (stack, OBJECT (1), PYRO_HOOK_CHAIN);
  g_assert_cmpuint (stack->depth, ==, 0);
  pyro_node_stack_pop (stack, OBJECT (1), PYRO_HOOK_QUERY);
  g_assert_cmpuint (stack->depth, ==, 0);
}

static void
test_no_element (void)
{
  PyroNodeStack *stack = begin ();

  push (stack, 0, 1);
  assert_top (stack, 0);
  push (stack, 1, 2);
  push (stack, 0, 3);
  assert_top (stack, 1);
  pop (stack, 0);
  assert_top (stack, 1);
  pop (stack, 1);
  pop (stack, 0);
  assert_top (stack, 0);
  /* Over a task. */
  pyro_node_stack_rebase (stack, pyro_label_word (9, PYRO_ATTRIBUTION_EXACT));
  push (stack, 0, 1);
  assert_top (stack, 9);
}

static void
test_missing_post (void)
{
  PyroNodeStack *stack = begin ();

  /* The caller's post hook takes it away. */
  push (stack, 1, 1);
  push (stack, 2, 2);
  push (stack, 3, 3);
  pop (stack, 1);
  assert_top (stack, 0);

  /* So does the caller's next call, at the same depth or less. */
  push (stack, 1, 1);
  push (stack, 2, 5);
  push (stack, 3, 6);
  push (stack, 4, 4);
  g_assert_cmpuint (stack->depth, ==, 2);
  pop (stack, 4);
  assert_top (stack, 1);
  pop (stack, 1);
  assert_top (stack, 0);
}

static void
test_missing_post_again_and_again (void)
{
  PyroNodeStack *stack = begin ();

  push (stack, 1, 1);
  for (guint i = 0; i < 3 * PYRO_NODE_STACK_SIZE; i++)
    push (stack, 2 + i % 5, 2);
  g_assert_cmpuint (stack->depth, ==, 2);
  pop (stack, 1);
  assert_top (stack, 0);

  /* Inlined calls: hooks of different kinds have one frame, and all hold. */
  push (stack, 1, 1);
  pyro_node_stack_push (stack, OBJECT (2), EXACT (2), PYRO_HOOK_PUSH,
                        FRAME (2));
  push (stack, 3, 2);
  pop (stack, 3);
  assert_top (stack, 2);
  pyro_node_stack_pop (stack, OBJECT (2), PYRO_HOOK_PUSH);
  assert_top (stack, 1);
  pop (stack, 1);
}

static void
test_post_without_pre (void)
{
  PyroNodeStack *stack = begin ();

  pop (stack, 1);
  assert_top (stack, 0);
  push (stack, 1, 1);
  push (stack, 2, 2);
  pop (stack, 3);
  assert_top (stack, 2);
  g_assert_cmpuint (stack->depth, ==, 2);
  pop (stack, 2);
  pop (stack, 1);
}

static void
test_other_stack (void)
{
  const guintptr coroutine = FRAME (0) + 64 * PYRO_SAME_STACK_RANGE;
  PyroNodeStack *stack = begin ();

  /* A coroutine's frames say nothing about those of its thread. */
  push (stack, 1, 1);
  push (stack, 2, 2);
  pyro_node_stack_push (stack, OBJECT (3), EXACT (3), PYRO_HOOK_CHAIN,
                        coroutine);
  assert_top (stack, 3);
  g_assert_cmpuint (stack->depth, ==, 3);
  push (stack, 4, 3);
  g_assert_cmpuint (stack->depth, ==, 4);
  pop (stack, 4);
  pop (stack, 3);
  assert_top (stack, 2);
  pop (stack, 2);
  assert_top (stack, 1);
}

/* A coroutine's stack right above the thread's own, or above another one's. */
static void
test_next_stack (void)
{
  PyroNodeStack *stack = begin ();
  guintptr coroutine = FRAME (0) + 64 * 1024 - 512;

  push (stack, 1, 1);
  push (stack, 2, 2);
  for (guint i = 3; i < 6; i++) {
    pyro_node_stack_push (stack, OBJECT (i), EXACT (i), PYRO_HOOK_CHAIN,
                          coroutine);
    assert_top (stack, i);
    g_assert_cmpuint (stack->depth, ==, i);
    coroutine += 64 * 1024;
  }
  for (guint i = 5; i > 0; i--) {
    assert_top (stack, i);
    pop (stack, i);
  }
  assert_top (stack, 0);

  /* What is left is seen there, too. */
  pyro_node_stack_push (stack, OBJECT (1), EXACT (1), PYRO_HOOK_CHAIN,
                        coroutine - 512);
  pyro_node_stack_push (stack, OBJECT (2), EXACT (2), PYRO_HOOK_CHAIN,
                        coroutine - 256);
  g_assert_cmpuint (stack->depth, ==, 1);
  pop (stack, 2);
}

static void
test_overflow (void)
{
  const guint extra = 100;
  PyroNodeStack *stack = begin ();
  guint n = PYRO_NODE_STACK_SIZE + extra;

  for (guint i = 1; i <= n; i++)
    push (stack, i, i);
  /* What is too deep is nobody's, not the last one's that there was room for.
   */
  for (guint i = n; i > 0; i--) {
    assert_top (stack, i <= PYRO_NODE_STACK_SIZE ? i : 0);
    pop (stack, i);
  }
  assert_top (stack, 0);

  /* Without post hooks: the next call from further out repairs it. */
  for (guint i = 1; i <= n; i++)
    push (stack, i, i);
  push (stack, 1, 10);
  g_assert_cmpuint (stack->depth, ==, 10);
  assert_top (stack, 1);
}

static void
test_tasks (void)
{
  PyroNodeStack *stack = begin ();

  /* A pool's thread that runs somebody's task, in which a pad's task runs. */
  pyro_node_stack_rebase (stack, pyro_label_word (5, PYRO_ATTRIBUTION_EXACT));
  assert_top (stack, 5);
  pyro_node_stack_enter_task (EXACT (6));
  assert_top (stack, 6);
  push (stack, 7, 1);
  assert_top (stack, 7);
  pop (stack, 7);
  assert_top (stack, 6);
  push (stack, 7, 1); /* and no post hook */
  pyro_node_stack_leave_task ();
  assert_top (stack, 5);
  g_assert_cmphex (pyro_node_stack_rebase (stack, 0), ==,
                   pyro_label_word (5, PYRO_ATTRIBUTION_EXACT));
  assert_top (stack, 0);
  /* What it was is still known for CPU time that nobody has told yet. */
  g_assert_cmphex (pyro_announcement_get_label (&stack->announcement), ==,
                   pyro_label_word (5, PYRO_ATTRIBUTION_EXACT));
}

static void
test_sessions (void)
{
  PyroNodeStack *stack = begin ();

  push (stack, 1, 1);
  g_assert_true (pyro_node_stack_get (GENERATION) == stack);
  assert_top (stack, 1);
  /* In the next session nothing is left, but the task goes on. */
  pyro_node_stack_enter_task (EXACT (4));
  push (stack, 1, 1);
  g_assert_true (pyro_node_stack_get (GENERATION + 1) == stack);
  assert_top (stack, 4);
  g_assert_cmpuint (stack->depth, ==, 0);
}

/* CPU time that no sample saw: of which element it can only be. */

static gpointer
run_alone (gpointer data)
{
  const guint64 base = EXACT (5);
  PyroNodeStack *stack = begin ();
  const PyroAnnouncement *announcement = &stack->announcement;
  PyroTurn turn;

#define assert_sole(label) \
  g_assert_cmphex (pyro_announcement_get_sole_label (announcement), ==, label)
  assert_sole (0);
  pyro_node_stack_enter_task (base);
  assert_sole (base);
  push (stack, 5, 1);
  pyro_node_stack_push (stack, OBJECT (5),
                        pyro_label_word (5, PYRO_ATTRIBUTION_INHERITED),
                        PYRO_HOOK_CHAIN, FRAME (2));
  assert_sole (base);
  if (data != NULL) {
    push (stack, 6, 3);
    assert_sole (0);
    pop (stack, 6);
    assert_sole (0);
  }
  /* Of the task before, whose element alone it is. */
  pyro_node_stack_enter_task (EXACT (8));
  g_assert_true (pyro_turns_get (&announcement->turns, 0, &turn));
  g_assert_cmphex (turn.label, ==, data != NULL ? 0 : base);
  pyro_node_stack_enter_task (EXACT (9));
  g_assert_true (pyro_turns_get (&announcement->turns, 1, &turn));
  g_assert_cmphex (turn.label, ==, EXACT (8));
  assert_sole (0);
#undef assert_sole
  return NULL;
}

static gpointer
run_besides (gpointer data)
{
  PyroNodeStack *stack = begin ();

  /* A thread of the application's, that does something else, too. */
  push (stack, 1, 1);
  g_assert_cmphex (pyro_announcement_get_sole_label (&stack->announcement), ==,
                   0);
  return NULL;
}

/* DATA: what it does between its tasks. */
static gpointer
run_for_nobody (gpointer data)
{
  const PyroAnnouncement *announcement;
  PyroNodeStack *stack;

  if (data == NULL)
    pyro_node_stack_work_for_nobody ();
  stack = begin ();
  announcement = &stack->announcement;
  pyro_node_stack_enter_task (EXACT (5));
  if (data != NULL) {
    g_assert_cmphex (pyro_announcement_get_sole_label (announcement), ==,
                     EXACT (5));
    ((void (*) (PyroNodeStack *))data) (stack);
  }
  g_assert_cmphex (pyro_announcement_get_sole_label (announcement), ==, 0);
  return NULL;
}

static void
execute_for_nobody (PyroNodeStack *stack)
{
  pyro_node_stack_leave_task ();
  pyro_node_stack_work_for_nobody ();
  pyro_node_stack_enter_task (EXACT (5));
}

static void
nest_too_deeply (PyroNodeStack *stack)
{
  for (guint i = 0; i <= PYRO_NODE_STACK_SIZE; i++)
    push (stack, 5, i + 1);
  for (guint i = 0; i <= PYRO_NODE_STACK_SIZE; i++)
    pop (stack, 5);
}

static void
test_unsampled (void)
{
  g_thread_join (g_thread_new ("nobody-first", run_for_nobody, NULL));
  g_thread_join (
      g_thread_new ("nobody-later", run_for_nobody, execute_for_nobody));
  g_thread_join (g_thread_new ("too-deep", run_for_nobody, nest_too_deeply));
  g_thread_join (g_thread_new ("one-element", run_alone, NULL));
  g_thread_join (
      g_thread_new ("two-elements", run_alone, GUINT_TO_POINTER (1)));
  g_thread_join (g_thread_new ("application", run_besides, NULL));
  g_assert_cmphex (pyro_label_word_unsampled (EXACT (3)), ==,
                   pyro_label_word (3, PYRO_ATTRIBUTION_UNSAMPLED));
  g_assert_cmpuint (pyro_label_word_node (pyro_label_word_unsampled (0)), ==,
                    0);
}

/* threads */

static gpointer
run_adopted (gpointer data)
{
  PyroNodeStack *stack = data;

  g_assert_null (pyro_own_node_stack);
  pyro_node_stack_adopt (stack);
  g_assert_true (pyro_own_node_stack == stack);
  g_assert_true (pyro_node_stack_get (GENERATION) == stack);
  push (stack, 1, 1);
  g_assert_cmpint (pyro_label_word_node (stack->label), ==, 1);
  return NULL;
}

static gpointer
run_and_return (gpointer data)
{
  pyro_node_stack_adopt (data);
  return NULL;
}

static gpointer
run_renewed (gpointer data)
{
  begin ();
  return NULL;
}

static void
expect_hurry (GThreadFunc run, gpointer data, PyroWokenBy expected)
{
  static PyroWakeup wakeup;

  pyro_announcements_set_waker (&wakeup);
  g_thread_join (g_thread_new ("hurry", run, data));
  pyro_announcements_set_waker (NULL);
  g_assert_cmpint (pyro_wakeup_wait (&wakeup, 0), ==, expected);
}

static void
test_hurry (void)
{
  expect_hurry (run_renewed, NULL, PYRO_WOKEN_BY_HINT);
  expect_hurry (run_and_return, pyro_node_stack_new (GENERATION, EXACT (4)),
                PYRO_WOKEN_BY_HINT);
  /* Whatever the application's own thread is about to do. */
  expect_hurry (run_and_return, pyro_node_stack_new (GENERATION, 0),
                PYRO_WOKEN_BY_TIME);
}

static void
test_adopted (void)
{
  const guint64 base = pyro_label_word (8, PYRO_ATTRIBUTION_INHERITED);
  PyroNodeStack *stack = pyro_node_stack_new (GENERATION, base);
  PyroAnnouncement *item;

  begin ();
  pyro_announcements_take ();
  g_thread_join (g_thread_new ("adopted", run_adopted, stack));
  item = pyro_announcements_take ();
  g_assert_true (item == &stack->announcement);
  g_assert_null (item->next_queued);
  /* The thread is gone: what is not told yet is its owner's. */
  g_assert_cmphex (pyro_announcement_get_label (item), ==, base);
  g_assert_cmpuint (item->ended_ns, >, 0);
  item->release (item);
}

/* doubt */

static void
assert_in_doubt (const PyroNodeStack *stack, guint node, guint64 fallback)
{
  assert_top (stack, node);
  g_assert_true (stack->announcement.fallback.in_doubt);
  g_assert_cmphex (stack->announcement.fallback.label, ==, fallback);
  /* What is certain without a look at the stack. */
  g_assert_cmphex (pyro_node_stack_get_label (stack), ==, fallback);
}

static void
assert_certain (const PyroNodeStack *stack, guint node)
{
  assert_top (stack, node);
  g_assert_cmphex (pyro_node_stack_get_label (stack), ==,
                   node != 0 ? EXACT (node) : 0);
}

static void
test_doubt (void)
{
  PyroNodeStack *stack = begin ();

  stack->announcement.last_label = 0;
  query (stack, 2, 3);
  assert_in_doubt (stack, 2, 0);
  g_assert_cmphex (pyro_announcement_get_label (&stack->announcement), ==, 0);
  pyro_node_stack_pop (stack, OBJECT (2), PYRO_HOOK_QUERY);
  assert_certain (stack, 0);

  push (stack, 1, 1);
  query (stack, 2, 3);
  assert_in_doubt (stack, 2, EXACT (1));
  /* What is called in it. */
  push (stack, 3, 4);
  assert_certain (stack, 3);
  pop (stack, 3);
  assert_in_doubt (stack, 2, EXACT (1));
  /* After it, without its end. */
  push (stack, 4, 2);
  assert_certain (stack, 4);
  pop (stack, 4);
  assert_certain (stack, 1);
  query (stack, 2, 3);
  pop (stack, 1);
  assert_certain (stack, 0);
}

/* Where no such call goes on, none of them does. */
static void
test_doubt_below (void)
{
  PyroNodeStack *stack = begin ();

  push (stack, 1, 1);
  query (stack, 2, 3); /* and no end */
  query (stack, 3, 5);
  assert_in_doubt (stack, 3, EXACT (1));
  query (stack, 4, 7);
  assert_in_doubt (stack, 4, EXACT (1));
  pyro_node_stack_pop (stack, OBJECT (4), PYRO_HOOK_QUERY);
  assert_in_doubt (stack, 3, EXACT (1));
  /* A pad of no element says nothing of them. */
  push (stack, 0, 8);
  assert_in_doubt (stack, 3, EXACT (1));
  push (stack, 5, 9);
  assert_certain (stack, 5);
  pop (stack, 5);
  assert_in_doubt (stack, 3, EXACT (1));
  pop (stack, 1);
  assert_certain (stack, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, func) g_test_add_func ("/node-stack/" name, func)
  ADD ("calls-nest-and-return", test_nesting);
  ADD ("an-element-is-entered-again", test_reentrance);
  ADD ("hooks-of-one-kind-belong-together", test_kinds);
  ADD ("no-element-does-not-hide-its-caller", test_no_element);
  ADD ("a-missing-post-hook-repairs-itself", test_missing_post);
  ADD ("missing-post-hooks-do-not-pile-up", test_missing_post_again_and_again);
  ADD ("a-post-hook-without-its-pre-hook-does-nothing", test_post_without_pre);
  ADD ("another-stacks-frames-do-not-count", test_other_stack);
  ADD ("a-coroutines-stack-may-be-the-next-one", test_next_stack);
  ADD ("depth-is-bounded-and-comes-back", test_overflow);
  ADD ("tasks-begin-and-end", test_tasks);
  ADD ("sessions-begin-with-an-empty-stack", test_sessions);
  ADD ("time-without-a-sample-is-the-only-elements-or-nobodys", test_unsampled);
  ADD ("a-thread-adopts-the-stack-that-its-creator-made", test_adopted);
  ADD ("threads-of-elements-are-looked-at-at-once", test_hurry);
  ADD ("calls-whose-end-may-be-missing-are-in-doubt", test_doubt);
  ADD ("calls-below-that-may-have-ended-are-in-doubt-too", test_doubt_below);
#undef ADD
  return g_test_run ();
}
