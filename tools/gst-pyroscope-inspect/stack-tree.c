/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stack-tree.h"

#include <string.h>

#include "frame-index.h"
#include "label-names.h"
#include "profile/saturated.h"
#include "text.h"

#define MIN_SLOTS 1024 /* a power of two */

typedef struct {
  PyroStackTree *tree;
  GHashTable *names; /* text → number */
  PyroFrameIndex *frames;
  guint *frame_names; /* by the frame's number: the name's */
} Builder;

/* Takes NAME. */
static guint
name_number (Builder *builder, gchar *name)
{
  gpointer number;

  if (*name == '\0') {
    g_free (name);
    name = g_strdup ("(unknown)");
  }
  if (g_hash_table_lookup_extended (builder->names, name, NULL, &number)) {
    g_free (name);
    return GPOINTER_TO_UINT (number);
  }
  number = GUINT_TO_POINTER (builder->tree->names->len);
  g_ptr_array_add (builder->tree->names, name);
  g_hash_table_insert (builder->names, name, number);
  return GPOINTER_TO_UINT (number);
}

static PyroStackNode *
node_at (const PyroStackTree *tree, guint index)
{
  return &g_array_index (tree->nodes, PyroStackNode, index);
}

/* Children are found by their parent and name: slots with the indices of nodes,
 * open addressing, at most half full. A node for each frame of a large capture
 * costs much less that way than in a GHashTable. */
static guint *
find_slot (const PyroStackTree *tree, guint parent, guint name)
{
  guint64 key = (guint64)parent << 32 | name;
  gsize mask = tree->n_slots - 1;
  gsize at = (key * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15) >> 24) & mask;

  for (;; at = (at + 1) & mask) {
    const PyroStackNode *node = node_at (tree, tree->slots[at]);

    if (tree->slots[at] == 0 || (node->parent == parent && node->name == name))
      return &tree->slots[at];
  }
}

static void
grow_slots (PyroStackTree *tree)
{
  tree->n_slots = MAX (tree->n_slots * 2, MIN_SLOTS);
  g_free (tree->slots);
  tree->slots = g_new0 (guint, tree->n_slots);
  for (guint i = 1; i < tree->nodes->len; i++)
    *find_slot (tree, node_at (tree, i)->parent, node_at (tree, i)->name) = i;
}

static guint
child_of (PyroStackTree *tree, guint parent, guint name)
{
  PyroStackNode node = { .name = name, .parent = parent };
  guint *slot;

  if ((gsize)tree->nodes->len * 2 >= tree->n_slots)
    grow_slots (tree);
  slot = find_slot (tree, parent, name);
  if (*slot != 0)
    return *slot;
  *slot = tree->nodes->len;
  node.sibling = node_at (tree, parent)->child;
  node_at (tree, parent)->child = tree->nodes->len;
  g_array_append_val (tree->nodes, node);
  return *slot;
}

/* The index of the node at which it ends. */
static guint
add_sample (Builder *builder, const PyroSample *sample, gint64 value,
            const gchar *const *roots, GArray *stack)
{
  guint at = 0, i;

  for (; roots != NULL && *roots != NULL; roots++) {
    g_autofree gchar *label = pyro_label_value_or_none (sample, *roots);

    at = child_of (builder->tree, at,
                   name_number (builder, pyro_text_printable (label)));
  }
  pyro_frame_index_get_stack (builder->frames, sample, stack);
  for (i = stack->len; i-- > 0;)
    at = child_of (builder->tree, at,
                   builder->frame_names[g_array_index (stack, guint, i)]);
  if (at == 0)
    at = child_of (builder->tree, at,
                   name_number (builder, g_strdup (PYRO_NO_STACK)));
  node_at (builder->tree, at)->ended = TRUE;
  node_at (builder->tree, at)->self
      = pyro_saturated_add (node_at (builder->tree, at)->self, value);
  return at;
}

/* A child has a larger index than its parent. */
static void
sum_up (PyroStackTree *tree)
{
  guint i;

  for (i = tree->nodes->len; i-- > 0;) {
    PyroStackNode *node = node_at (tree, i);

    node->total = pyro_saturated_add (node->total, node->self);
    if (i > 0)
      node_at (tree, node->parent)->total = pyro_saturated_add (
          node_at (tree, node->parent)->total, node->total);
  }
}

