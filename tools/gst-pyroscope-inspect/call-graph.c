/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "call-graph.h"

#include <string.h>

#include "frame-index.h"
#include "profile/saturated.h"

static void
node_free (gpointer data)
{
  PyroCallNode *node = data;

  g_ptr_array_unref (node->callers);
  g_ptr_array_unref (node->callees);
  g_free (node);
}

static PyroCallNode *
new_node (const gchar *name)
{
  PyroCallNode *node = g_new0 (PyroCallNode, 1);

  node->name = name;
  node->callers = g_ptr_array_new ();
  node->callees = g_ptr_array_new ();
  return node;
}

/* g_int64_hash() folds the two numbers onto each other: in a large capture
 * thousands of edges would have one hash. */
static guint
edge_hash (gconstpointer key)
{
  guint64 numbers = *(const guint64 *)key;

  return (guint)(numbers * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15) >> 32);
}

/* Caller's number, callee's number → edge. */
static PyroCallEdge *
get_edge (PyroCallGraph *graph, GHashTable *index, guint caller, guint callee)
{
  gint64 key = (gint64)((guint64)caller << 32 | callee);
  PyroCallEdge *edge = g_hash_table_lookup (index, &key);

  if (edge != NULL)
    return edge;
  edge = g_new0 (PyroCallEdge, 1);
  edge->caller = graph->nodes->pdata[caller];
  edge->callee = graph->nodes->pdata[callee];
  g_ptr_array_add (graph->edges, edge);
  g_ptr_array_add (edge->caller->callees, edge);
  g_ptr_array_add (edge->callee->callers, edge);
  g_hash_table_insert (index, g_memdup2 (&key, sizeof key), edge);
  return edge;
}

static void
add_node_value (PyroCallNode *node, gint64 value, gsize number)
{
  if (node->seen == number)
    return;
  node->seen = number;
  node->cum = pyro_saturated_add (node->cum, value);
}

static void
add_stack (PyroCallGraph *graph, GHashTable *index, const GArray *stack,
           gint64 value, gsize number)
{
  PyroCallNode *node = NULL;
  guint i, caller = 0;

  for (i = stack->len; i-- > 0;) {
    guint callee = g_array_index (stack, guint, i);

    node = graph->nodes->pdata[callee];
    add_node_value (node, value, number);
    if (i + 1 < stack->len && caller != callee) {
      PyroCallEdge *edge = get_edge (graph, index, caller, callee);

      if (edge->seen != number) {
        edge->seen = number;
        edge->value = pyro_saturated_add (edge->value, value);
      }
    }
    caller = callee;
  }
  node->flat = pyro_saturated_add (node->flat, value);
}

static gint
compare_values (gint64 a, gint64 b)
{
  return (a < b) - (a > b);
}

static gint
compare_edges (gconstpointer a, gconstpointer b)
{
  const PyroCallEdge *x = *(const PyroCallEdge *const *)a;
  const PyroCallEdge *y = *(const PyroCallEdge *const *)b;
  gint by_value = compare_values (x->value, y->value);
  gint by_caller = strcmp (x->caller->name, y->caller->name);

  if (by_value != 0)
    return by_value;
  return by_caller != 0 ? by_caller : strcmp (x->callee->name, y->callee->name);
}

static gint
compare_nodes (gconstpointer a, gconstpointer b, gpointer data)
{
  const PyroCallNode *x = *(const PyroCallNode *const *)a;
  const PyroCallNode *y = *(const PyroCallNode *const *)b;
  PyroTableSort sort = GPOINTER_TO_INT (data);
  gint flat = compare_values (x->flat, y->flat);
  gint cum = compare_values (x->cum, y->cum);
  gint first = sort == PYRO_SORT_CUM ? cum : flat;
  gint second = sort == PYRO_SORT_CUM ? flat : cum;

  if (sort == PYRO_SORT_NAME || (first == 0 && second == 0))
    return strcmp (x->name, y->name);
  return first != 0 ? first : second;
}

/* What no sample is in is not there. (Differences have negative values, so that
 * what samples are in may add up to nothing; edges lead to it.) */
static void
remove_empty (PyroCallGraph *graph)
{
  for (guint i = graph->nodes->len; i-- > 0;) {
    const PyroCallNode *node = graph->nodes->pdata[i];

    if (node->seen == 0)
      g_ptr_array_remove_index_fast (graph->nodes, i);
  }
}

PyroCallGraph *
pyro_call_graph_new (const PyroProfile *profile, guint type, PyroTableSort sort)
{
  PyroCallGraph *graph = g_new0 (PyroCallGraph, 1);
  PyroFrameIndex *frames = pyro_frame_index_new (profile, PYRO_FRAMES_FUNCTION);
  g_autoptr (GHashTable) index
      = g_hash_table_new_full (edge_hash, g_int64_equal, g_free, NULL);
  g_autoptr (GArray) stack = g_array_new (FALSE, FALSE, sizeof (guint));
  guint no_stack = frames->names->len, k;
  gsize i;

  g_ptr_array_add (frames->names, g_strdup (PYRO_NO_STACK));
  graph->names = g_ptr_array_ref (frames->names);
  graph->nodes = g_ptr_array_new_with_free_func (node_free);
  graph->edges = g_ptr_array_new_with_free_func (g_free);
  for (k = 0; k < graph->names->len; k++)
    g_ptr_array_add (graph->nodes, new_node (graph->names->pdata[k]));
  for (i = 0; i < profile->n_samples; i++) {
    gint64 value = profile->samples[i].values[type];

    pyro_frame_index_get_stack (frames, &profile->samples[i], stack);
    if (stack->len == 0)
      g_array_append_val (stack, no_stack);
    if (value != 0)
      add_stack (graph, index, stack, value, i + 1);
  }
  pyro_frame_index_free (frames);
  remove_empty (graph);
  g_ptr_array_sort_with_data (graph->nodes, compare_nodes,
                              GINT_TO_POINTER (sort));
  for (k = 0; k < graph->nodes->len; k++) {
    PyroCallNode *node = graph->nodes->pdata[k];

    g_ptr_array_sort (node->callers, compare_edges);
    g_ptr_array_sort (node->callees, compare_edges);
  }
  return graph;
}

void
pyro_call_graph_free (PyroCallGraph *graph)
{
  if (graph == NULL)
    return;
  g_ptr_array_unref (graph->nodes);
  g_ptr_array_unref (graph->edges);
  g_ptr_array_unref (graph->names);
  g_free (graph);
}
