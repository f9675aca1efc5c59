/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "file-list.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "inspect-error.h"

static gint
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const gchar *const *)a, *(const gchar *const *)b);
}

static gboolean
is_profile_name (const gchar *name)
{
  return g_str_has_suffix (name, ".pb.gz") || g_str_has_suffix (name, ".pb")
         || g_str_has_suffix (name, ".pprof");
}

static gboolean
read_names (const gchar *folder, GPtrArray *names)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GDir) dir = g_dir_open (folder, 0, &error);
  const gchar *name;

  if (dir == NULL) {
    pyro_report ("%s", error->message);
    return FALSE;
  }
  while ((name = g_dir_read_name (dir)) != NULL) {
    /* A writer's unfinished files are hidden. */
    if (*name != '.')
      g_ptr_array_add (names, g_strdup (name));
  }
  g_ptr_array_sort (names, compare_names);
  return TRUE;
}

gboolean
pyro_file_list_add_folder (GPtrArray *files, const gchar *folder)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  gboolean complete = read_names (folder, names);
  guint i;

  for (i = 0; i < names->len; i++) {
    const gchar *name = g_ptr_array_index (names, i);
    g_autofree gchar *path = g_build_filename (folder, name, NULL);
    struct stat info;

    if (lstat (path, &info) == 0 && S_ISDIR (info.st_mode))
      complete = pyro_file_list_add_folder (files, path) && complete;
    else if (is_profile_name (name)
             && (stat (path, &info) != 0 || S_ISREG (info.st_mode)))
      g_ptr_array_add (files, g_steal_pointer (&path));
  }
  return complete;
}

static GBytes *
read_descriptor (int fd, gsize max_size, GError **error)
{
  g_autofree guint8 *data = NULL;
  gsize used = 0, room = 0;

  for (;;) {
    gssize got;

    if (used == room) {
      room = room == 0 ? 65536 : room * 2;
      data = g_realloc (data, room);
    }
    got = read (fd, data + used, room - used);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0) {
      g_set_error (error, PYRO_INSPECT_ERROR, PYRO_INSPECT_ERROR_READ,
                   "cannot be read: %s", g_strerror (errno));
      return NULL;
    }
    if (got == 0)
      return g_bytes_new_take (g_steal_pointer (&data), used);
    used += got;
    if (used > max_size) {
      g_set_error (error, PYRO_INSPECT_ERROR, PYRO_INSPECT_ERROR_READ,
                   "has more than the limit of %" G_GSIZE_FORMAT
                   " bytes (see --max-size)",
                   max_size);
      return NULL;
    }
  }
}

GBytes *
pyro_file_read (const gchar *path, gsize max_size, GError **error)
{
  GBytes *bytes;
  int fd;

  if (strcmp (path, "-") == 0)
    return read_descriptor (STDIN_FILENO, max_size, error);
  fd = g_open (path, O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0) {
    g_set_error (error, PYRO_INSPECT_ERROR, PYRO_INSPECT_ERROR_READ,
                 "cannot be opened: %s", g_strerror (errno));
    return NULL;
  }
  bytes = read_descriptor (fd, max_size, error);
  g_close (fd, NULL);
  return bytes;
}
