/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "live-elements.h"

#include "shared-map.h"
#include "unwinding/published.h"

/* Three tables, so that no question needs a look at all elements:
 * - elements: address → its PyroSharedItem in "nodes";
 * - nodes: (node, its PyroSharedItem in "libraries") → number of elements;
 * - libraries: name → how many nodes have elements (upper half), and all their
 *   ids, XORed (lower half): if it is one, that is its id. Both halves change
 *   in one compare-and-swap, so it does not matter in which order two threads
 *   do that. They are never swept: there is one for each plugin's file. */
PYRO_SHARED_MAP (elements, 12);
PYRO_SHARED_MAP (nodes, 10);
PYRO_SHARED_MAP (libraries, 8);

static guint64 generation;

/* No element was ever outside of [lowest, highest]: most words of a stack
 * are. */
static guintptr lowest = G_MAXSIZE, highest;

#define ONE_NODE (G_GUINT64_CONSTANT (1) << 32)

static guint64
key_of (gconstpointer pointer)
{
  return (guint64)(guintptr)pointer;
}

static PyroSharedItem *
item_at (guint64 value)
{
  return (PyroSharedItem *)(guintptr)value;
}

static void
widen (guintptr address)
{
  guintptr before = __atomic_load_n (&lowest, __ATOMIC_RELAXED);

  while (address < before
         && !__atomic_compare_exchange_n (&lowest, &before, address, FALSE,
                                          __ATOMIC_RELAXED, __ATOMIC_RELAXED))
    ;
  before = __atomic_load_n (&highest, __ATOMIC_RELAXED);
  while (address > before
         && !__atomic_compare_exchange_n (&highest, &before, address, FALSE,
                                          __ATOMIC_RELAXED, __ATOMIC_RELAXED))
    ;
}

static gboolean
may_be_element (guintptr address)
{
  return address >= __atomic_load_n (&lowest, __ATOMIC_RELAXED)
         && address <= __atomic_load_n (&highest, __ATOMIC_RELAXED);
}

/* NODE has its first element, or has lost its last one. */
static void
count_node (const PyroSharedItem *node, guint64 change)
{
  PyroSharedItem *library = item_at (node->other);
  guint64 before = pyro_shared_item_get (library);
  guint64 after;

  do
    after = (before + change) ^ (guint32)node->key;
  while (!pyro_shared_item_swap (library, &before, after));
  __atomic_add_fetch (&generation, 1, __ATOMIC_RELEASE);
}

static PyroSharedItem *
use_node (guint32 id, const gchar *name)
{
  PyroSharedItem *library = pyro_shared_map_get (&libraries, key_of (name), 0);

  for (;;) {
    PyroSharedItem *node = pyro_shared_map_get (&nodes, id, key_of (library));
    guint64 count = pyro_shared_item_get (node);

    while (count != PYRO_SHARED_GONE)
      if (pyro_shared_item_swap (node, &count, count + 1)) {
        if (count == 0)
          count_node (node, ONE_NODE);
        return node;
      }
  }
}

/* TRUE: it has no element any more. */
static gboolean
unuse_node (PyroSharedItem *node)
{
  if (__atomic_sub_fetch (&node->value, 1, __ATOMIC_ACQ_REL) != 0)
    return FALSE;
  count_node (node, -ONE_NODE);
  return TRUE;
}

/* An element has lost NODE: what that leaves without use is taken out, once
 * nobody reads it any more. */
typedef struct {
  guint64 id, library;
  gboolean was_last;
} Loss;

static Loss
lose_node (PyroSharedItem *node)
{
  return (Loss){ node->key, node->other, unuse_node (node) };
}

static void
sweep_node (const Loss *loss)
{
  if (loss->was_last)
    pyro_shared_map_sweep_key (&nodes, loss->id, loss->library);
}

void
pyro_live_elements_add (gconstpointer element, guint32 id, const gchar *library)
{
  PyroSharedItem *item, *node;
  guint64 before = PYRO_SHARED_GONE;
  Loss loss = { 0 };

  widen ((guintptr)element);
  pyro_readers_enter ();
  node = use_node (id, library);
  while (before == PYRO_SHARED_GONE) {
    item = pyro_shared_map_get (&elements, key_of (element), 0);
    before = pyro_shared_item_get (item);
    while (before != PYRO_SHARED_GONE
           && !pyro_shared_item_swap (item, &before, key_of (node)))
      ;
  }
  if (before != 0)
    loss = lose_node (item_at (before));
  pyro_readers_leave ();
  sweep_node (&loss);
}

