/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What one thread has another one's main context run has the label word of
 * whoever asked for it; a thread that works for a second element is shared. */

#include "attribution/invocations.h"
#include "attribution/node-stack.h"
#include "attribution/nodes.h"
#include "attribution/owners.h"
#include "attribution/workers.h"
#include "witness.h"

#define GENERATION 3
#define EXACT(node) pyro_label_word (node, PYRO_ATTRIBUTION_EXACT)
#define INHERITED(node) pyro_label_word (node, PYRO_ATTRIBUTION_INHERITED)

static GstElement *elements[2];
static guint32 nodes[2];

/* A thread that runs a main context, made by an element. */
typedef struct {
  GMainContext *context;
  GMainLoop *loop;
  GThread *thread;
  guint64 base;
} Loop;

typedef struct {
  GMutex lock;
  GCond cond;
  guint wanted, runs;
  guint64 label; /* of the last run */
  gboolean destroyed;
} Work;

static gpointer
run_loop (gpointer data)
{
  Loop *loop = data;

  if (loop->base != 0) {
    pyro_node_stack_renew (GENERATION);
    pyro_node_stack_rebase (pyro_own_node_stack, loop->base);
  }
  g_main_context_push_thread_default (loop->context);
  g_main_loop_run (loop->loop);
  g_main_context_pop_thread_default (loop->context);
  return NULL;
}

static void
loop_start (Loop *loop, guint64 base)
{
  loop->context = g_main_context_new ();
  loop->loop = g_main_loop_new (loop->context, FALSE);
  loop->base = base;
  loop->thread = g_thread_new ("loop", run_loop, loop);
  while (!g_main_loop_is_running (loop->loop))
    g_usleep (1000);
}

static void
loop_stop (Loop *loop)
{
  g_main_loop_quit (loop->loop);
  g_thread_join (loop->thread);
  g_main_loop_unref (loop->loop);
  g_main_context_unref (loop->context);
}

static gboolean
work (gpointer data)
{
  Work *self = data;
  gboolean again;

  g_mutex_lock (&self->lock);
  self->label = pyro_own_node_stack != NULL ? pyro_own_node_stack->label : 0;
  again = ++self->runs < self->wanted;
  g_cond_broadcast (&self->cond);
  g_mutex_unlock (&self->lock);
  return again;
}

static void
destroyed (gpointer data)
{
  Work *self = data;

  g_mutex_lock (&self->lock);
  self->destroyed = TRUE;
  g_cond_broadcast (&self->cond);
  g_mutex_unlock (&self->lock);
}

/* The label word with which LOOP runs what the element of LABEL asks for. */
static guint64
ask (Loop *loop, guint64 label, guint times)
{
  Work self = { .wanted = times };

  pyro_node_stack_rebase (pyro_own_node_stack, label);
  pyro_invocations_invoke_full (loop->context, G_PRIORITY_HIGH, work, &self,
                                destroyed);
  pyro_node_stack_rebase (pyro_own_node_stack, 0);
  g_mutex_lock (&self.lock);
  while (!self.destroyed)
    g_cond_wait (&self.cond, &self.lock);
  g_mutex_unlock (&self.lock);
  g_assert_cmpuint (self.runs, ==, times);
  return self.label;
}

/* What LOOP's thread is said to execute between two pieces of work. */
static guint64
ask_for_base (Loop *loop)
{
  Work self = { .wanted = 1 };

  g_main_context_invoke_full (loop->context, G_PRIORITY_DEFAULT, work, &self,
                              destroyed);
  g_mutex_lock (&self.lock);
  while (!self.destroyed)
    g_cond_wait (&self.cond, &self.lock);
  g_mutex_unlock (&self.lock);
  return self.label;
}

static void
begin (guint generation)
{
  pyro_workers_set_generation (generation);
  pyro_node_stack_renew (GENERATION);
  pyro_node_stack_rebase (pyro_own_node_stack, 0);
}

static void
test_whoever_asked (void)
{
  Loop loop;

  begin (GENERATION);
  loop_start (&loop, 0);
  g_assert_cmphex (ask (&loop, EXACT (nodes[0]), 1), ==, EXACT (nodes[0]));
  g_assert_cmphex (ask (&loop, EXACT (nodes[1]), 3), ==, EXACT (nodes[1]));
  /* The application's. */
  g_assert_cmphex (ask (&loop, 0, 1), ==, 0);
  g_assert_cmphex (ask_for_base (&loop), ==, 0);
  loop_stop (&loop);
}

