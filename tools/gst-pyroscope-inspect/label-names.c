/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "label-names.h"

#include <string.h>

#include "inspect-error.h"
#include "text.h"

static gint
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const gchar *const *)a, *(const gchar *const *)b);
}

gchar **
pyro_names_sorted (GHashTable *set)
{
  GPtrArray *names = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer name;

  g_hash_table_iter_init (&iter, set);
  while (g_hash_table_iter_next (&iter, &name, NULL))
    g_ptr_array_add (names, g_strdup (name));
  g_ptr_array_sort (names, compare_names);
  g_ptr_array_add (names, NULL);
  return (gchar **)g_ptr_array_free (names, FALSE);
}

gchar **
pyro_label_names (const PyroProfile *profile)
{
  g_autoptr (GHashTable) set = g_hash_table_new (g_str_hash, g_str_equal);
  gsize i, k;

  for (i = 0; i < profile->n_samples; i++) {
    for (k = 0; k < profile->samples[i].n_labels; k++)
      g_hash_table_add (set, (gpointer)profile->samples[i].labels[k].key);
  }
  return pyro_names_sorted (set);
}

gchar **
pyro_label_values (const PyroProfile *profile, const gchar *key)
{
  g_autoptr (GHashTable) set
      = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  gsize i, k;

  for (i = 0; i < profile->n_samples; i++) {
    const PyroSample *sample = &profile->samples[i];

    for (k = 0; k < sample->n_labels; k++) {
      if (strcmp (sample->labels[k].key, key) == 0)
        g_hash_table_add (set,
                          pyro_sample_label_to_string (&sample->labels[k]));
    }
  }
  return pyro_names_sorted (set);
}

gchar *
pyro_label_value_or_none (const PyroSample *sample, const gchar *key)
{
  GString *text = NULL;
  gsize i;

  for (i = 0; i < sample->n_labels; i++) {
    g_autofree gchar *value = NULL;

    if (strcmp (sample->labels[i].key, key) != 0)
      continue;
    value = pyro_sample_label_to_string (&sample->labels[i]);
    if (text == NULL)
      text = g_string_new (value);
    else
      g_string_append_printf (text, ", %s", value);
  }
  return text != NULL ? g_string_free (text, FALSE)
                      : g_strdup (PYRO_LABEL_NONE);
}

gboolean
pyro_label_check (const PyroProfile *profile, const gchar *key, GError **error)
{
  g_auto (GStrv) names = pyro_label_names (profile);
  g_autofree gchar *suggestion = NULL;

  if (profile->n_samples == 0
      || g_strv_contains ((const gchar *const *)names, key))
    return TRUE;
  suggestion = pyro_text_suggest (key, (const gchar *const *)names);
  g_set_error (error, PYRO_INSPECT_ERROR, PYRO_INSPECT_ERROR_UNKNOWN,
               "no sample has the label \"%s\"%s", key, suggestion);
  return FALSE;
}
