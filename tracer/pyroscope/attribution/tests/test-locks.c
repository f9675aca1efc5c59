/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * No hook waits for a lock, whoever has it: not for GStreamer's, which the
 * hook's own caller may hold, and not for the registry's. What could not be
 * found out is asked for again, and nothing is remembered wrongly. A hook that
 * waits hangs: the alarm ends the test.
 */

#include <unistd.h>

#include "attribution/libraries.h"
#include "attribution/live-elements.h"
#include "attribution/node-stack.h"
#include "attribution/nodes.h"
#include "attribution/pools.h"
#include "attribution/workers.h"
#include "witness.h"

#define PATIENCE_S 20

/* A chain of two elements in a bin in a pipeline, and all that can be locked of
 * it. */
typedef struct {
  GstElement *pipeline, *bin, *first, *second;
  GstPad *src, *sink, *ghost;
} Chain;

static void
chain_make (Chain *chain)
{
  g_autoptr (GstPad) target = NULL;

  chain->pipeline = gst_object_ref_sink (gst_pipeline_new ("p"));
  chain->bin = gst_bin_new ("b");
  chain->first = gst_element_factory_make ("identity", "first");
  chain->second = gst_element_factory_make ("identity", "second");
  chain->src = gst_element_get_static_pad (chain->first, "src");
  chain->sink = gst_element_get_static_pad (chain->second, "sink");
  target = gst_element_get_static_pad (chain->first, "sink");
  chain->ghost = gst_ghost_pad_new ("ghost", target);
  gst_bin_add (GST_BIN (chain->pipeline), chain->bin);
  gst_bin_add_many (GST_BIN (chain->bin), chain->first, chain->second, NULL);
  gst_element_add_pad (chain->bin, chain->ghost);
  gst_pad_link (chain->src, chain->sink);
}

static void
chain_clear (Chain *chain)
{
  gst_object_unref (chain->src);
  gst_object_unref (chain->sink);
  gst_object_unref (chain->pipeline);
}

static void
chain_lock (Chain *chain)
{
  GST_OBJECT_LOCK (chain->pipeline);
  GST_OBJECT_LOCK (chain->bin);
  GST_OBJECT_LOCK (chain->first);
  GST_OBJECT_LOCK (chain->second);
  GST_OBJECT_LOCK (chain->src);
  GST_OBJECT_LOCK (chain->sink);
  GST_OBJECT_LOCK (chain->ghost);
}

static void
chain_unlock (Chain *chain)
{
  GST_OBJECT_UNLOCK (chain->ghost);
  GST_OBJECT_UNLOCK (chain->sink);
  GST_OBJECT_UNLOCK (chain->src);
  GST_OBJECT_UNLOCK (chain->second);
  GST_OBJECT_UNLOCK (chain->first);
  GST_OBJECT_UNLOCK (chain->bin);
  GST_OBJECT_UNLOCK (chain->pipeline);
}

static const gchar *
path_of (guint64 label)
{
  return pyro_path_of_node (pyro_label_word_node (label));
}

/* Everything that hooks report and ask of CHAIN. */
static void
call_all (Chain *chain)
{
  PyroPadLabels labels;

  pyro_nodes_element_removed (chain->bin, chain->second);
  pyro_nodes_element_added (chain->bin, chain->second);
  pyro_nodes_pad_removed (chain->second, chain->sink);
  pyro_nodes_pad_added (chain->second, chain->sink);
  pyro_nodes_links_changed (chain->src, chain->sink);
  pyro_nodes_object_freed (GST_OBJECT (chain->ghost));
  pyro_nodes_pad_added (chain->bin, chain->ghost);
  pyro_nodes_use_element (chain->second);
  pyro_nodes_element_rests (chain->second);
  pyro_nodes_resolve_element (chain->pipeline);
  pyro_nodes_resolve_element (chain->first);
  pyro_nodes_resolve_pad (chain->src, &labels);
  pyro_nodes_resolve_pad (chain->ghost, &labels);
}

static void
assert_right (Chain *chain)
{
  PyroPadLabels labels;

  g_assert_cmpuint (pyro_nodes_resolve_pad (chain->src, &labels), !=, 0);
  g_assert_cmpstr (path_of (labels.own), ==, "p/b/first");
  g_assert_cmpstr (path_of (labels.other_side), ==, "p/b/second");
  g_assert_cmpuint (pyro_nodes_resolve_pad (chain->sink, &labels), !=, 0);
  g_assert_cmpstr (path_of (labels.own), ==, "p/b/second");
  g_assert_cmpstr (path_of (labels.other_side), ==, "p/b/first");
  g_assert_cmpstr (path_of (pyro_nodes_resolve_element (chain->second)), ==,
                   "p/b/second");
}

