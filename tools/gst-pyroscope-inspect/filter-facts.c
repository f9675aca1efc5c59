/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "filter-facts.h"

#include <string.h>

#include "inspect-error.h"
#include "label-names.h"
#include "text.h"

void
pyro_filter_facts_init (PyroFilterFacts *facts, const GArray *filters)
{
  *facts = (PyroFilterFacts){
    .filters = filters,
    .names = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL),
    .values
    = g_ptr_array_new_with_free_func ((GDestroyNotify)g_hash_table_unref),
  };
  for (guint i = 0; i < filters->len; i++)
    g_ptr_array_add (facts->values, g_hash_table_new_full (
                                        g_str_hash, g_str_equal, g_free, NULL));
}

void
pyro_filter_facts_clear (PyroFilterFacts *facts)
{
  g_hash_table_unref (facts->names);
  g_ptr_array_unref (facts->values);
}

/* The set SET with a copy of NAME in it. SEEN has the addresses of strings that
 * were looked at: a profile has one string for each text. */
static void
add_text (GHashTable *set, GHashTable *seen, const gchar *text)
{
  if (g_hash_table_add (seen, (gpointer)text)
      && !g_hash_table_contains (set, text))
    g_hash_table_add (set, g_strdup (text));
}

static void
add_value (GHashTable *set, GHashTable *seen, const PyroSampleLabel *label)
{
  if (label->str != NULL)
    add_text (set, seen, label->str);
  else
    g_hash_table_add (set, pyro_sample_label_to_string (label));
}

void
pyro_filter_facts_add (PyroFilterFacts *facts, const PyroProfile *profile)
{
  g_autoptr (GHashTable) seen_names = g_hash_table_new (NULL, NULL);
  guint f;
  gsize i, k;

  facts->n_samples += profile->n_samples;
  if (facts->filters->len == 0)
    return;
  for (i = 0; i < profile->n_samples; i++) {
    for (k = 0; k < profile->samples[i].n_labels; k++)
      add_text (facts->names, seen_names, profile->samples[i].labels[k].key);
  }
  for (f = 0; f < facts->filters->len; f++) {
    g_autoptr (GHashTable) seen = g_hash_table_new (NULL, NULL);
    const gchar *key = g_array_index (facts->filters, PyroLabelFilter, f).key;

    for (i = 0; i < profile->n_samples; i++) {
      const PyroSample *sample = &profile->samples[i];

      for (k = 0; k < sample->n_labels; k++) {
        if (strcmp (sample->labels[k].key, key) == 0)
          add_value (facts->values->pdata[f], seen, &sample->labels[k]);
      }
    }
  }
}

static gboolean
any_matches (const PyroLabelFilter *filter, GHashTable *values)
{
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, values);
  while (g_hash_table_iter_next (&iter, &value, NULL)) {
    if (pyro_label_filter_matches (filter, value))
      return TRUE;
  }
  return FALSE;
}

static gboolean
check_filter (const PyroFilterFacts *facts, guint index, GError **error)
{
  const PyroLabelFilter *filter
      = &g_array_index (facts->filters, PyroLabelFilter, index);
  GHashTable *values = facts->values->pdata[index];
  g_autofree gchar *suggestion = NULL;

  if (!g_hash_table_contains (facts->names, filter->key)) {
    g_auto (GStrv) names = pyro_names_sorted (facts->names);

    suggestion = pyro_text_suggest (filter->key, (const gchar *const *)names);
    g_set_error (error, PYRO_INSPECT_ERROR, PYRO_INSPECT_ERROR_UNKNOWN,
                 "no sample has the label \"%s\"%s", filter->key, suggestion);
    return FALSE;
  }
  if (filter->negated || filter->match == PYRO_LABEL_ABSENT
      || any_matches (filter, values))
    return TRUE;
  {
    g_auto (GStrv) names = pyro_names_sorted (values);
    gboolean is_regex = filter->match == PYRO_LABEL_REGEX;
    const gchar *wanted
        = is_regex ? g_regex_get_pattern (filter->regex) : filter->value;

    suggestion = pyro_text_suggest (wanted, (const gchar *const *)names);
    g_set_error (error, PYRO_INSPECT_ERROR, PYRO_INSPECT_ERROR_UNKNOWN,
                 "no sample has the label %s%s\"%s\"%s", filter->key,
                 is_regex ? "~" : "=", wanted, suggestion);
  }
  return FALSE;
}

gboolean
pyro_filter_facts_check (const PyroFilterFacts *facts, GError **error)
{
  for (guint i = 0; i < facts->filters->len && facts->n_samples > 0; i++) {
    if (!check_filter (facts, i, error))
      return FALSE;
  }
  return TRUE;
}
