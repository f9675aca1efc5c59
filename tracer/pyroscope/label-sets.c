/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "label-sets.h"

#include "attribution/nodes.h"
#include "attribution/numberless.h"
#include "settings.h"

#define OTHERS "(others)"

/* A set that was not sent for so long makes room for another. */
#define HISTORY_US ((gint64)60 * 60 * G_USEC_PER_SEC)

static const gchar *const attribution_names[] = {
  [PYRO_ATTRIBUTION_NONE] = "none",
  [PYRO_ATTRIBUTION_EXACT] = "exact",
  [PYRO_ATTRIBUTION_INHERITED] = "inherited",
  [PYRO_ATTRIBUTION_LIBRARY] = "library",
  [PYRO_ATTRIBUTION_UNSAMPLED] = "unsampled",
  [PYRO_ATTRIBUTION_SHARED] = "shared",
};

/* What the entries with one label word and one thread name have. */
typedef struct {
  const PyroAggregateEntry *entry; /* one of them */
  gint64 nanoseconds;
  const PyroNode *node; /* a reference, or NULL */
  const gchar *pipeline, *path, *element, *thread;
} Set;

static guint
entry_hash (gconstpointer key)
{
  const PyroAggregateEntry *entry = key;

  return g_str_hash (entry->thread) ^ (guint)(entry->label * 2654435761u);
}

static gboolean
entry_equal (gconstpointer a, gconstpointer b)
{
  const PyroAggregateEntry *entry_a = a;
  const PyroAggregateEntry *entry_b = b;

  return entry_a->label == entry_b->label
         && g_str_equal (entry_a->thread, entry_b->thread);
}

void
pyro_label_history_init (PyroLabelHistory *history, guint wanted,
                         guint max_sets)
{
  history->wanted = wanted;
  history->max_sets = max_sets;
  for (guint i = 0; i < G_N_ELEMENTS (history->sent); i++)
    history->sent[i]
        = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
}

void
pyro_label_history_clear (PyroLabelHistory *history)
{
  for (guint i = 0; i < G_N_ELEMENTS (history->sent); i++)
    g_clear_pointer (&history->sent[i], g_hash_table_unref);
}

static gboolean
is_long_ago (gpointer key, gpointer value, gpointer data)
{
  return *(gint64 *)value < *(gint64 *)data;
}

/* FALSE: there is no room for another one. */
static gboolean
history_add (PyroLabelHistory *history, PyroLabelLevel level, const gchar *text,
             gint64 now)
{
  GHashTable *sent = history->sent[level];
  gint64 *time = g_hash_table_lookup (sent, text);

  if (time == NULL) {
    if (g_hash_table_size (sent) >= history->max_sets)
      return FALSE;
    time = g_new (gint64, 1);
    g_hash_table_insert (sent, g_strdup (text), time);
  }
  *time = now;
  return TRUE;
}

static void
set_free (gpointer data)
{
  Set *set = data;

  if (set->node != NULL)
    pyro_node_unref (set->node);
  g_free (set);
}

static const gchar *
shorten (PyroLabelSets *sets, const gchar *name, PyroLabelLevel level)
{
  g_autofree gchar *stripped = NULL;

  if (level == PYRO_LABELS_FULL)
    return name;
  if (level == PYRO_LABELS_OTHERS)
    return OTHERS;
  stripped = pyro_strip_numbers (name);
  return g_string_chunk_insert_const (sets->strings, stripped);
}

static void
set_names (PyroLabelSets *sets, Set *set, PyroLabelLevel level)
{
  if (set->node != NULL) {
    set->pipeline = shorten (sets, set->node->pipeline, level);
    set->path = shorten (sets, set->node->path, level);
    set->element = shorten (sets, set->node->element, level);
  }
  set->thread = shorten (sets, set->entry->thread, level);
}

static const gchar *
attribution_of (const Set *set)
{
  PyroAttribution attribution = pyro_label_word_attribution (set->entry->label);

  /* How an element was found, if there is one. */
  if (set->node == NULL && attribution != PYRO_ATTRIBUTION_UNSAMPLED
      && set->entry->label != PYRO_LABEL_SHARED)
    attribution = PYRO_ATTRIBUTION_NONE;
  return attribution_names[attribution];
}

