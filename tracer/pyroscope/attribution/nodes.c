/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "nodes.h"

#include "libraries.h"
#include "live-elements.h"

guint pyro_nodes_epoch = 1;

/* A chain of ghost pads longer than this is a loop. */
#define MAX_GHOSTS 32
/* Bins in bins. */
#define MAX_DEPTH 64

typedef struct {
  PyroPadNodes nodes; /* of an element: both are its own */
  guint places;       /* value of registry.places when it was resolved */
  gboolean through_ghost;
  guint ghosts; /* value of registry.ghosts, if THROUGH_GHOST */
  gchar *name;  /* of an element that had no parent: it may be renamed */
} Resolved;

static struct {
  GMutex lock;
  GHashTable *by_object; /* GstPad or GstElement, not dereferenced → Resolved */
  guint changes; /* every change, also of objects that are not known yet */
  guint places;  /* a bin with its children was moved */
  guint ghosts;  /* a pad was linked that others may look through */
} registry;      /* and the table of nodes */

static void
raise_epoch (void)
{
  guint epoch = __atomic_add_fetch (&pyro_nodes_epoch, 1, __ATOMIC_ACQ_REL);

  if (epoch == 0)
    __atomic_add_fetch (&pyro_nodes_epoch, 1, __ATOMIC_ACQ_REL);
}

static void
resolved_free (gpointer data)
{
  Resolved *resolved = data;

  pyro_node_table_unuse (resolved->nodes.own);
  pyro_node_table_unuse (resolved->nodes.peer);
  g_free (resolved->name);
  g_free (resolved);
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

/* What is known of OBJECT and still holds; else FALSE and in *CHANGES what a
 * later remember() wants to know. */
static gboolean
look_up (gconstpointer object, PyroPadNodes *nodes, guint *changes)
{
  Resolved *resolved;
  gboolean valid;

  g_mutex_lock (&registry.lock);
  if (registry.by_object == NULL)
    registry.by_object
        = g_hash_table_new_full (NULL, NULL, NULL, resolved_free);
  resolved = g_hash_table_lookup (registry.by_object, object);
  valid = resolved != NULL && resolved->places == registry.places
          && (!resolved->through_ghost || resolved->ghosts == registry.ghosts);
  if (valid)
    *nodes = resolved->nodes;
  *changes = registry.changes;
  g_mutex_unlock (&registry.lock);
  return valid;
}

/* Both ids keep their places, unless they have lost them: a thread may have
 * slept in between. */
static gboolean
use (const PyroPadNodes *nodes)
{
  if (nodes->own != 0 && !pyro_node_table_use (nodes->own))
    return FALSE;
  if (nodes->peer == 0 || pyro_node_table_use (nodes->peer))
    return TRUE;
  pyro_node_table_unuse (nodes->own);
  return FALSE;
}

/* Called with the lock. Unless anything changed since the look-up: what was
 * found in between may already be wrong. NAME: transfer full. */
static gboolean
remember_locked (gconstpointer object, const PyroPadNodes *nodes,
                 gboolean through_ghost, gchar *name, guint changes)
{
  Resolved *resolved;

  if (registry.changes != changes || !use (nodes)) {
    g_free (name);
    return FALSE;
  }
  resolved = g_new (Resolved, 1);
  *resolved = (Resolved){ .nodes = *nodes,
                          .places = registry.places,
                          .through_ghost = through_ghost,
                          .ghosts = registry.ghosts,
                          .name = name };
  g_hash_table_insert (registry.by_object, (gpointer)object, resolved);
  return TRUE;
}

guint32
pyro_nodes_resolve_element (GstElement *element)
{
  g_autofree gchar *path = NULL;
  g_autofree gchar *pipeline = NULL;
  g_autofree gchar *name = NULL;
  g_autoptr (GstElement) top = NULL;
  GstElementFactory *factory;
  gboolean has_parent;
  PyroNode names;
  PyroPadNodes nodes;
  guint changes;

  if (look_up (element, &nodes, &changes))
    return nodes.own;

  has_parent = GST_OBJECT_PARENT (element) != NULL;
  path = describe_path (GST_OBJECT (element), &top, &pipeline);
  name = gst_object_get_name (GST_OBJECT (element));
  factory = gst_element_get_factory (element);
  names
      = (PyroNode){ .pipeline = pipeline != NULL ? pipeline : "",
                    .path = path,
                    .element = name != NULL ? name : "",
                    .factory = factory != NULL ? GST_OBJECT_NAME (factory) : "",
                    .library = find_library (factory) };

  g_mutex_lock (&registry.lock);
  nodes.own = nodes.peer = pyro_node_table_intern (&names);
  remember_locked (element, &nodes, FALSE, has_parent ? NULL : g_strdup (name),
                   changes);
  g_mutex_unlock (&registry.lock);
  pyro_live_elements_add (element, nodes.own, names.library);
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
  gboolean remembered;
  guint changes;

  if (look_up (pad, nodes, &changes))
    return epoch;
  nodes->own = resolve_owner (pad);
  nodes->peer = resolve_other_side (pad, &through_ghost);
  if (nodes->peer == 0)
    nodes->peer = nodes->own;
  g_mutex_lock (&registry.lock);
  remembered = remember_locked (pad, nodes, through_ghost, NULL, changes);
  g_mutex_unlock (&registry.lock);
  return remembered ? epoch : 0;
}

void
pyro_nodes_check_name (GstElement *element)
{
  g_autofree gchar *name = gst_object_get_name (GST_OBJECT (element));
  const Resolved *resolved = NULL;
  gboolean is_renamed;

  g_mutex_lock (&registry.lock);
  if (registry.by_object != NULL)
    resolved = g_hash_table_lookup (registry.by_object, element);
  is_renamed = resolved != NULL && resolved->name != NULL
               && g_strcmp0 (resolved->name, name) != 0;
  g_mutex_unlock (&registry.lock);
  if (is_renamed)
    pyro_nodes_forget_place (element);
}

const PyroNode *
pyro_nodes_ref (guint32 node)
{
  const PyroNode *names;

  g_mutex_lock (&registry.lock);
  names = pyro_node_table_ref (node);
  g_mutex_unlock (&registry.lock);
  return names;
}

const gchar *
pyro_nodes_get_library (guint32 node)
{
  const gchar *library;

  g_mutex_lock (&registry.lock);
  library = pyro_node_table_get_library (node);
  g_mutex_unlock (&registry.lock);
  return library;
}

guint64
pyro_nodes_begin_interval (void)
{
  guint64 interval;

  g_mutex_lock (&registry.lock);
  interval = pyro_node_table_begin_interval ();
  g_mutex_unlock (&registry.lock);
  return interval;
}

void
pyro_nodes_end_interval (guint64 interval)
{
  g_mutex_lock (&registry.lock);
  pyro_node_table_end_interval (interval);
  g_mutex_unlock (&registry.lock);
}

void
pyro_nodes_get_stats (PyroNodeTableStats *stats)
{
  g_mutex_lock (&registry.lock);
  pyro_node_table_get_stats (stats);
  g_mutex_unlock (&registry.lock);
}

void
pyro_nodes_fork_prepare (void)
{
  g_mutex_lock (&registry.lock);
}

void
pyro_nodes_fork_done (gboolean in_child)
{
  if (in_child)
    pyro_node_table_end_all_intervals ();
  g_mutex_unlock (&registry.lock);
}
