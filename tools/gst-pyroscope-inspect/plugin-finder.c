/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plugin-finder.h"

#include <string.h>

#include "inspect-error.h"

#define PLUGIN "libgstpyroscopetracer.so"
#define TRACER "pyroscope"

/* Of the two names, GStreamer reads the first one that is set. */
static const gchar *
plugin_variable (gchar **environment)
{
  return g_environ_getenv (environment, "GST_PLUGIN_PATH_1_0") != NULL
             ? "GST_PLUGIN_PATH_1_0"
             : "GST_PLUGIN_PATH";
}

static gboolean
is_there (const gchar *folder, GPtrArray *looked)
{
  g_autofree gchar *file = g_build_filename (folder, PLUGIN, NULL);

  g_ptr_array_add (looked, g_strdup (folder));
  return g_file_test (file, G_FILE_TEST_EXISTS);
}

static gchar *
find_beside_tool (GPtrArray *looked)
{
  static const gchar *const relative[] = { ".", "../../tracer/pyroscope" };
  g_autofree gchar *tool = g_file_read_link ("/proc/self/exe", NULL);
  g_autofree gchar *folder = tool != NULL ? g_path_get_dirname (tool) : NULL;

  for (guint i = 0; folder != NULL && i < G_N_ELEMENTS (relative); i++) {
    g_autofree gchar *path = g_canonicalize_filename (relative[i], folder);

    if (is_there (path, looked))
      return g_steal_pointer (&path);
  }
  return NULL;
}

static gboolean
is_in_path (const gchar *path, GPtrArray *looked)
{
  g_auto (GStrv) folders
      = g_strsplit (path != NULL ? path : "", G_SEARCHPATH_SEPARATOR_S, -1);

  for (guint i = 0; folders[i] != NULL; i++) {
    if (*folders[i] != '\0' && is_there (folders[i], looked))
      return TRUE;
  }
  return FALSE;
}

/* Where GStreamer looks by itself: what is named instead, or what is built in,
 * and the user's own folder. */
static gboolean
is_installed (gchar **environment, GPtrArray *looked)
{
  const gchar *system
      = g_environ_getenv (environment, "GST_PLUGIN_SYSTEM_PATH_1_0");
  g_autofree gchar *of_user = g_build_filename (
      g_get_user_data_dir (), "gstreamer-1.0", "plugins", NULL);

  if (system == NULL)
    system = g_environ_getenv (environment, "GST_PLUGIN_SYSTEM_PATH");
  if (system != NULL)
    return is_in_path (system, looked);
  return is_there (of_user, looked) || is_there (PYRO_PLUGINS_DIR, looked);
}

gchar *
pyro_plugin_find (gchar **environment, GError **error)
{
  g_autoptr (GPtrArray) looked = g_ptr_array_new_with_free_func (g_free);
  g_autofree gchar *list = NULL;
  gchar *folder = find_beside_tool (looked);

  if (folder != NULL)
    return folder;
  if (is_in_path (g_environ_getenv (environment, plugin_variable (environment)),
                  looked)
      || is_installed (environment, looked))
    return g_strdup ("");
  g_ptr_array_add (looked, NULL);
  list = g_strjoinv (", ", (gchar **)looked->pdata);
  g_set_error (error, PYRO_INSPECT_ERROR, PYRO_INSPECT_ERROR_UNKNOWN,
               "the tracer's plugin " PLUGIN
               " is in none of %s; install it, or name its folder in "
               "GST_PLUGIN_PATH",
               list);
  return NULL;
}

/* "pyroscope" or "pyroscope(...)", as GStreamer reads it. */
static gboolean
is_ours (const gchar *entry)
{
  gsize length = strlen (TRACER);

  while (g_ascii_isspace (*entry))
    entry++;
  return strncmp (entry, TRACER, length) == 0
         && (entry[length] == '\0' || entry[length] == '('
             || g_ascii_isspace (entry[length]));
}

static gchar **
add_tracer (gchar **environment, gchar **replaced)
{
  const gchar *tracers = g_environ_getenv (environment, "GST_TRACERS");
  g_autoptr (GString) text = g_string_new (NULL);
  g_auto (GStrv) entries = g_strsplit (tracers != NULL ? tracers : "", ";", -1);

  for (guint i = 0; entries[i] != NULL; i++) {
    if (is_ours (entries[i])) {
      g_free (*replaced);
      *replaced = g_strdup (g_strstrip (entries[i]));
    } else if (*entries[i] != '\0') {
      g_string_append_printf (text, "%s;", entries[i]);
    }
  }
  g_string_append (text, TRACER);
  return g_environ_setenv (environment, "GST_TRACERS", text->str, TRUE);
}

gchar **
pyro_plugin_enable (gchar **environment, const gchar *folder, gchar **replaced)
{
  const gchar *variable = plugin_variable (environment);
  const gchar *before = g_environ_getenv (environment, variable);

  *replaced = NULL;
  if (*folder != '\0') {
    gboolean alone = before == NULL || *before == '\0';
    g_autofree gchar *path
        = g_strconcat (folder, alone ? "" : G_SEARCHPATH_SEPARATOR_S,
                       alone ? "" : before, NULL);

    environment = g_environ_setenv (environment, variable, path, TRUE);
  }
  return add_tracer (environment, replaced);
}