static gint
compare_children (gconstpointer a, gconstpointer b, gpointer data)
{
  const PyroStackTree *tree = data;

  return strcmp (pyro_stack_tree_name (tree, *(const guint *)a),
                 pyro_stack_tree_name (tree, *(const guint *)b));
}

static void
sort_children (PyroStackTree *tree)
{
  g_autoptr (GArray) children = g_array_new (FALSE, FALSE, sizeof (guint));
  guint i, k, child;

  for (i = 0; i < tree->nodes->len; i++) {
    g_array_set_size (children, 0);
    for (child = node_at (tree, i)->child; child != 0;
         child = node_at (tree, child)->sibling)
      g_array_append_val (children, child);
    if (children->len < 2)
      continue;
    g_array_sort_with_data (children, compare_children, tree);
    node_at (tree, i)->child = g_array_index (children, guint, 0);
    for (k = 0; k < children->len; k++)
      node_at (tree, g_array_index (children, guint, k))->sibling
          = k + 1 < children->len ? g_array_index (children, guint, k + 1) : 0;
  }
}

PyroStackTree *
pyro_stack_tree_new (const PyroProfile *profile, guint type,
                     const gchar *const *roots, guint *leaves)
{
  PyroStackTree *tree = g_new0 (PyroStackTree, 1);
  Builder builder = { tree };
  g_autoptr (GArray) stack = g_array_new (FALSE, FALSE, sizeof (guint));
  const PyroStackNode root = { 0 };
  gsize i;

  tree->nodes = g_array_new (FALSE, FALSE, sizeof (PyroStackNode));
  tree->names = g_ptr_array_new_with_free_func (g_free);
  g_array_append_val (tree->nodes, root);
  builder.names = g_hash_table_new (g_str_hash, g_str_equal);
  builder.frames = pyro_frame_index_new (profile, PYRO_FRAMES_FUNCTION);
  builder.frame_names = g_new (guint, builder.frames->names->len);
  for (i = 0; i < builder.frames->names->len; i++)
    builder.frame_names[i] = name_number (
        &builder, pyro_text_printable (builder.frames->names->pdata[i]));
  for (i = 0; i < profile->n_samples; i++) {
    guint leaf = add_sample (&builder, &profile->samples[i],
                             profile->samples[i].values[type], roots, stack);

    if (leaves != NULL)
      leaves[i] = leaf;
  }
  g_hash_table_unref (builder.names);
  pyro_frame_index_free (builder.frames);
  g_free (builder.frame_names);
  g_clear_pointer (&tree->slots, g_free);
  sum_up (tree);
  sort_children (tree);
  return tree;
}

void
pyro_stack_tree_free (PyroStackTree *tree)
{
  if (tree == NULL)
    return;
  g_array_unref (tree->nodes);
  g_ptr_array_unref (tree->names);
  g_free (tree);
}

const PyroStackNode *
pyro_stack_tree_get (const PyroStackTree *tree, guint index)
{
  return node_at (tree, index);
}

const gchar *
pyro_stack_tree_name (const PyroStackTree *tree, guint index)
{
  return tree->names->pdata[node_at (tree, index)->name];
}

void
pyro_stack_tree_foreach (const PyroStackTree *tree, PyroStackFunc func,
                         gpointer data)
{
  g_autoptr (GArray) path = g_array_new (FALSE, FALSE, sizeof (guint));
  guint at = node_at (tree, 0)->child;

  /* Without recursion: a file says how deep it is. */
  while (at != 0) {
    g_array_append_val (path, at);
    if (node_at (tree, at)->ended)
      func (tree, (const guint *)(gpointer)path->data, path->len, data);
    if (node_at (tree, at)->child != 0) {
      at = node_at (tree, at)->child;
      continue;
    }
    while (
        path->len > 0
        && node_at (tree, g_array_index (path, guint, path->len - 1))->sibling
               == 0)
      g_array_set_size (path, path->len - 1);
    if (path->len == 0)
      break;
    at = node_at (tree, g_array_index (path, guint, path->len - 1))->sibling;
    g_array_set_size (path, path->len - 1);
  }
}
