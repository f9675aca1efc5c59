/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "nodes.h"

#include <string.h>

#include "libraries.h"
#include "live-elements.h"
#include "numberless.h"

guint pyro_nodes_epoch = 1;

#define TOO_MANY "(too many elements)"

/* A chain of ghost pads longer than this is a loop. */
#define MAX_GHOSTS 32
/* Bins in bins. */
#define MAX_DEPTH 64

typedef struct {
  PyroPadNodes nodes; /* of an element: both are its own */
  guint places;       /* value of registry.places when it was resolved */
  gboolean through_ghost;
  guint ghosts; /* value of registry.ghosts, if THROUGH_GHOST */
} Resolved;

static struct {
  GMutex lock;
  GHashTable *by_object; /* GstPad or GstElement, not dereferenced → Resolved */
  GHashTable *by_name;   /* "path\nfactory" → id */
  /* By id; filled before the id is given away, so readers need no lock. */
  PyroNode *nodes[PYRO_MAX_NODES];
  guint32 n;
  guint changes; /* every change, also of objects that are not known yet */
  guint places;  /* a bin with its children was moved */
  guint ghosts;  /* a pad was linked that others may look through */
} registry = { .n = 1 };

static void
raise_epoch (void)
{
  guint epoch = __atomic_add_fetch (&pyro_nodes_epoch, 1, __ATOMIC_ACQ_REL);

  if (epoch == 0)
    __atomic_add_fetch (&pyro_nodes_epoch, 1, __ATOMIC_ACQ_REL);
}

static void
ensure_tables (void)
{
  if (registry.by_object != NULL)
    return;
  registry.by_object = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  registry.by_name
      = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
}

/* Called with the lock. */
static void
forget_locked (gconstpointer object)
{
  registry.changes++;
  if (registry.by_object != NULL
      && g_hash_table_remove (registry.by_object, object))
    raise_epoch ();
}

void
pyro_nodes_forget (gconstpointer object)
{
  g_mutex_lock (&registry.lock);
  forget_locked (object);
  g_mutex_unlock (&registry.lock);
}

void
pyro_nodes_forget_link (GstPad *a, GstPad *b)
{
  g_mutex_lock (&registry.lock);
  forget_locked (a);
  forget_locked (b);
  if (GST_IS_PROXY_PAD (a) || GST_IS_PROXY_PAD (b)) {
    registry.ghosts++;
    raise_epoch ();
  }
  g_mutex_unlock (&registry.lock);
}

void
pyro_nodes_forget_place (GstElement *element)
{
  gboolean known;

  g_mutex_lock (&registry.lock);
  known = registry.by_object != NULL
          && g_hash_table_contains (registry.by_object, element);
  forget_locked (element);
  if (GST_IS_BIN (element)) {
    registry.places++;
    raise_epoch ();
  }
  g_mutex_unlock (&registry.lock);
  if (!known)
    return;

  /* It was in use before: its pads answer with its old place. */
  GST_OBJECT_LOCK (element);
  for (GList *item = element->pads; item != NULL; item = item->next)
    pyro_nodes_forget (item->data);
  GST_OBJECT_UNLOCK (element);
}

/* The names from the topmost ancestor down, joined by "/". *TOP is that
 * ancestor if it is a bin other than OBJECT (transfer full), *PIPELINE its
 * name. */
static gchar *
describe_path (GstObject *object, GstElement **top, gchar **pipeline)
{
  GString *path = g_string_new (NULL);
  GstObject *current = gst_object_ref (object);

  *pipeline = NULL;
  *top = NULL;
  for (guint depth = 0; current != NULL && depth < MAX_DEPTH; depth++) {
    g_autofree gchar *name = gst_object_get_name (current);
    GstObject *parent = gst_object_get_parent (current);

    if (depth > 0)
      g_string_prepend_c (path, '/');
    g_string_prepend (path, name != NULL ? name : "(unnamed)");
    if (parent == NULL && GST_IS_BIN (current)) {
      *pipeline = g_strdup (name);
      if (current != object)
        *top = gst_object_ref (current);
    }
    gst_object_unref (current);
    current = parent;
  }
  if (current != NULL)
    gst_object_unref (current);
  return g_string_free (path, FALSE);
}