static void
test_objects_are_locked (void)
{
  Chain chain;

  chain_make (&chain);
  alarm (PATIENCE_S);
  chain_lock (&chain);
  call_all (&chain);
  /* Its names were learnt before. */
  assert_right (&chain);
  chain_unlock (&chain);
  assert_right (&chain);
  alarm (0);
  chain_clear (&chain);
}

/* Objects whose names nobody could read yet. */
static void
test_names_are_learnt_later (void)
{
  GstElement *pipeline = gst_object_ref_sink (gst_pipeline_new ("late"));
  GstElement *element = gst_element_factory_make ("identity", "e");
  g_autoptr (GstPad) pad = gst_element_get_static_pad (element, "sink");
  PyroPadLabels labels;

  alarm (PATIENCE_S);
  GST_OBJECT_LOCK (pipeline);
  g_assert_cmphex (pyro_nodes_resolve_element (pipeline), ==, 0);
  GST_OBJECT_UNLOCK (pipeline);
  gst_bin_add (GST_BIN (pipeline), element);
  /* As if it had been added and named only now. */
  pyro_nodes_object_freed (GST_OBJECT (element));
  pyro_nodes_object_freed (GST_OBJECT (pipeline));
  GST_OBJECT_LOCK (pipeline);
  GST_OBJECT_LOCK (element);
  pyro_nodes_element_added (pipeline, element);
  g_assert_cmphex (pyro_nodes_resolve_element (element), ==, 0);
  g_assert_cmpuint (pyro_nodes_resolve_pad (pad, &labels), ==, 0);
  g_assert_cmphex (labels.own, ==, 0);
  GST_OBJECT_UNLOCK (element);
  /* Without the name of what is around it, its place is not known. */
  g_assert_cmphex (pyro_nodes_resolve_element (element), ==, 0);
  GST_OBJECT_UNLOCK (pipeline);
  pyro_nodes_resolve_element (pipeline);
  g_assert_cmpuint (pyro_nodes_resolve_pad (pad, &labels), !=, 0);
  g_assert_cmpstr (path_of (labels.own), ==, "late/e");
  g_assert_cmpstr (path_of (pyro_nodes_resolve_element (element)), ==,
                   "late/e");
  alarm (0);
  gst_object_unref (pipeline);
}

static guint n_queries;

static gboolean
answer (GstPad *pad, GstObject *parent, GstQuery *query)
{
  pyro_assert_executing ("used/e");
  n_queries++;
  return TRUE;
}

/* As mpegtsmux, flvdemux and others do; and, in GStreamer 1.26.0 to 1.26.3,
 * GStreamer itself. */
static void
test_pads_are_used_by_who_has_the_lock (void)
{
  GstElement *pipeline = gst_object_ref_sink (gst_pipeline_new ("used"));
  GstElement *element = gst_element_factory_make ("identity", "e");
  GstPad *pad = gst_pad_new ("extra", GST_PAD_SINK);
  g_autoptr (GstQuery) query = gst_query_new_custom (
      GST_QUERY_CUSTOM, gst_structure_new_empty ("test"));

  gst_pad_set_query_function (pad, answer);
  gst_pad_set_active (pad, TRUE);
  gst_element_add_pad (element, pad);
  gst_bin_add (GST_BIN (pipeline), element);
  alarm (PATIENCE_S);
  for (guint i = 0; i < 3; i++) {
    GST_OBJECT_LOCK (element);
    gst_pad_query (pad, query);
    GST_OBJECT_LOCK (pipeline);
    gst_pad_query (pad, query);
    GST_OBJECT_UNLOCK (pipeline);
    GST_OBJECT_UNLOCK (element);
    /* Its pads are not known any more. */
    pyro_nodes_element_removed (pipeline, element);
    pyro_nodes_element_added (pipeline, element);
  }
  alarm (0);
  g_assert_cmpuint (n_queries, ==, 6);
  pyro_assert_executing (NULL);
  gst_object_unref (pipeline);
}

