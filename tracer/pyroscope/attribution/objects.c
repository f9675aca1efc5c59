/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "objects.h"

#include <string.h>

#include "libraries.h"
#include "live-elements.h"
#include "node-table.h"

/* A chain of ghost pads longer than this is a loop. */
#define MAX_GHOSTS 32
/* Bins in bins. */
#define MAX_DEPTH 64

struct _PyroObject {
  gconstpointer address;
  PyroObjectKind kind;
  PyroObject *parent, *children; /* children: pads, and what is in a bin */
  PyroObject *previous, *next;   /* of one parent */
  gconstpointer left;            /* may still be shown as the parent */
  guint64 changed;               /* value of objects.changes */
  PyroObject *peer;              /* of a pad */
  /* Of an element. */
  gchar *name;
  gchar *factory;
  const gchar *library;
  guint32 node; /* used in the table of nodes; 0: to be found */
  gboolean in_use;
};

PyroPadEpochs pyro_pad_epochs = { .all = 1 };

static struct {
  GHashTable *by_address;
  guint64 changes;
  guint n_in_use;
} objects;

void
pyro_pad_epochs_advance (void)
{
  __atomic_fetch_add (&pyro_pad_epochs.all, 2, __ATOMIC_ACQ_REL);
}

static void
advance_epoch (gconstpointer pad)
{
  guint64 hash = (guintptr)pad * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15);

  __atomic_fetch_add (
      &pyro_pad_epochs.shares[hash >> (64 - PYRO_PAD_EPOCH_BITS)], 2,
      __ATOMIC_ACQ_REL);
}

guint64
pyro_objects_get_changes (void)
{
  return __atomic_load_n (&objects.changes, __ATOMIC_ACQUIRE);
}

static void
note_change (PyroObject *object)
{
  object->changed = __atomic_add_fetch (&objects.changes, 1, __ATOMIC_ACQ_REL);
}

static gboolean
is_element (const PyroObject *object)
{
  return object->kind == PYRO_OBJECT_ELEMENT || object->kind == PYRO_OBJECT_BIN;
}

/* ghost pads */

/* A ghost pad and the proxy pad behind it, whose parent it is, are two sides of
 * one. */
static PyroObject *
get_other_proxy (const PyroObject *pad)
{
  if (pad->parent != NULL && pad->parent->kind == PYRO_OBJECT_PAD)
    return pad->parent;
  for (PyroObject *child = pad->children; child != NULL; child = child->next)
    if (child->kind == PYRO_OBJECT_PAD)
      return child;
  return NULL;
}

PyroObject *
pyro_objects_get_own (PyroObject *pad)
{
  PyroObject *object = pad->parent;

  for (guint i = 0;
       i < MAX_GHOSTS && object != NULL && object->kind == PYRO_OBJECT_PAD; i++)
    object = object->parent;
  return object != NULL && is_element (object) ? object : NULL;
}

PyroObject *
pyro_objects_get_other_side (PyroObject *pad)
{
  PyroObject *peer = pad->peer, *element = NULL;

  for (guint i = 0; i < MAX_GHOSTS && peer != NULL; i++) {
    PyroObject *proxy = get_other_proxy (peer);

    if (proxy == NULL || proxy->peer == NULL)
      break;
    peer = proxy->peer;
  }
  if (peer != NULL)
    element = pyro_objects_get_own (peer);
  return element != NULL ? element : pyro_objects_get_own (pad);
}

/* what a change makes stale */

/* The pads whose other side is seen through PAD. */
static void
advance_lookers (const PyroObject *pad)
{
  const PyroObject *looker = pad->peer;

  for (guint i = 0; i < MAX_GHOSTS && looker != NULL; i++) {
    const PyroObject *proxy = get_other_proxy (looker);

    advance_epoch (looker->address);
    looker = proxy != NULL ? proxy->peer : NULL;
  }
}

static void
pad_changed (const PyroObject *pad)
{
  const PyroObject *proxy = get_other_proxy (pad);

  advance_epoch (pad->address);
  advance_lookers (pad);
  if (proxy != NULL) {
    advance_epoch (proxy->address);
    advance_lookers (proxy);
  }
}

static void
drop_node (PyroObject *element)
{
  pyro_node_table_unuse (element->node);
  element->node = 0;
}