/* Where the code of a factory's elements is. */
static const gchar *
find_library (GstElementFactory *factory)
{
  GstPlugin *plugin = NULL;
  const gchar *path = NULL, *library = "";

  if (factory != NULL)
    plugin = gst_plugin_feature_get_plugin (GST_PLUGIN_FEATURE (factory));
  if (plugin != NULL)
    path = gst_plugin_get_filename (plugin);
  if (path != NULL)
    library = pyro_library_name (path);
  g_clear_object (&plugin);
  return library;
}

/* Called with the lock. LIBRARY is interned, the others are copied. */
static guint32
intern (const gchar *pipeline, const gchar *path, const gchar *element,
        const gchar *factory, const gchar *library, gboolean numberless)
{
  g_autofree gchar *key = g_strconcat (path, "\n", factory, NULL);
  guint32 id = GPOINTER_TO_UINT (g_hash_table_lookup (registry.by_name, key));
  PyroNode *node;

  if (id != 0)
    return id;
  if (registry.n >= PYRO_MAX_NUMBERED_NODES && !numberless) {
    g_autofree gchar *short_pipeline = pyro_strip_numbers (pipeline);
    g_autofree gchar *short_path = pyro_strip_numbers (path);
    g_autofree gchar *short_element = pyro_strip_numbers (element);

    return intern (short_pipeline, short_path, short_element, factory, library,
                   TRUE);
  }
  if (registry.n >= PYRO_MAX_NODES - 1 && strcmp (path, TOO_MANY) != 0)
    return intern ("", TOO_MANY, TOO_MANY, "", library, TRUE);

  id = registry.n++;
  node = g_new (PyroNode, 1);
  node->pipeline = g_strdup (pipeline);
  node->path = g_strdup (path);
  node->element = g_strdup (element);
  node->factory = g_strdup (factory);
  node->library = library;
  __atomic_store_n (&registry.nodes[id], node, __ATOMIC_RELEASE);
  g_hash_table_insert (registry.by_name, g_steal_pointer (&key),
                       GUINT_TO_POINTER (id));
  return id;
}

/* What is known of OBJECT and still holds; else FALSE and in *CHANGES what a
 * later remember() wants to know. */
static gboolean
look_up (gconstpointer object, PyroPadNodes *nodes, guint *changes)
{
  Resolved *resolved;
  gboolean valid;

  g_mutex_lock (&registry.lock);
  ensure_tables ();
  resolved = g_hash_table_lookup (registry.by_object, object);
  valid = resolved != NULL && resolved->places == registry.places
          && (!resolved->through_ghost || resolved->ghosts == registry.ghosts);
  if (valid)
    *nodes = resolved->nodes;
  *changes = registry.changes;
  g_mutex_unlock (&registry.lock);
  return valid;
}

/* Unless anything changed since the look-up: what was found in between may
 * already be wrong. */
static gboolean
remember (gconstpointer object, const PyroPadNodes *nodes,
          gboolean through_ghost, guint changes)
{
  gboolean unchanged;

  g_mutex_lock (&registry.lock);
  unchanged = registry.changes == changes;
  if (unchanged) {
    Resolved *resolved = g_new (Resolved, 1);

    resolved->nodes = *nodes;
    resolved->places = registry.places;
    resolved->through_ghost = through_ghost;
    resolved->ghosts = registry.ghosts;
    g_hash_table_insert (registry.by_object, (gpointer)object, resolved);
  }
  g_mutex_unlock (&registry.lock);
  return unchanged;
}