static void
test_second_element (void)
{
  Loop loop;

  begin (GENERATION);
  loop_start (&loop, INHERITED (nodes[0]));
  g_assert_cmphex (ask (&loop, EXACT (nodes[0]), 1), ==, EXACT (nodes[0]));
  g_assert_cmphex (ask_for_base (&loop), ==, INHERITED (nodes[0]));
  g_assert_cmphex (ask (&loop, EXACT (nodes[1]), 1), ==, EXACT (nodes[1]));
  g_assert_cmphex (ask_for_base (&loop), ==, PYRO_LABEL_SHARED);
  g_assert_cmphex (ask (&loop, EXACT (nodes[0]), 1), ==, EXACT (nodes[0]));
  g_assert_cmphex (ask_for_base (&loop), ==, PYRO_LABEL_SHARED);
  loop_stop (&loop);
}

static void
test_without_a_session (void)
{
  Loop loop;

  begin (0);
  loop_start (&loop, 0);
  g_assert_cmphex (ask (&loop, EXACT (nodes[0]), 2), ==, 0);
  loop_stop (&loop);
}

/* Called at once where the context is the caller's. */
static void
test_own_context (void)
{
  Work self = { .wanted = 1 };
  GMainContext *context = g_main_context_new ();

  begin (GENERATION);
  g_main_context_push_thread_default (context);
  pyro_node_stack_rebase (pyro_own_node_stack, EXACT (nodes[0]));
  pyro_invocations_invoke (context, work, &self);
  g_assert_cmpuint (self.runs, ==, 1);
  g_assert_cmphex (self.label, ==, EXACT (nodes[0]));
  g_assert_cmphex (pyro_own_node_stack->base, ==, EXACT (nodes[0]));
  g_main_context_pop_thread_default (context);
  g_main_context_unref (context);
}

/* A thread that an element made, and that pushes data for another one. */
static void
test_acts_for_a_second (void)
{
  begin (GENERATION);
  pyro_node_stack_rebase (pyro_own_node_stack, INHERITED (nodes[0]));
  g_assert_true (pyro_node_stack_is_one_elements (pyro_own_node_stack));
  pyro_node_stack_acts (pyro_own_node_stack, EXACT (nodes[0]));
  g_assert_cmphex (pyro_own_node_stack->label, ==, INHERITED (nodes[0]));
  pyro_node_stack_acts (pyro_own_node_stack, EXACT (nodes[1]));
  g_assert_cmphex (pyro_own_node_stack->label, ==, PYRO_LABEL_SHARED);
  g_assert_false (pyro_node_stack_is_one_elements (pyro_own_node_stack));
  pyro_node_stack_rebase (pyro_own_node_stack, 0);
}

/* A bin's thread works for what is in it. */
static void
test_bins_and_children (void)
{
  GstElement *bin = gst_bin_new ("around");
  GstElement *child = gst_element_factory_make ("identity", "inside");
  guint64 bins, childs;

  gst_bin_add (GST_BIN (bin), child);
  bins = pyro_nodes_resolve_element (bin);
  childs = pyro_nodes_resolve_element (child);
  g_assert_cmphex (childs, !=, 0);
  g_assert_false (pyro_nodes_are_apart (pyro_label_word_node (bins),
                                        pyro_label_word_node (childs)));
  g_assert_false (pyro_nodes_are_apart (pyro_label_word_node (childs),
                                        pyro_label_word_node (bins)));
  g_assert_true (
      pyro_nodes_are_apart (nodes[0], pyro_label_word_node (childs)));
  g_assert_false (pyro_nodes_are_apart (nodes[0], 0));
  gst_object_unref (bin);
}

int
main (int argc, char **argv)
{
  gst_init (&argc, &argv);
  g_test_init (&argc, &argv, NULL);
  pyro_witness_start_hooks ();
  for (guint i = 0; i < G_N_ELEMENTS (elements); i++) {
    elements[i] = pyro_witness_new (PYRO_WITNESS_FILTER, i ? "two" : "one");
    nodes[i] = pyro_label_word_node (pyro_nodes_resolve_element (elements[i]));
    g_assert_cmpuint (nodes[i], !=, 0);
  }
  g_test_add_func ("/invocations/work-is-whose-asked-for-it",
                   test_whoever_asked);
  g_test_add_func ("/invocations/a-thread-with-a-second-element-is-shared",
                   test_second_element);
  g_test_add_func ("/invocations/without-a-session-calls-are-passed-through",
                   test_without_a_session);
  g_test_add_func ("/invocations/a-context-of-ones-own-runs-it-at-once",
                   test_own_context);
  g_test_add_func ("/shared/whoever-acts-for-a-second-element-is-shared",
                   test_acts_for_a_second);
  g_test_add_func ("/shared/a-bin-and-its-child-are-not-apart",
                   test_bins_and_children);
  return g_test_run ();
}
