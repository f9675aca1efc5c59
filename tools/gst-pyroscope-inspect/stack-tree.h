/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: a sample type's stacks as one tree of names, from the roots on.
 * Owner: the tree owns its names.
 * Threads: read-only once it is made.
 */
#pragma once

#include "profile/profile.h"

G_BEGIN_DECLS

typedef struct {
  guint name;     /* number in the tree's names */
  guint parent;   /* index; the root of all, 0, is its own */
  guint child;    /* the first one, 0: none; in the order of their names */
  guint sibling;  /* the next one, 0: none */
  gboolean ended; /* a sample's stack ended here, even if SELF is 0 */
  gint64 self;
  gint64 total;
} PyroStackNode;

typedef struct {
  GArray *nodes;    /* PyroStackNode; 0 is the root, which has no name */
  GPtrArray *names; /* gchar *, printable (see text.h) */

  /*< private >*/
  guint *slots;
  gsize n_slots;
} PyroStackTree;

/* ROOTS: keys of labels (NULL-terminated, or NULL) whose values go below each
 * stack as if they were its first callers. LEAVES: gets the index of the node
 * at which each sample's stack ends, or NULL. */
PyroStackTree *pyro_stack_tree_new (const PyroProfile *profile, guint type,
                                    const gchar *const *roots, guint *leaves);
void pyro_stack_tree_free (PyroStackTree *tree);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PyroStackTree, pyro_stack_tree_free)

const PyroStackNode *
pyro_stack_tree_get (const PyroStackTree *tree, guint index);
const gchar *pyro_stack_tree_name (const PyroStackTree *tree, guint index);

/* Calls FUNC for each node at which stacks end, in order, with the indices of
 * the nodes from the root (without 0) to it. */
typedef void (*PyroStackFunc) (const PyroStackTree *tree, const guint *path,
                               guint depth, gpointer data);
void pyro_stack_tree_foreach (const PyroStackTree *tree, PyroStackFunc func,
                              gpointer data);

G_END_DECLS