static gboolean
find_element (const PyroLiveElement *element, gpointer data)
{
  gconstpointer *wanted = data;

  if (element->element == *wanted)
    *wanted = NULL;
  return TRUE;
}

static gboolean
is_live (gconstpointer element)
{
  pyro_live_elements_foreach (find_element, &element);
  return element == NULL;
}

/* Whoever has the registry's lock sleeps. */
static void
test_registry_is_locked (void)
{
  Chain chain;
  PyroPadLabels before, during, moved;
  guint64 element;
  GstElement *pipeline;
  guint epoch;

  chain_make (&chain);
  assert_right (&chain);
  pipeline = gst_object_ref_sink (gst_pipeline_new ("next"));
  epoch = pyro_nodes_resolve_pad (chain.src, &before);

  alarm (PATIENCE_S);
  pyro_nodes_fork_prepare ();
  call_all (&chain);
  pyro_nodes_use_element (chain.second);
  /* A question, not a guess; and what was known may be wrong. */
  g_assert_cmpuint (pyro_nodes_resolve_pad (chain.src, &during), ==, 0);
  g_assert_cmphex (during.own & PYRO_LABEL_QUESTION, !=, 0);
  g_assert_cmpuint (pyro_label_word_node (during.own), ==, 0);
  g_assert_cmphex (pyro_nodes_try_settle (during.own), ==, 0);
  g_assert_cmpuint (pyro_pad_epoch (chain.src), !=, epoch);
  element = pyro_nodes_resolve_element (chain.first);
  /* In the order in which it came. */
  gst_object_ref (chain.bin);
  gst_bin_remove (GST_BIN (chain.pipeline), chain.bin);
  gst_bin_add (GST_BIN (pipeline), chain.bin);
  gst_object_unref (chain.bin);
  pyro_nodes_resolve_pad (chain.src, &moved);
  pyro_nodes_fork_done (FALSE);
  alarm (0);

  g_assert_cmpstr (path_of (pyro_nodes_settle (during.own)), ==, "p/b/first");
  g_assert_cmpstr (path_of (pyro_nodes_settle (during.other_side)), ==,
                   "p/b/second");
  g_assert_cmpstr (path_of (pyro_nodes_settle (element)), ==, "p/b/first");
  g_assert_cmpstr (path_of (pyro_nodes_settle (moved.own)), ==, "next/b/first");
  g_assert_cmpstr (path_of (pyro_nodes_settle (moved.other_side)), ==,
                   "next/b/second");
  g_assert_cmphex (pyro_nodes_settle (before.own), ==, before.own);
  g_assert_cmphex (pyro_nodes_settle (0), ==, 0);
  g_assert_true (is_live (chain.second));
  pyro_nodes_element_rests (chain.second);
  g_assert_false (is_live (chain.second));
  gst_object_unref (pipeline);
  chain_clear (&chain);
}

/* Names that do not fit where they usually do. */
static void
test_long_names (void)
{
  g_autofree gchar *name = g_strnfill (5000, 'n');
  g_autofree gchar *path = g_strconcat ("long/", name, NULL);
  GstElement *pipeline = gst_object_ref_sink (gst_pipeline_new ("long"));
  GstElement *element = gst_element_factory_make ("identity", name);

  gst_bin_add (GST_BIN (pipeline), element);
  g_assert_cmpstr (path_of (pyro_nodes_resolve_element (element)), ==, path);
  pyro_nodes_fork_prepare ();
  pyro_nodes_element_removed (pipeline, element);
  pyro_nodes_element_added (pipeline, element);
  pyro_nodes_fork_done (FALSE);
  g_assert_cmpstr (path_of (pyro_nodes_resolve_element (element)), ==, path);
  gst_object_unref (pipeline);
}

/* What is asked while nobody answers is bounded. */
static void
test_too_many_questions (void)
{
  GstElement *element
      = gst_object_ref_sink (gst_element_factory_make ("identity", "asked"));
  guint64 label = 0;
  guint n = 0;

  pyro_nodes_resolve_element (element);
  pyro_nodes_fork_prepare ();
  do
    label = pyro_nodes_resolve_element (element);
  while (label != 0 && n++ < 1000000);
  g_assert_cmpuint (n, >, 1000);
  g_assert_cmpuint (n, <, 1000000);
  pyro_nodes_fork_done (FALSE);
  g_assert_cmpstr (path_of (pyro_nodes_resolve_element (element)), ==, "asked");
  gst_object_unref (element);
}