guint32
pyro_nodes_resolve_element (GstElement *element)
{
  g_autofree gchar *path = NULL;
  g_autofree gchar *pipeline = NULL;
  g_autofree gchar *name = NULL;
  g_autoptr (GstElement) top = NULL;
  GstElementFactory *factory;
  const gchar *library;
  PyroPadNodes nodes;
  guint changes;

  if (look_up (element, &nodes, &changes))
    return nodes.own;

  path = describe_path (GST_OBJECT (element), &top, &pipeline);
  name = gst_object_get_name (GST_OBJECT (element));
  factory = gst_element_get_factory (element);
  library = find_library (factory);

  g_mutex_lock (&registry.lock);
  nodes.own = intern (
      pipeline != NULL ? pipeline : "", path, name != NULL ? name : "",
      factory != NULL ? GST_OBJECT_NAME (factory) : "", library, FALSE);
  g_mutex_unlock (&registry.lock);
  nodes.peer = nodes.own;
  remember (element, &nodes, FALSE, changes);
  pyro_live_elements_add (element, nodes.own, library);
  /* So that pyro_nodes_check_name() knows that its name is in use. */
  if (top != NULL)
    pyro_nodes_resolve_element (top);
  return nodes.own;
}

static guint32
resolve_owner (GstPad *pad)
{
  GstObject *object = gst_object_get_parent (GST_OBJECT (pad));
  guint32 node = 0;

  /* The parent of a ghost pad's inner proxy is the ghost pad. */
  for (guint i = 0; GST_IS_PAD (object) && i < MAX_GHOSTS; i++) {
    GstObject *parent = gst_object_get_parent (object);

    gst_object_unref (object);
    object = parent;
  }
  if (GST_IS_ELEMENT (object))
    node = pyro_nodes_resolve_element (GST_ELEMENT (object));
  g_clear_object (&object);
  return node;
}

static guint32
resolve_other_side (GstPad *pad, gboolean *through_ghost)
{
  GstPad *peer = gst_pad_get_peer (pad);
  guint32 node = 0;

  for (guint i = 0; GST_IS_PROXY_PAD (peer) && i < MAX_GHOSTS; i++) {
    GstProxyPad *internal = gst_proxy_pad_get_internal (GST_PROXY_PAD (peer));
    GstPad *next
        = internal != NULL ? gst_pad_get_peer (GST_PAD (internal)) : NULL;

    *through_ghost = TRUE;
    g_clear_object (&internal);
    if (next == NULL)
      break;
    gst_object_unref (peer);
    peer = next;
  }
  if (peer != NULL) {
    node = resolve_owner (peer);
    gst_object_unref (peer);
  }
  return node;
}

guint
pyro_nodes_resolve_pad (GstPad *pad, PyroPadNodes *nodes)
{
  guint epoch = pyro_nodes_get_epoch ();
  gboolean through_ghost = FALSE;
  guint changes;

  if (look_up (pad, nodes, &changes))
    return epoch;
  nodes->own = resolve_owner (pad);
  nodes->peer = resolve_other_side (pad, &through_ghost);
  if (nodes->peer == 0)
    nodes->peer = nodes->own;
  return remember (pad, nodes, through_ghost, changes) ? epoch : 0;
}

void
pyro_nodes_check_name (GstElement *element)
{
  g_autofree gchar *name = NULL;
  PyroPadNodes nodes;
  guint changes;

  if (!look_up (element, &nodes, &changes))
    return;
  name = gst_object_get_name (GST_OBJECT (element));
  if (g_strcmp0 (name, pyro_nodes_get (nodes.own)->element) != 0)
    pyro_nodes_forget_place (element);
}

void
pyro_nodes_fork_prepare (void)
{
  g_mutex_lock (&registry.lock);
}

void
pyro_nodes_fork_done (void)
{
  g_mutex_unlock (&registry.lock);
}

const PyroNode *
pyro_nodes_get (guint32 node)
{
  if (node >= PYRO_MAX_NODES)
    return NULL;
  return __atomic_load_n (&registry.nodes[node], __ATOMIC_ACQUIRE);
}

guint
pyro_nodes_get_n (void)
{
  guint n;

  g_mutex_lock (&registry.lock);
  n = registry.n - 1;
  g_mutex_unlock (&registry.lock);
  return n;
}