static guint
fill (const PyroLabelSets *sets, const Set *set,
      PyroLabel labels[PYRO_MAX_LABELS])
{
  guint wanted = sets->history->wanted;
  guint n = 0;

#define ADD(flag, name, text) \
  if (wanted & (flag))        \
    labels[n++] = (PyroLabel) \
    {                         \
      name, text              \
    }
  if (set->node != NULL) {
    ADD (PYRO_LABEL_PIPELINE, "pipeline", set->pipeline);
    ADD (PYRO_LABEL_PATH, "path", set->path);
    ADD (PYRO_LABEL_ELEMENT, "element", set->element);
    ADD (PYRO_LABEL_FACTORY, "factory", set->node->factory);
  }
  ADD (PYRO_LABEL_THREAD, "thread", set->thread);
  ADD (PYRO_LABEL_ATTRIBUTION, "attribution", attribution_of (set));
#undef ADD
  return n;
}

/* Of the fullest level that has room. */
static void
choose_level (PyroLabelSets *sets, Set *set, gint64 now)
{
  PyroLabelLevel level = PYRO_LABELS_FULL;

  for (; level < PYRO_LABELS_OTHERS; level++) {
    g_autoptr (GString) text = g_string_new (NULL);
    PyroLabel labels[PYRO_MAX_LABELS];
    guint n;

    set_names (sets, set, level);
    n = fill (sets, set, labels);
    for (guint i = 0; i < n; i++)
      g_string_append_printf (text, "%s=%s\n", labels[i].key, labels[i].value);
    if (history_add (sets->history, level, text->str, now))
      break;
  }
  if (level == PYRO_LABELS_OTHERS)
    set_names (sets, set, level);
  sets->n[level]++;
}

static gint
by_time_used (gconstpointer a, gconstpointer b)
{
  const Set *set_a = *(Set *const *)a;
  const Set *set_b = *(Set *const *)b;

  return set_a->nanoseconds < set_b->nanoseconds
             ? 1
             : -(set_a->nanoseconds > set_b->nanoseconds);
}

static GPtrArray *
collect (PyroLabelSets *sets, const PyroAggregate *aggregate)
{
  GPtrArray *all = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer key;

  g_hash_table_iter_init (&iter, aggregate->entries);
  while (g_hash_table_iter_next (&iter, &key, NULL)) {
    const PyroAggregateEntry *entry = key;
    Set *set = g_hash_table_lookup (sets->by_entry, entry);

    if (set == NULL) {
      set = g_new0 (Set, 1);
      set->entry = entry;
      set->node = pyro_nodes_ref (pyro_label_word_node (entry->label));
      g_hash_table_insert (sets->by_entry, key, set);
      g_ptr_array_add (all, set);
    }
    set->nanoseconds += entry->nanoseconds;
  }
  return all;
}

void
pyro_label_sets_init (PyroLabelSets *sets, PyroLabelHistory *history,
                      const PyroAggregate *aggregate, gint64 now)
{
  gint64 oldest = now - HISTORY_US;
  GPtrArray *all;

  *sets = (PyroLabelSets){
    .history = history,
    .by_entry = g_hash_table_new_full (entry_hash, entry_equal, NULL, set_free),
    .strings = g_string_chunk_new (1024),
  };
  for (guint i = 0; i < G_N_ELEMENTS (history->sent); i++)
    g_hash_table_foreach_remove (history->sent[i], is_long_ago, &oldest);
  all = collect (sets, aggregate);
  g_ptr_array_sort (all, by_time_used);
  for (guint i = 0; i < all->len; i++)
    choose_level (sets, g_ptr_array_index (all, i), now);
  g_ptr_array_unref (all);
}

void
pyro_label_sets_clear (PyroLabelSets *sets)
{
  g_clear_pointer (&sets->by_entry, g_hash_table_unref);
  g_clear_pointer (&sets->strings, g_string_chunk_free);
}

guint
pyro_label_sets_make (const PyroLabelSets *sets,
                      const PyroAggregateEntry *entry,
                      PyroLabel labels[PYRO_MAX_LABELS])
{
  return fill (sets, g_hash_table_lookup (sets->by_entry, entry), labels);
}

const gchar *
pyro_label_sets_path (const PyroLabelSets *sets,
                      const PyroAggregateEntry *entry)
{
  const Set *set = g_hash_table_lookup (sets->by_entry, entry);

  return set->path;
}