void
pyro_live_elements_remove (gconstpointer object)
{
  PyroSharedItem *item;
  guint64 before;
  gboolean removed = FALSE;
  Loss loss = { 0 };

  if (!may_be_element ((guintptr)object))
    return;
  pyro_readers_enter ();
  item = pyro_shared_map_find (&elements, key_of (object), 0);
  before = item != NULL ? pyro_shared_item_get (item) : 0;
  while (before != 0 && before != PYRO_SHARED_GONE && !removed)
    removed = pyro_shared_item_swap (item, &before, 0);
  if (removed)
    loss = lose_node (item_at (before));
  pyro_readers_leave ();
  if (removed)
    pyro_shared_map_sweep_key (&elements, key_of (object), 0);
  sweep_node (&loss);
}

static gboolean
read_element (const PyroSharedItem *item, PyroLiveElement *element)
{
  guint64 value = pyro_shared_item_get (item);
  const PyroSharedItem *node = item_at (value);

  if (value == 0 || value == PYRO_SHARED_GONE)
    return FALSE;
  *element = (PyroLiveElement){
    .element = (gconstpointer)(guintptr)item->key,
    .library = (const gchar *)(guintptr)item_at (node->other)->key,
    .node = (guint32)node->key,
  };
  return TRUE;
}

/* The words may be others' frames, which AddressSanitizer would guard. */
__attribute__ ((no_sanitize ("address"))) guint32
pyro_live_elements_search (const guintptr *words, gsize n, const gchar *library)
{
  guint32 node = 0;

  pyro_readers_enter ();
  for (gsize i = 0; i < n && node == 0; i++) {
    const PyroSharedItem *item;
    PyroLiveElement element;

    if (!may_be_element (words[i]))
      continue;
    item = pyro_shared_map_find (&elements, words[i], 0);
    if (item != NULL && read_element (item, &element)
        && element.library == library)
      node = element.node;
  }
  pyro_readers_leave ();
  return node;
}

guint32
pyro_live_elements_get_only (const gchar *library, gboolean *several)
{
  const PyroSharedItem *item;
  guint64 value = 0;

  pyro_readers_enter ();
  item = pyro_shared_map_find (&libraries, key_of (library), 0);
  if (item != NULL)
    value = pyro_shared_item_get (item);
  pyro_readers_leave ();
  *several = value >= 2 * ONE_NODE;
  return *several ? 0 : (guint32)value;
}

gboolean
pyro_live_elements_is_only (guint32 node, const gchar *library)
{
  gboolean several;
  guint32 only = pyro_live_elements_get_only (library, &several);

  return !several && (only == 0 || only == node);
}

typedef struct {
  PyroLiveLibraryFunc library_func;
  PyroLiveElementFunc element_func;
  gpointer data;
} Visit;

static gboolean
visit_library (PyroSharedItem *item, gpointer data)
{
  const Visit *visit = data;

  return visit->library_func ((const gchar *)(guintptr)item->key, visit->data);
}

static gboolean
visit_element (PyroSharedItem *item, gpointer data)
{
  const Visit *visit = data;
  PyroLiveElement element;

  return !read_element (item, &element)
         || visit->element_func (&element, visit->data);
}

void
pyro_live_elements_foreach_library (PyroLiveLibraryFunc func, gpointer data)
{
  Visit visit = { .library_func = func, .data = data };

  pyro_readers_enter ();
  pyro_shared_map_foreach (&libraries, visit_library, &visit);
  pyro_readers_leave ();
}

void
pyro_live_elements_foreach (PyroLiveElementFunc func, gpointer data)
{
  Visit visit = { .element_func = func, .data = data };

  pyro_readers_enter ();
  pyro_shared_map_foreach (&elements, visit_element, &visit);
  pyro_readers_leave ();
}

guint64
pyro_live_elements_get_generation (void)
{
  return __atomic_load_n (&generation, __ATOMIC_ACQUIRE);
}

/* fork */

static gboolean
forget_count (PyroSharedItem *item, gpointer data)
{
  item->value = 0;
  return TRUE;
}

static gboolean
count_again (PyroSharedItem *item, gpointer data)
{
  PyroSharedItem *node = item_at (item->value);

  if (node->value++ == 0)
    count_node (node, ONE_NODE);
  return TRUE;
}

void
pyro_live_elements_fork_child (void)
{
  pyro_shared_map_fork_child (&elements);
  pyro_shared_map_fork_child (&nodes);
  pyro_shared_map_foreach (&nodes, forget_count, NULL);
  pyro_shared_map_foreach (&libraries, forget_count, NULL);
  pyro_shared_map_foreach (&elements, count_again, NULL);
}
