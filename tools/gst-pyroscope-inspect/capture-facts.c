/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "capture-facts.h"

#include <string.h>

#include "label-names.h"
#include "profile/profile-comments.h"
#include "profile/saturated.h"
#include "selection.h"

static void
clear_key (gpointer fact)
{
  /* Both kinds of facts begin with their key. */
  g_free (*(gchar **)fact);
}

static GArray *
new_list (gsize size)
{
  GArray *list = g_array_new (FALSE, FALSE, size);

  g_array_set_clear_func (list, clear_key);
  return list;
}

/* Whether COMMENT is "PREFIXkey=value", and then added to LIST. */
static gboolean
take (GArray *list, const gchar *comment, const gchar *prefix)
{
  const gchar *equals = strchr (comment, '=');
  PyroFact fact;

  if (equals == NULL || !g_str_has_prefix (comment, prefix)
      || equals < comment + strlen (prefix))
    return FALSE;
  comment += strlen (prefix);
  fact.key = g_strndup (comment, equals - comment);
  fact.value = equals + 1;
  g_array_append_val (list, fact);
  return TRUE;
}

static void
sort_comments (PyroCaptureFacts *facts, const PyroProfile *profile)
{
  gsize i;

  for (i = 0; i < profile->n_comments; i++) {
    const gchar *comment = profile->comments[i];

    if (!take (facts->series, comment, PYRO_COMMENT_SERIES)
        && !take (facts->truncated, comment, PYRO_COMMENT_TRUNCATED_REASON)
        && !take (facts->stats, comment, PYRO_COMMENT_STATS)
        && !take (facts->sampler, comment, PYRO_COMMENT_SAMPLER)
        && !take (facts->names, comment, PYRO_COMMENT_NAMES))
      g_ptr_array_add (facts->notes, (gpointer)comment);
  }
}

static void
add_label (PyroCaptureFacts *facts, const PyroProfile *profile, guint type,
           const gchar *key)
{
  g_auto (GStrv) values = pyro_label_values (profile, key);
  PyroLabelFact fact = { g_strdup (key), g_strv_length (values), 0 };
  gsize i;

  for (i = 0; i < profile->n_samples; i++) {
    const PyroSample *sample = &profile->samples[i];

    if (pyro_sample_get_label (sample, key) != NULL)
      fact.covered = pyro_saturated_add (fact.covered, sample->values[type]);
  }
  g_array_append_val (facts->labels, fact);
}

void
pyro_capture_facts_init (PyroCaptureFacts *facts, const PyroProfile *profile,
                         guint type)
{
  g_auto (GStrv) names = pyro_label_names (profile);
  gsize i;

  facts->series = new_list (sizeof (PyroFact));
  facts->stats = new_list (sizeof (PyroFact));
  facts->sampler = new_list (sizeof (PyroFact));
  facts->truncated = new_list (sizeof (PyroFact));
  facts->names = new_list (sizeof (PyroFact));
  facts->labels = new_list (sizeof (PyroLabelFact));
  facts->notes = g_ptr_array_new ();
  sort_comments (facts, profile);
  for (i = 0; names[i] != NULL; i++)
    add_label (facts, profile, type, names[i]);
  facts->totals = g_new (gint64, profile->n_sample_types);
  for (i = 0; i < profile->n_sample_types; i++)
    facts->totals[i] = pyro_selection_sum (profile, i);
}

void
pyro_capture_facts_clear (PyroCaptureFacts *facts)
{
  g_array_unref (facts->series);
  g_array_unref (facts->stats);
  g_array_unref (facts->sampler);
  g_array_unref (facts->truncated);
  g_array_unref (facts->names);
  g_array_unref (facts->labels);
  g_ptr_array_unref (facts->notes);
  g_free (facts->totals);
}

const gchar *
pyro_fact_get (const GArray *facts, const gchar *key)
{
  guint i;

  for (i = 0; i < facts->len; i++) {
    const PyroFact *fact = &g_array_index (facts, PyroFact, i);

    if (strcmp (fact->key, key) == 0)
      return fact->value;
  }
  return NULL;
}

gboolean
pyro_fact_get_count (const GArray *facts, const gchar *key, gint64 *count)
{
  const gchar *value = pyro_fact_get (facts, key);

  return value != NULL
         && g_ascii_string_to_signed (value, 10, G_MININT64, G_MAXINT64, count,
                                      NULL);
}