/* OBJECT and all that is below it has another place or name. */
static void
changed_below (PyroObject *object, guint depth)
{
  if (object->kind == PYRO_OBJECT_PAD)
    pad_changed (object);
  else
    drop_node (object);
  if (depth < MAX_DEPTH)
    for (PyroObject *child = object->children; child != NULL;
         child = child->next)
      changed_below (child, depth + 1);
}

/* records */

static PyroObject *
find (gconstpointer address)
{
  return objects.by_address != NULL
             ? g_hash_table_lookup (objects.by_address, address)
             : NULL;
}

static gboolean
is_above (const PyroObject *object, const PyroObject *other)
{
  for (guint i = 0; i < MAX_DEPTH && other != NULL; i++) {
    if (other == object)
      return TRUE;
    other = other->parent;
  }
  return other != NULL;
}

static void
set_parent (PyroObject *object, PyroObject *parent)
{
  /* An address that is used again may look like a loop. */
  if (object->parent == parent || (parent != NULL && is_above (object, parent)))
    return;
  /* What looked through it until now, and what does from now on. */
  changed_below (object, 0);
  if (object->parent != NULL) {
    if (object->previous != NULL)
      object->previous->next = object->next;
    else
      object->parent->children = object->next;
    if (object->next != NULL)
      object->next->previous = object->previous;
  }
  object->parent = parent;
  object->previous = object->next = NULL;
  if (parent != NULL) {
    object->next = parent->children;
    if (object->next != NULL)
      object->next->previous = object;
    parent->children = object;
  }
  changed_below (object, 0);
}

static void
set_peer (PyroObject *pad, PyroObject *peer)
{
  if (pad->peer == peer)
    return;
  pad_changed (pad);
  if (pad->peer != NULL) {
    pad_changed (pad->peer);
    pad->peer->peer = NULL;
  }
  if (peer != NULL && peer->peer != NULL) {
    pad_changed (peer);
    pad_changed (peer->peer);
    peer->peer->peer = NULL;
  }
  pad->peer = peer;
  if (peer != NULL) {
    peer->peer = pad;
    pad_changed (peer);
  }
  pad_changed (pad);
}

void
pyro_objects_set_in_use (PyroObject *element, gboolean in_use)
{
  if (in_use) {
    guint32 node = pyro_objects_get_node (element);

    /* Else as soon as it has a node. */
    if (node != 0)
      pyro_live_elements_add (element->address, node, element->library);
  } else {
    pyro_live_elements_remove (element->address);
  }
  if (element->in_use != in_use)
    __atomic_fetch_add (&objects.n_in_use, in_use ? 1 : -1, __ATOMIC_RELAXED);
  element->in_use = in_use;
}

guint
pyro_objects_get_n_in_use (void)
{
  return __atomic_load_n (&objects.n_in_use, __ATOMIC_RELAXED);
}

void
pyro_objects_forget (gconstpointer address)
{
  PyroObject *object = find (address);

  if (object == NULL)
    return;
  if (object->in_use)
    pyro_objects_set_in_use (object, FALSE);
  /* Also of a pad that hangs on nothing: that is an answer, too. */
  if (object->kind == PYRO_OBJECT_PAD)
    pad_changed (object);
  while (object->children != NULL)
    set_parent (object->children, NULL);
  set_parent (object, NULL);
  set_peer (object, NULL);
  drop_node (object);
  g_hash_table_remove (objects.by_address, address);
  g_free (object->name);
  g_free (object->factory);
  g_free (object);
}

/* The record of ADDRESS, which is a KIND. If it was known as something else,
 * that object's end was not seen. */
static PyroObject *
find_or_add (gconstpointer address, PyroObjectKind kind)
{
  PyroObject *object = find (address);

  if (object != NULL && kind != PYRO_OBJECT_UNKNOWN
      && object->kind != PYRO_OBJECT_UNKNOWN
      && (object->kind == PYRO_OBJECT_PAD) != (kind == PYRO_OBJECT_PAD)) {
    pyro_objects_forget (address);
    object = NULL;
  }
  if (object == NULL) {
    object = g_new0 (PyroObject, 1);
    object->address = address;
    object->library = "";
    if (objects.by_address == NULL)
      objects.by_address = g_hash_table_new (NULL, NULL);
    g_hash_table_insert (objects.by_address, (gpointer)address, object);
  }
  if (kind != PYRO_OBJECT_UNKNOWN && object->kind != kind) {
    changed_below (object, 0);
    object->kind = kind;
    changed_below (object, 0);
  }
  return object;
}

