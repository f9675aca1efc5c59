/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"
#include "log.h"
#include "profile/profile-builder.h"

#include <glib/gstdio.h>
#include <string.h>

static GMutex log_lock;
static GString *log_text;

static void
label_clear (gpointer data)
{
  PyroLabel *label = data;

  g_free ((gchar *)label->key);
  g_free ((gchar *)label->value);
}

static GArray *
labels_new (void)
{
  GArray *labels = g_array_new (FALSE, FALSE, sizeof (PyroLabel));

  g_array_set_clear_func (labels, label_clear);
  return labels;
}

PyroSettings *
fixture_settings_new (void)
{
  PyroSettings *settings = g_new0 (PyroSettings, 1);

  settings->server_url = g_strdup ("");
  settings->tracer_name = g_strdup ("gst.pyroscope");
  settings->sample_rate = 100;
  settings->tags = g_strdup ("");
  settings->output_dir = g_strdup ("");
  settings->output_max_bytes = 0;
  settings->output_mode = g_strdup ("0600");
  settings->spool_dir = g_strdup ("");
  settings->spool_max_bytes = 256 * 1024 * 1024;
  settings->queue_max_bytes = 32 * 1024 * 1024;
  settings->upload_interval = 1;
  settings->stop_timeout = 5;
  settings->basic_auth_user = g_strdup ("");
  settings->basic_auth_password = g_strdup ("");
  settings->auth_token = g_strdup ("");
  settings->tenant_id = g_strdup ("");
  settings->http_headers = g_strdup ("");
  settings->basic_auth_password_file = g_strdup ("");
  settings->auth_token_file = g_strdup ("");
  settings->ca_file = g_strdup ("");
  settings->client_cert_file = g_strdup ("");
  settings->client_key_file = g_strdup ("");
  settings->tag_list = labels_new ();
  settings->header_list = labels_new ();
  return settings;
}

void
fixture_settings_free (PyroSettings *settings)
{
  g_free (settings->server_url);
  g_free (settings->tracer_name);
  g_free (settings->tags);
  g_free (settings->output_dir);
  g_free (settings->basic_auth_user);
  g_free (settings->basic_auth_password);
  g_free (settings->auth_token);
  g_free (settings->tenant_id);
  g_free (settings->http_headers);
  g_free (settings->output_mode);
  g_free (settings->spool_dir);
  g_free (settings->basic_auth_password_file);
  g_free (settings->auth_token_file);
  g_free (settings->ca_file);
  g_free (settings->client_cert_file);
  g_free (settings->client_key_file);
  g_array_unref (settings->tag_list);
  g_array_unref (settings->header_list);
  g_free (settings);
}

void
fixture_set (gchar **setting, const gchar *value)
{
  g_free (*setting);
  *setting = g_strdup (value);
}

void
fixture_add_label (GArray *list, const gchar *key, const gchar *value)
{
  PyroLabel label = { g_strdup (key), g_strdup (value) };

  g_array_append_val (list, label);
}

GBytes *
fixture_pprof_new (guint n_samples, guint label_bytes)
{
  const PyroValueType types[]
      = { { "samples", "count" }, { "cpu", "nanoseconds" } };
  g_autoptr (PyroProfileBuilder) builder
      = pyro_profile_builder_new (types, 2, types[1], 10000000);
  guint64 function
      = pyro_profile_builder_add_function (builder, "f", "f", "f.c", 1);
  PyroLine line = { function, 2 };
  guint64 location
      = pyro_profile_builder_add_location (builder, 0, 0x1000, &line, 1);

  pyro_profile_builder_set_time (builder,
                                 G_GINT64_CONSTANT (1700000000000000000),
                                 G_GINT64_CONSTANT (10000000000));
  for (guint i = 0; i < n_samples; i++) {
    g_autofree gchar *name = g_strdup_printf ("%0*u", (int)label_bytes, i);
    PyroLabel label = { "element", name };
    gint64 values[] = { 1, 7 };

    pyro_profile_builder_add_sample (builder, &location, 1, values, &label, 1);
  }
  return pyro_profile_builder_encode (builder);
}

static void
keep_message (GstDebugCategory *category, GstDebugLevel level,
              const gchar *file, const gchar *function, gint line,
              GObject *object, GstDebugMessage *message, gpointer user_data)
{
  /* The names are padded with blanks. */
  g_autofree gchar *name = g_strdup (gst_debug_level_get_name (level));

  if (category != pyro_debug)
    return;
  g_mutex_lock (&log_lock);
  g_string_append_printf (log_text, "%s %s\n", g_strchomp (name),
                          gst_debug_message_get (message));
  g_mutex_unlock (&log_lock);
}

void
fixture_log_start (void)
{
  pyro_log_init ();
  log_text = g_string_new (NULL);
  gst_debug_set_active (TRUE);
  gst_debug_remove_log_function (gst_debug_log_default);
  gst_debug_add_log_function (keep_message, NULL, NULL);
  gst_debug_category_set_threshold (pyro_debug, GST_LEVEL_LOG);
}

gchar *
fixture_log_take (void)
{
  gchar *text;

  g_mutex_lock (&log_lock);
  text = g_strdup (log_text->str);
  g_string_truncate (log_text, 0);
  g_mutex_unlock (&log_lock);
  return text;
}

guint
fixture_count (const gchar *text, const gchar *needle)
{
  guint n = 0;

  while ((text = strstr (text, needle)) != NULL) {
    n++;
    text += strlen (needle);
  }
  return n;
}

gchar *
fixture_dir_new (void)
{
  g_autoptr (GError) error = NULL;
  gchar *dir = g_dir_make_tmp ("pyro-delivery-XXXXXX", &error);

  g_assert_no_error (error);
  return dir;
}

static void
remove_tree (const gchar *path)
{
  g_autoptr (GPtrArray) names = NULL;

  if (g_file_test (path, G_FILE_TEST_IS_DIR)) {
    names = fixture_dir_list (path);
    for (guint i = 0; names != NULL && i < names->len; i++) {
      g_autofree gchar *child = g_build_filename (path, names->pdata[i], NULL);

      remove_tree (child);
    }
  }
  g_remove (path);
}

void
fixture_dir_remove (gchar *dir)
{
  remove_tree (dir);
  g_free (dir);
}

static gint
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const gchar *const *)a, *(const gchar *const *)b);
}

GPtrArray *
fixture_dir_list (const gchar *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  GPtrArray *names;
  const gchar *name;

  if (dir == NULL)
    return NULL;
  names = g_ptr_array_new_with_free_func (g_free);
  while ((name = g_dir_read_name (dir)) != NULL)
    g_ptr_array_add (names, g_strdup (name));
  g_ptr_array_sort (names, compare_names);
  return names;
}
