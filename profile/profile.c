/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "profile/profile.h"

#include <string.h>

#include "profile/arena.h"
#include "profile/profile-copy.h"

void
pyro_profile_free (PyroProfile *profile)
{
  if (profile == NULL)
    return;
  pyro_arena_free (profile->arena);
  g_free (profile);
}

GBytes *
pyro_profile_encode (const PyroProfile *profile)
{
  return pyro_profile_encode_range (profile, 0, profile->n_samples, 0, TRUE);
}

gchar *
pyro_sample_label_to_string (const PyroSampleLabel *label)
{
  if (label->str != NULL)
    return g_strdup (label->str);
  return g_strdup_printf ("%" G_GINT64_FORMAT "%s%s", label->num,
                          *label->unit != '\0' ? " " : "", label->unit);
}

const PyroSampleLabel *
pyro_sample_get_label (const PyroSample *sample, const gchar *key)
{
  gsize i;

  for (i = 0; i < sample->n_labels; i++) {
    if (strcmp (sample->labels[i].key, key) == 0)
      return &sample->labels[i];
  }
  return NULL;
}

static gboolean
label_is (const PyroSampleLabel *label, const gchar *value)
{
  g_autofree gchar *text = NULL;

  if (label->str != NULL)
    return strcmp (label->str, value) == 0;
  text = pyro_sample_label_to_string (label);
  return strcmp (text, value) == 0;
}

/* A label may be there several times, then one that matches is enough. */
static gboolean
sample_matches (const PyroSample *sample, const PyroLabel *wanted)
{
  gsize i;

  if (wanted->value == NULL)
    return pyro_sample_get_label (sample, wanted->key) == NULL;
  for (i = 0; i < sample->n_labels; i++) {
    if (strcmp (sample->labels[i].key, wanted->key) == 0
        && label_is (&sample->labels[i], wanted->value))
      return TRUE;
  }
  return FALSE;
}

void
pyro_profile_filter (PyroProfile *profile, const PyroLabel *labels,
                     guint n_labels)
{
  gsize i, kept = 0;

  for (i = 0; i < profile->n_samples; i++) {
    guint k = 0;

    while (k < n_labels && sample_matches (&profile->samples[i], &labels[k]))
      k++;
    if (k == n_labels)
      profile->samples[kept++] = profile->samples[i];
  }
  profile->n_samples = kept;
}

const gchar *
pyro_profile_get_comment (const PyroProfile *profile, const gchar *key)
{
  gsize length = strlen (key);
  gsize i;

  for (i = 0; i < profile->n_comments; i++) {
    const gchar *comment = profile->comments[i];

    if (strncmp (comment, key, length) == 0 && comment[length] == '=')
      return comment + length + 1;
  }
  return NULL;
}