/* views */

static gboolean
replace_string (gchar **string, const gchar *seen)
{
  if (seen == NULL || g_strcmp0 (*string, seen) == 0)
    return FALSE;
  g_free (*string);
  *string = g_strdup (seen);
  return TRUE;
}

/* Hooks say which element enters a bin and which leaves it. What an element
 * shows itself only fills in what they did not say. */
static void
see_parent (PyroObject *element, const PyroElementView *view)
{
  if (view->parent == NULL)
    element->left = NULL;
  else if (element->parent == NULL && view->parent != element->left)
    set_parent (element, find_or_add (view->parent, PYRO_OBJECT_UNKNOWN));
}

PyroObject *
pyro_objects_see_element (const PyroElementView *view, guint64 seen)
{
  PyroObject *element = find_or_add (view->address, view->kind);

  if (element->changed <= seen)
    see_parent (element, view);
  if (replace_string (&element->name, view->name))
    changed_below (element, 0);
  if (replace_string (&element->factory, view->factory)) {
    if (view->plugin_file != NULL)
      element->library = pyro_library_name (view->plugin_file);
    changed_below (element, 0);
  }
  return element;
}

/* Pads get parents and peers without a hook, too. */
PyroObject *
pyro_objects_see_pad (const PyroPadView *view, guint64 seen)
{
  PyroObject *pad = find_or_add (view->address, PYRO_OBJECT_PAD);

  if (pad->changed > seen)
    return pad;
  if (view->parent == NULL) {
    pad->left = NULL;
    set_parent (pad, NULL);
  } else if (view->parent != pad->left) {
    set_parent (pad, find_or_add (view->parent, PYRO_OBJECT_UNKNOWN));
  }
  set_peer (pad, view->peer != NULL ? find_or_add (view->peer, PYRO_OBJECT_PAD)
                                    : NULL);
  return pad;
}

void
pyro_objects_enter (PyroObject *child, PyroObject *parent)
{
  note_change (child);
  child->left = NULL;
  set_parent (child, parent);
}

void
pyro_objects_leave (PyroObject *child, PyroObject *parent)
{
  note_change (child);
  child->left = parent->address;
  set_parent (child, NULL);
}

/* names */

/* From the topmost ancestor down, joined by "/", the element's own name last.
 * NULL: a name is missing. A parent that no hook has shown is not an element:
 * bins come with the hooks of their children. */
static gchar *
make_path (const PyroObject *element, const PyroObject **top)
{
  const PyroObject *ancestors[MAX_DEPTH];
  GString *path;
  guint n = 0;

  for (const PyroObject *at = element;
       at != NULL && at->kind != PYRO_OBJECT_UNKNOWN && n < MAX_DEPTH;
       at = at->parent) {
    if (at->name == NULL)
      return NULL;
    ancestors[n++] = at;
  }
  *top = ancestors[n - 1];
  path = g_string_new (NULL);
  while (n > 0) {
    g_string_append (path, ancestors[--n]->name);
    if (n > 0)
      g_string_append_c (path, '/');
  }
  return g_string_free (path, FALSE);
}

guint32
pyro_objects_get_node (PyroObject *element)
{
  g_autofree gchar *path = NULL;
  const PyroObject *top;
  PyroNode names;
  guint32 node;

  if (element->node != 0)
    return element->node;
  path = make_path (element, &top);
  if (path == NULL)
    return 0;
  names = (PyroNode){
    .pipeline = top->kind == PYRO_OBJECT_BIN ? top->name : "",
    .path = path,
    .element = element->name,
    .factory = element->factory != NULL ? element->factory : "",
    .library = element->library,
  };
  node = pyro_node_table_intern (&names);
  if (pyro_node_table_use (node))
    element->node = node;
  if (element->in_use)
    pyro_live_elements_add (element->address, node, element->library);
  return node;
}

guint
pyro_objects_get_n (void)
{
  return objects.by_address != NULL ? g_hash_table_size (objects.by_address)
                                    : 0;
}
