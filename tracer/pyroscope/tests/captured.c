/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "captured.h"

#include <gst/check/gstcheck.h>
#include <glib/gstdio.h>
#include <stdlib.h>

#include "profile/profile-comments.h"
#include "profile/profile.h"

#define CPU_VALUE 1 /* after samples/count */
#define MAX_LABELS 8

static PyroProfile *
read_file (const gchar *path)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = NULL;
  PyroProfile *profile;
  gchar *data;
  gsize size;

  if (!g_file_get_contents (path, &data, &size, &error))
    fail ("%s", error->message);
  bytes = g_bytes_new_take (data, size);
  profile = pyro_profile_decode (bytes, NULL, &error);
  if (profile == NULL)
    fail ("%s: %s", path, error->message);
  fail_unless_equals_int (profile->n_sample_types, 2);
  fail_unless_equals_string (profile->sample_types[CPU_VALUE].type, "cpu");
  return profile;
}

PyroCaptured *
pyro_captured_read (const gchar *folder)
{
  PyroCaptured *captured = g_new0 (PyroCaptured, 1);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const gchar *name;

  captured->profiles
      = g_ptr_array_new_with_free_func ((GDestroyNotify)pyro_profile_free);
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree gchar *path = g_build_filename (folder, name, NULL);
    PyroProfile *profile = read_file (path);
    const gchar *looks
        = pyro_profile_get_comment (profile, PYRO_COMMENT_SAMPLES);

    fail_unless (looks != NULL);
    captured->looks += strtoull (looks, NULL, 10);
    g_ptr_array_add (captured->profiles, profile);
  }
  return captured;
}

void
pyro_captured_free (PyroCaptured *captured)
{
  g_ptr_array_unref (captured->profiles);
  g_free (captured);
}

static gboolean
has_labels (const PyroSample *sample, const PyroLabel *labels, guint n)
{
  for (guint i = 0; i < n; i++) {
    const PyroSampleLabel *label
        = pyro_sample_get_label (sample, labels[i].key);

    if (g_strcmp0 (label != NULL ? label->str : NULL, labels[i].value) != 0)
      return FALSE;
  }
  return TRUE;
}

guint64
pyro_captured_cpu (const PyroCaptured *captured, ...)
{
  PyroLabel labels[MAX_LABELS];
  guint64 ns = 0;
  guint n = 0;
  va_list args;

  va_start (args, captured);
  while (n < MAX_LABELS
         && (labels[n].key = va_arg (args, const gchar *)) != NULL)
    labels[n++].value = va_arg (args, const gchar *);
  va_end (args);

  for (guint i = 0; i < captured->profiles->len; i++) {
    const PyroProfile *profile = g_ptr_array_index (captured->profiles, i);

    for (gsize j = 0; j < profile->n_samples; j++)
      if (has_labels (&profile->samples[j], labels, n))
        ns += (guint64)profile->samples[j].values[CPU_VALUE];
  }
  return ns;
}

static gint
compare (gconstpointer a, gconstpointer b)
{
  return g_strcmp0 (*(const gchar *const *)a, *(const gchar *const *)b);
}

GStrv
pyro_captured_values (const PyroCaptured *captured, const gchar *key)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);
  GPtrArray *values = g_ptr_array_new ();

  for (guint i = 0; i < captured->profiles->len; i++) {
    const PyroProfile *profile = g_ptr_array_index (captured->profiles, i);

    for (gsize j = 0; j < profile->n_samples; j++) {
      const PyroSampleLabel *label
          = pyro_sample_get_label (&profile->samples[j], key);

      if (label != NULL && g_hash_table_add (seen, (gpointer)label->str))
        g_ptr_array_add (values, g_strdup (label->str));
    }
  }
  g_ptr_array_sort (values, compare);
  g_ptr_array_add (values, NULL);
  return (GStrv)g_ptr_array_free (values, FALSE);
}

gboolean
pyro_captured_has_comment (const PyroCaptured *captured, const gchar *key,
                           const gchar *value)
{
  for (guint i = 0; i < captured->profiles->len; i++) {
    const gchar *comment = pyro_profile_get_comment (
        g_ptr_array_index (captured->profiles, i), key);

    if (comment != NULL && (value == NULL || g_str_equal (comment, value)))
      return TRUE;
  }
  return FALSE;
}

guint
pyro_captured_count (const gchar *folder)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  guint n = 0;

  while (dir != NULL && g_dir_read_name (dir) != NULL)
    n++;
  return n;
}

void
pyro_captured_clear (const gchar *folder)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const gchar *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree gchar *path = g_build_filename (folder, name, NULL);

    g_unlink (path);
  }
}

void
pyro_captured_remove (const gchar *folder)
{
  pyro_captured_clear (folder);
  g_rmdir (folder);
}