/* The registry is locked while ELEMENT pushes a task, but not any more when the
 * task begins. */
static gint gate;

static void
note_label (gpointer data, gpointer user_data)
{
  guint64 *seen = data;

  if (seen == user_data)
    while (!g_atomic_int_get (&gate))
      g_usleep (100);
  else
    *seen = pyro_own_node_stack != NULL ? pyro_own_node_stack->label : 0;
}

static guint64
push_while_locked (GstElement *element)
{
  PyroNodeStack *stack = pyro_node_stack_renew (1);
  guint64 first = 0, seen = 0;
  GThreadPool *pool;

  g_atomic_int_set (&gate, FALSE);
  pool = pyro_pools_new (note_label, &first, 1, TRUE, NULL);
  pyro_pools_push (pool, &first, NULL);
  pyro_nodes_fork_prepare ();
  pyro_node_stack_push (stack, element, pyro_nodes_resolve_element (element),
                        PYRO_HOOK_STATE, 1);
  pyro_pools_push (pool, &seen, NULL);
  pyro_node_stack_pop (stack, element, PYRO_HOOK_STATE);
  pyro_nodes_fork_done (FALSE);
  g_atomic_int_set (&gate, TRUE);
  pyro_pools_free (pool, FALSE, TRUE);
  return seen;
}

static void
test_tasks_pushed_meanwhile (void)
{
  GstElement *element
      = gst_object_ref_sink (gst_element_factory_make ("identity", "pushes"));
  guint64 own = pyro_nodes_resolve_element (element);

  alarm (PATIENCE_S);
  pyro_workers_set_generation (1);
  g_assert_cmphex (push_while_locked (element), ==, own);
  /* It is known now that the program's function is not identity's. */
  pyro_libraries_refresh (FALSE);
  g_assert_cmphex (push_while_locked (element), ==, 0);
  pyro_workers_set_generation (0);
  alarm (0);
  gst_object_unref (element);
}

/* An allocator may have locks of its own, and whoever has those may wait for
 * the object's. */
static GstObject *watched;
static guint n_watched;

static void
watch (void)
{
  if (watched == NULL)
    return;
  n_watched++;
  g_assert_true (g_mutex_trylock (GST_OBJECT_GET_LOCK (watched)));
  GST_OBJECT_UNLOCK (watched);
}

/* The linker would rename what GLib's own libraries refer to as well. */
#define WRAPPER __attribute__ ((visibility ("default")))

gchar *__real_g_strdup (const gchar *string);
WRAPPER gchar *__wrap_g_strdup (const gchar *string);
gpointer __real_g_malloc (gsize size);
WRAPPER gpointer __wrap_g_malloc (gsize size);

gchar *
__wrap_g_strdup (const gchar *string)
{
  watch ();
  return __real_g_strdup (string);
}

gpointer
__wrap_g_malloc (gsize size)
{
  watch ();
  return __real_g_malloc (size);
}

static void
test_allocator (void)
{
  g_autofree gchar *name = g_strnfill (1000, 'n');
  GstElement *element
      = gst_object_ref_sink (gst_element_factory_make ("identity", name));

  watched = GST_OBJECT (element);
  pyro_nodes_resolve_element (element);
  watched = NULL;
  g_assert_cmpuint (n_watched, >, 0);
  g_assert_cmpstr (path_of (pyro_nodes_resolve_element (element)), ==, name);
  gst_object_unref (element);
}

int
main (int argc, char **argv)
{
  gst_init (&argc, &argv);
  g_test_init (&argc, &argv, NULL);
  pyro_witness_start_hooks ();
#define ADD(name, func) g_test_add_func ("/locks/" name, func)
  ADD ("hooks-do-not-wait-for-objects", test_objects_are_locked);
  ADD ("names-that-could-not-be-read-are-learnt-later",
       test_names_are_learnt_later);
  ADD ("pads-are-used-by-elements-that-hold-their-lock",
       test_pads_are_used_by_who_has_the_lock);
  ADD ("hooks-do-not-wait-for-the-registry", test_registry_is_locked);
  ADD ("long-names-are-kept-whole", test_long_names);
  ADD ("nothing-is-allocated-with-an-objects-lock", test_allocator);
  ADD ("questions-are-bounded", test_too_many_questions);
  ADD ("tasks-pushed-meanwhile", test_tasks_pushed_meanwhile);
#undef ADD
  return g_test_run ();
}
