/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "profile/profile-split.h"

#include <string.h>

#include "profile/profile-copy.h"

typedef struct {
  const PyroProfile *profile;
  const guint *set; /* of each sample; the same number is the same set */
  gsize max_bytes;
  guint max_samples;
  gint64 shift; /* of the last part's time, ns */
  GPtrArray *parts;
} Split;

/* One sample and the labels that the server makes a series of. */
typedef struct {
  PyroSample sample;
  gchar *key;
} Keyed;

/* ------------------------------------------------------ sets of labels -- */

/* What stays with the sample on a server. */
static gboolean
is_of_the_sample (const PyroSampleLabel *label)
{
  return label->str == NULL || strcmp (label->key, "trace_id") == 0
         || strcmp (label->key, "span_id") == 0
         || strcmp (label->key, "profile_id") == 0;
}

static gint
compare_labels (gconstpointer a, gconstpointer b)
{
  const PyroSampleLabel *one = *(const PyroSampleLabel *const *)a;
  const PyroSampleLabel *other = *(const PyroSampleLabel *const *)b;
  gint order = strcmp (one->key, other->key);

  return order != 0 ? order : strcmp (one->str, other->str);
}

/* Equal for samples of one series, whatever the order of their labels.
 * (transfer full) */
static gchar *
set_key (const PyroSample *sample)
{
  g_autoptr (GPtrArray) labels = g_ptr_array_new ();
  GString *key = g_string_new (NULL);

  for (gsize i = 0; i < sample->n_labels; i++) {
    if (!is_of_the_sample (&sample->labels[i]))
      g_ptr_array_add (labels, (gpointer)&sample->labels[i]);
  }
  g_ptr_array_sort (labels, compare_labels);
  for (guint i = 0; i < labels->len; i++) {
    const PyroSampleLabel *label = labels->pdata[i];

    /* No text can look like two: its length comes first. */
    g_string_append_printf (key, "%zu:%s%zu:%s", strlen (label->key),
                            label->key, strlen (label->str), label->str);
  }
  return g_string_free (key, FALSE);
}

static gint
compare_keys (gconstpointer a, gconstpointer b, gpointer user_data)
{
  return strcmp (((const Keyed *)a)->key, ((const Keyed *)b)->key);
}

/* Puts the samples of one set beside each other, in the order that they have.
 * Returns the number of each one's set. (transfer full) */
static guint *
order_by_set (PyroProfile *profile)
{
  g_autofree Keyed *keyed = g_new (Keyed, profile->n_samples);
  guint *set = g_new (guint, profile->n_samples);

  for (gsize i = 0; i < profile->n_samples; i++)
    keyed[i] = (Keyed){ profile->samples[i], set_key (&profile->samples[i]) };
  /* A stable sort. */
  g_qsort_with_data (keyed, (gint)profile->n_samples, sizeof *keyed,
                     compare_keys, NULL);
  for (gsize i = 0; i < profile->n_samples; i++) {
    gboolean is_same = i > 0 && strcmp (keyed[i].key, keyed[i - 1].key) == 0;

    profile->samples[i] = keyed[i].sample;
    set[i] = i == 0 ? 0 : set[i - 1] + !is_same;
  }
  for (gsize i = 0; i < profile->n_samples; i++)
    g_free (keyed[i].key);
  return set;
}

/* --------------------------------------------------------------- parts -- */

/* Where a set ends, as near to the middle as there is one; else the middle. */
static gsize
cut_between (const Split *split, gsize first, gsize end)
{
  gsize middle = first + (end - first) / 2;

  for (gsize d = 0; d < end - first; d++) {
    if (middle + d < end
        && split->set[middle + d] != split->set[middle + d - 1])
      return middle + d;
    if (middle - d > first && middle >= d
        && split->set[middle - d] != split->set[middle - d - 1])
      return middle - d;
  }
  return middle;
}

/* A set that began in the last part goes on in this one. */
static gint64
shift_of_part (const Split *split, gsize first)
{
  return first > 0 && split->set[first] == split->set[first - 1]
             ? split->shift + 1
             : 0;
}

/* Halves until it fits. Samples share locations and strings, so that the size
 * of a part is only known once it is encoded. */
static void
split_range (Split *split, gsize first, gsize end)
{
  gsize n = end - first, cut;

  if (n <= split->max_samples || n <= 1) {
    gint64 shift = shift_of_part (split, first);
    g_autoptr (GBytes) part = pyro_profile_encode_range (
        split->profile, first, end, shift, split->parts->len == 0);

    if (g_bytes_get_size (part) <= split->max_bytes || n <= 1) {
      g_ptr_array_add (split->parts, g_steal_pointer (&part));
      split->shift = shift;
      return;
    }
  }
  cut = cut_between (split, first, end);
  split_range (split, first, cut);
  split_range (split, cut, end);
}

GPtrArray *
pyro_profile_split (GBytes *pprof, gsize max_bytes, guint max_samples,
                    GError **error)
{
  /* What this process has built is not to be distrusted for its size. */
  static const PyroProfileLimits limits = { G_MAXSIZE, G_MAXSIZE };
  g_autoptr (PyroProfile) profile = pyro_profile_decode (pprof, &limits, error);
  g_autoptr (GPtrArray) parts = NULL;

  if (profile == NULL)
    return NULL;
  parts = g_ptr_array_new_with_free_func ((GDestroyNotify)g_bytes_unref);
  if (g_bytes_get_size (pprof) <= max_bytes
      && profile->n_samples <= max_samples) {
    g_ptr_array_add (parts, g_bytes_ref (pprof));
  } else {
    g_autofree guint *set = order_by_set (profile);
    Split split = { profile, set, max_bytes, max_samples, 0, parts };

    split_range (&split, 0, profile->n_samples);
  }
  return g_steal_pointer (&parts);
}
