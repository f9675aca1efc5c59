/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "captured.h"

#include <gst/check/gstcheck.h>
#include <glib/gstdio.h>

#include "profile/profile.h"

#define CPU_VALUE 1 /* after samples/count */

static guint64
cpu_of_file (const gchar *path, const PyroLabel *labels, guint n_labels)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (PyroProfile) profile = NULL;
  gchar *data;
  gsize size;
  guint64 sum = 0;

  if (!g_file_get_contents (path, &data, &size, &error))
    fail ("%s", error->message);
  bytes = g_bytes_new_take (data, size);
  profile = pyro_profile_decode (bytes, NULL, &error);
  if (profile == NULL)
    fail ("%s: %s", path, error->message);
  fail_unless_equals_int (profile->n_sample_types, 2);
  fail_unless_equals_string (profile->sample_types[CPU_VALUE].type, "cpu");
  pyro_profile_filter (profile, labels, n_labels);
  for (gsize i = 0; i < profile->n_samples; i++)
    sum += (guint64)profile->samples[i].values[CPU_VALUE];
  return sum;
}

guint64
captured_cpu (const gchar *folder, const PyroLabel *labels)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const gchar *name;
  guint n_labels = 0;
  guint64 sum = 0;

  while (labels[n_labels].key != NULL)
    n_labels++;
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree gchar *path = g_build_filename (folder, name, NULL);

    sum += cpu_of_file (path, labels, n_labels);
  }
  return sum;
}

gdouble
captured_share (const gchar *folder, const gchar *pipeline, const gchar *key,
                const gchar *value)
{
  PyroLabel all[] = { { "pipeline", pipeline }, { NULL, NULL } };
  PyroLabel part[]
      = { { "pipeline", pipeline }, { key, value }, { NULL, NULL } };
  guint64 total = captured_cpu (folder, all);

  fail_unless (total > 0, "no sample of pipeline %s", pipeline);
  return (gdouble)captured_cpu (folder, part) / (gdouble)total;
}

guint
captured_count (const gchar *folder)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  guint n = 0;

  while (dir != NULL && g_dir_read_name (dir) != NULL)
    n++;
  return n;
}

void
captured_remove (const gchar *folder)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const gchar *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree gchar *path = g_build_filename (folder, name, NULL);

    g_unlink (path);
  }
  g_rmdir (folder);
}
