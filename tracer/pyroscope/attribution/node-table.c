/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "node-table.h"

#include <string.h>

#include "numberless.h"

#define TOO_MANY "(too many elements)"

typedef struct {
  PyroNode names; /* what others see */
  gint refs;
  guint32 id;
  guint uses;
  guint64 rests_since; /* interval; while USES is 0 */
  GList link;          /* in table.resting, likewise */
  gchar *key;          /* in table.by_name */
} Node;

static struct {
  GHashTable *by_name; /* "path\nfactory" → Node */
  Node *places[PYRO_MAX_NODES];
  guint32 n_places; /* that were ever used; place 0 is no node's */
  GQueue resting;   /* nodes without use, longest rest first */
  guint64 interval; /* the last that began */
  GQueue open;      /* intervals that have not ended, as guint64, by number */
  PyroNodeTableStats stats;
} table = { .n_places = 1, .resting = G_QUEUE_INIT, .open = G_QUEUE_INIT };

static Node *
find (guint32 id)
{
  Node *node = table.places[id % PYRO_MAX_NODES];

  return id != 0 && node != NULL && node->id == id ? node : NULL;
}

void
pyro_node_unref (const PyroNode *names)
{
  Node *node = (Node *)names; /* its first member */

  if (!g_atomic_int_dec_and_test (&node->refs))
    return;
  g_free ((gchar *)node->names.pipeline);
  g_free ((gchar *)node->names.path);
  g_free ((gchar *)node->names.element);
  g_free ((gchar *)node->names.factory);
  g_free (node->key);
  g_free (node);
}

static void
begin_rest (Node *node)
{
  node->rests_since = table.interval;
  g_queue_push_tail_link (&table.resting, &node->link);
}

/* Somebody has just got its id or its names. */
static void
note_interest (Node *node)
{
  if (node->uses > 0)
    return;
  g_queue_unlink (&table.resting, &node->link);
  begin_rest (node);
}

/* A sample may be in a ring while its interval ends: it is in the next one. */
static gboolean
may_be_asked_for (const Node *node)
{
  const guint64 *oldest = g_queue_peek_head (&table.open);

  return oldest != NULL && *oldest <= node->rests_since + 1;
}

/* Takes the place of the node that has had no use for longest. Returns a new id
 * for it, 0: all are needed. */
static guint32
replace (void)
{
  Node *node = g_queue_peek_head (&table.resting);
  guint32 id;

  if (node == NULL || may_be_asked_for (node))
    return 0;
  g_queue_unlink (&table.resting, &node->link);
  g_hash_table_remove (table.by_name, node->key);
  table.places[node->id % PYRO_MAX_NODES] = NULL;
  table.stats.n--;
  table.stats.replaced++;
  id = node->id + PYRO_MAX_NODES;
  pyro_node_unref (&node->names);
  return id;
}

static guint32
add (guint32 id, const PyroNode *names, gchar *key)
{
  Node *node = g_new0 (Node, 1);

  node->names = (PyroNode){ .pipeline = g_strdup (names->pipeline),
                            .path = g_strdup (names->path),
                            .element = g_strdup (names->element),
                            .factory = g_strdup (names->factory),
                            .library = names->library };
  node->refs = 1;
  node->id = id;
  node->link.data = node;
  node->key = key;
  table.places[id % PYRO_MAX_NODES] = node;
  table.stats.n++;
  g_hash_table_insert (table.by_name, key, node);
  begin_rest (node);
  return id;
}

/* LIMIT: of the places that may be used. */
static guint32
find_or_add (const PyroNode *names, guint32 limit)
{
  gchar *key = g_strconcat (names->path, "\n", names->factory, NULL);
  Node *node = g_hash_table_lookup (table.by_name, key);
  guint32 id;

  if (node != NULL) {
    g_free (key);
    note_interest (node);
    return node->id;
  }
  id = table.n_places < limit ? table.n_places++ : replace ();
  if (id != 0)
    return add (id, names, key);
  g_free (key);
  return 0;
}

static guint32
find_or_add_numberless (const PyroNode *names)
{
  g_autofree gchar *pipeline = pyro_strip_numbers (names->pipeline);
  g_autofree gchar *path = pyro_strip_numbers (names->path);
  g_autofree gchar *element = pyro_strip_numbers (names->element);
  const PyroNode stripped
      = { pipeline, path, element, names->factory, names->library };

  table.stats.numberless++;
  return find_or_add (&stripped, PYRO_MAX_NODES - 1);
}

/* It keeps its place once it has it: the last one. */
static guint32
find_or_add_too_many (void)
{
  static const PyroNode too_many = { "", TOO_MANY, TOO_MANY, "", "" };
  static guint32 id;

  table.stats.nameless++;
  if (id == 0) {
    id = find_or_add (&too_many, PYRO_MAX_NODES);
    pyro_node_table_use (id);
  }
  return id;
}

guint32
pyro_node_table_intern (const PyroNode *names)
{
  guint32 id;

  if (table.by_name == NULL)
    table.by_name = g_hash_table_new (g_str_hash, g_str_equal);
  id = find_or_add (names, PYRO_MAX_NUMBERED_NODES);
  if (id == 0)
    id = find_or_add_numberless (names);
  if (id == 0)
    id = find_or_add_too_many ();
  return id;
}

gboolean
pyro_node_table_use (guint32 id)
{
  Node *node = find (id);

  if (node == NULL)
    return FALSE;
  if (node->uses++ == 0) {
    g_queue_unlink (&table.resting, &node->link);
    table.stats.n_in_use++;
  }
  return TRUE;
}

void
pyro_node_table_unuse (guint32 id)
{
  Node *node = find (id);

  if (node == NULL || --node->uses > 0)
    return;
  table.stats.n_in_use--;
  begin_rest (node);
}

const PyroNode *
pyro_node_table_ref (guint32 id)
{
  Node *node = find (id);

  if (node == NULL)
    return NULL;
  note_interest (node);
  g_atomic_int_inc (&node->refs);
  return &node->names;
}

const gchar *
pyro_node_table_get_library (guint32 id)
{
  const Node *node = find (id);

  return node != NULL ? node->names.library : "";
}

guint64
pyro_node_table_begin_interval (void)
{
  guint64 *interval = g_new (guint64, 1);

  *interval = ++table.interval;
  g_queue_push_tail (&table.open, interval);
  return *interval;
}

void
pyro_node_table_end_interval (guint64 interval)
{
  for (GList *item = table.open.head; item != NULL; item = item->next)
    if (*(guint64 *)item->data == interval) {
      g_free (item->data);
      g_queue_delete_link (&table.open, item);
      return;
    }
}

void
pyro_node_table_end_all_intervals (void)
{
  g_queue_clear_full (&table.open, g_free);
}

void
pyro_node_table_get_stats (PyroNodeTableStats *stats)
{
  *stats = table.stats;
}
