/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "node-table.h"

#include <string.h>

#include "numberless.h"

#define TOO_MANY "(too many elements)"

/* Names without use are kept up to here, so that those that come again have
 * the same id. */
#define KEPT_SIZE (1024 * 1024)

typedef struct {
  PyroNode names; /* what others see; the strings are in TEXT */
  gint refs;
  guint32 id;
  guint uses;
  guint64 rests_since; /* interval; while USES is 0 */
  GList link;          /* in table.resting, likewise */
  gsize size;          /* bytes in all */
  gchar text[];
} Node;

static struct {
  GHashTable *by_name; /* set of Node, by path and factory */
  Node *places[PYRO_MAX_NODES];
  guint32 n_places; /* that were ever used; place 0 is no node's */
  GQueue free_ids;  /* of places that lost their nodes */
  GQueue resting;   /* nodes without use, longest rest first */
  guint64 interval; /* the last that began */
  GQueue open;      /* intervals that have not ended, as guint64, by number */
  PyroNodeTableStats stats;
  /* Of the node in each place; read without the lock. */
  struct {
    guint32 id; /* 0 while the other is written */
    const gchar *library;
  } libraries[PYRO_MAX_NODES];
} table = { .n_places = 1,
            .free_ids = G_QUEUE_INIT,
            .resting = G_QUEUE_INIT,
            .open = G_QUEUE_INIT };

static guint
names_hash (gconstpointer key)
{
  const PyroNode *names = key;

  return g_str_hash (names->path) * 31 + g_str_hash (names->factory);
}

static gboolean
names_equal (gconstpointer a, gconstpointer b)
{
  const PyroNode *one = a, *other = b;

  return g_str_equal (one->path, other->path)
         && g_str_equal (one->factory, other->factory);
}

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

  if (g_atomic_int_dec_and_test (&node->refs))
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

/* Drops the node that has had no use for longest. FALSE: all are needed. */
static gboolean
drop_oldest (void)
{
  Node *node = g_queue_peek_head (&table.resting);
  guint32 next_id;

  if (node == NULL || may_be_asked_for (node))
    return FALSE;
  g_queue_unlink (&table.resting, &node->link);
  g_hash_table_remove (table.by_name, node);
  table.places[node->id % PYRO_MAX_NODES] = NULL;
  table.stats.n--;
  table.stats.bytes -= node->size;
  table.stats.replaced++;
  /* Never 0: place 0 is no node's. */
  next_id = node->id + PYRO_MAX_NODES;
  g_queue_push_tail (&table.free_ids, GUINT_TO_POINTER (next_id));
  pyro_node_unref (&node->names);
  return TRUE;
}

/* An id for a node of SIZE bytes; 0: there is no room for it, among the first
 * LIMIT places. The last of all places is for one node, whatever its size. */
static guint32
find_room (gsize size, guint32 limit)
{
  while (table.stats.bytes + size > PYRO_MAX_NODES_SIZE
         && limit < PYRO_MAX_NODES)
    if (!drop_oldest ())
      return 0;
  if (g_queue_is_empty (&table.free_ids) && table.n_places < limit)
    return table.n_places++;
  if (g_queue_is_empty (&table.free_ids) && !drop_oldest ())
    return 0;
  return GPOINTER_TO_UINT (g_queue_pop_head (&table.free_ids));
}

static void
publish_library (guint32 id, const gchar *library)
{
  guint32 place = id % PYRO_MAX_NODES;

  __atomic_store_n (&table.libraries[place].id, 0, __ATOMIC_SEQ_CST);
  __atomic_store_n (&table.libraries[place].library, library, __ATOMIC_SEQ_CST);
  __atomic_store_n (&table.libraries[place].id, id, __ATOMIC_SEQ_CST);
}

static const gchar *
put (gchar **at, const gchar *string)
{
  const gchar *copy = *at;

  *at = g_stpcpy (*at, string) + 1;
  return copy;
}

static gsize
size_of (const PyroNode *names)
{
  return sizeof (Node) + strlen (names->pipeline) + strlen (names->path)
         + strlen (names->element) + strlen (names->factory) + 4;
}

static guint32
add (guint32 id, const PyroNode *names)
{
  gsize size = size_of (names);
  Node *node = g_malloc0 (size);
  gchar *at = node->text;

  node->names = (PyroNode){ .pipeline = put (&at, names->pipeline),
                            .path = put (&at, names->path),
                            .element = put (&at, names->element),
                            .factory = put (&at, names->factory),
                            .library = names->library };
  node->refs = 1;
  node->id = id;
  node->link.data = node;
  node->size = size;
  table.places[id % PYRO_MAX_NODES] = node;
  publish_library (id, names->library);
  table.stats.n++;
  table.stats.bytes += size;
  g_hash_table_add (table.by_name, node);
  begin_rest (node);
  return id;
}

/* LIMIT: of the places that may be used. */
static guint32
find_or_add (const PyroNode *names, guint32 limit)
{
  Node *node = g_hash_table_lookup (table.by_name, names);
  guint32 id;

  if (node != NULL) {
    note_interest (node);
    return node->id;
  }
  id = find_room (size_of (names), limit);
  return id != 0 ? add (id, names) : 0;
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
    table.by_name = g_hash_table_new (names_hash, names_equal);
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
  guint32 place = id % PYRO_MAX_NODES;
  const gchar *library;

  if (id == 0
      || __atomic_load_n (&table.libraries[place].id, __ATOMIC_SEQ_CST) != id)
    return "";
  library = __atomic_load_n (&table.libraries[place].library, __ATOMIC_SEQ_CST);
  /* The place may have been given to another node meanwhile. */
  return __atomic_load_n (&table.libraries[place].id, __ATOMIC_SEQ_CST) == id
             ? library
             : "";
}

guint64
pyro_node_table_begin_interval (void)
{
  guint64 *interval = g_new (guint64, 1);

  *interval = ++table.interval;
  g_queue_push_tail (&table.open, interval);
  while (table.stats.bytes > KEPT_SIZE && drop_oldest ())
    ;
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

static gboolean
is_around (const gchar *bin, const gchar *path)
{
  gsize length = strlen (bin);

  return strncmp (bin, path, length) == 0
         && (path[length] == '/' || path[length] == '\0');
}

/* An element that has moved to another bin since has another node. */
static gboolean
is_same (const PyroNode *a, const PyroNode *b)
{
  return strcmp (a->element, b->element) == 0
         && strcmp (a->factory, b->factory) == 0;
}

gboolean
pyro_node_is_apart (const PyroNode *node, const PyroNode *other)
{
  return !is_same (node, other) && !is_around (node->path, other->path)
         && !is_around (other->path, node->path);
}
