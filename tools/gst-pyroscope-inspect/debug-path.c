/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "debug-path.h"

#include <string.h>

#include "inspect-error.h"

static gboolean
check_folder (const gchar *option, const gchar *path, GError **error)
{
  if (g_file_test (path, G_FILE_TEST_IS_DIR))
    return TRUE;
  g_set_error (error, PYRO_INSPECT_ERROR, PYRO_INSPECT_ERROR_VALUE,
               "%s %s is no folder", option, path);
  return FALSE;
}

/* They are joined by it (as in gdb's debug-file-directory). */
static gboolean
check_colon (const gchar *path, GError **error)
{
  if (strchr (path, ':') == NULL)
    return TRUE;
  g_set_error (error, PYRO_INSPECT_ERROR, PYRO_INSPECT_ERROR_VALUE,
               "--debug-path %s: the folder's name cannot have a ':' (give "
               "several folders by several options)",
               path);
  return FALSE;
}

gboolean
pyro_debug_path_check (const PyroDebugPathOptions *options, GError **error)
{
  for (gchar **folder = options->folders; folder != NULL && *folder != NULL;
       folder++) {
    if (!check_colon (*folder, error)
        || !check_folder ("--debug-path", *folder, error))
      return FALSE;
  }
  return options->sysroot == NULL
         || check_folder ("--sysroot", options->sysroot, error);
}

gchar *
pyro_debug_path_join (const PyroDebugPathOptions *options)
{
  g_autofree gchar *given
      = options->folders != NULL ? g_strjoinv (":", options->folders) : NULL;

  return g_strconcat (given != NULL ? given : "", ":", PYRO_DEBUG_DIRECTORY,
                      NULL);
}

PyroDebugPlaces *
pyro_debug_path_make (const PyroDebugPathOptions *options, GError **error)
{
  g_autofree gchar *path = pyro_debug_path_join (options);

  return pyro_debug_path_check (options, error)
             ? pyro_debug_places_new (path, options->sysroot)
             : NULL;
}

void
pyro_debug_path_clear (PyroDebugPathOptions *options)
{
  g_clear_pointer (&options->folders, g_strfreev);
  g_clear_pointer (&options->sysroot, g_free);
}
