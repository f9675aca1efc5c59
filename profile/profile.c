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

/* TRUE where all samples have it now. */
static gboolean
add_label (PyroProfile *profile, PyroSample *sample,
           const PyroSampleLabel *label)
{
  PyroSampleLabel *labels = pyro_arena_alloc_n (
      profile->arena, sample->n_labels + 1, sizeof (*labels));

  if (labels == NULL)
    return FALSE;
  if (sample->n_labels > 0)
    memcpy (labels, sample->labels, sample->n_labels * sizeof (*labels));
  labels[sample->n_labels++] = *label;
  sample->labels = labels;
  return TRUE;
}

static const gchar *
copy_text (PyroProfile *profile, const gchar *text)
{
  gchar *copy = pyro_arena_alloc (profile->arena, strlen (text) + 1);

  return copy != NULL ? strcpy (copy, text) : NULL;
}

void
pyro_profile_add_label (PyroProfile *profile, const gchar *key,
                        const gchar *value)
{
  PyroSampleLabel label
      = { copy_text (profile, key), copy_text (profile, value), 0, "" };
  gsize i;

  if (label.key == NULL || label.str == NULL)
    return;
  for (i = 0; i < profile->n_samples; i++) {
    if (pyro_sample_get_label (&profile->samples[i], key) == NULL
        && !add_label (profile, &profile->samples[i], &label))
      return;
  }
}
