/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "label-sets.h"

#include "attribution/nodes.h"
#include "attribution/numberless.h"
#include "settings.h"

static const gchar *const attribution_names[] = {
  [PYRO_ATTRIBUTION_NONE] = "none",
  [PYRO_ATTRIBUTION_EXACT] = "exact",
  [PYRO_ATTRIBUTION_INHERITED] = "inherited",
  [PYRO_ATTRIBUTION_LIBRARY] = "library",
};

static guint
set_hash (gconstpointer key)
{
  const PyroAggregateEntry *entry = key;

  return g_str_hash (entry->thread) ^ (guint)(entry->label * 2654435761u);
}

static gboolean
set_equal (gconstpointer a, gconstpointer b)
{
  const PyroAggregateEntry *entry_a = a;
  const PyroAggregateEntry *entry_b = b;

  return entry_a->label == entry_b->label
         && g_str_equal (entry_a->thread, entry_b->thread);
}

static guint
count_sets (const PyroAggregate *aggregate)
{
  GHashTable *sets = g_hash_table_new (set_hash, set_equal);
  GHashTableIter iter;
  gpointer key;
  guint n;

  g_hash_table_iter_init (&iter, aggregate->entries);
  while (g_hash_table_iter_next (&iter, &key, NULL))
    g_hash_table_add (sets, key);
  n = g_hash_table_size (sets);
  g_hash_table_unref (sets);
  return n;
}

void
pyro_label_sets_init (PyroLabelSets *sets, guint wanted, guint max_sets,
                      const PyroAggregate *aggregate)
{
  sets->wanted = wanted;
  sets->numberless = count_sets (aggregate) > max_sets;
  sets->stripped
      = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, g_free);
}

void
pyro_label_sets_clear (PyroLabelSets *sets)
{
  g_clear_pointer (&sets->stripped, g_hash_table_unref);
}

/* NAME lives longer than SETS: it is a node's or an entry's. */
static const gchar *
shorten (PyroLabelSets *sets, const gchar *name)
{
  gchar *stripped;

  if (!sets->numberless)
    return name;
  stripped = g_hash_table_lookup (sets->stripped, name);
  if (stripped == NULL) {
    stripped = pyro_strip_numbers (name);
    g_hash_table_insert (sets->stripped, (gpointer)name, stripped);
  }
  return stripped;
}

guint
pyro_label_sets_make (PyroLabelSets *sets, const PyroAggregateEntry *entry,
                      PyroLabel labels[PYRO_MAX_LABELS])
{
  const PyroNode *node = pyro_nodes_get (pyro_label_word_node (entry->label));
  guint n = 0;

#define ADD(flag, name, text) \
  if (sets->wanted & (flag))  \
    labels[n++] = (PyroLabel) \
    {                         \
      name, text              \
    }
  if (node != NULL) {
    ADD (PYRO_LABEL_PIPELINE, "pipeline", shorten (sets, node->pipeline));
    ADD (PYRO_LABEL_PATH, "path", shorten (sets, node->path));
    ADD (PYRO_LABEL_ELEMENT, "element", shorten (sets, node->element));
    ADD (PYRO_LABEL_FACTORY, "factory", node->factory);
  }
  ADD (PYRO_LABEL_THREAD, "thread", shorten (sets, entry->thread));
  ADD (PYRO_LABEL_ATTRIBUTION, "attribution",
       attribution_names[node != NULL
                             ? pyro_label_word_attribution (entry->label)
                             : PYRO_ATTRIBUTION_NONE]);
#undef ADD
  return n;
}

const gchar *
pyro_label_sets_path (PyroLabelSets *sets, const PyroAggregateEntry *entry)
{
  const PyroNode *node = pyro_nodes_get (pyro_label_word_node (entry->label));

  return node != NULL ? shorten (sets, node->path) : NULL;
}
