/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "spool.h"
#include "capture-file.h"
#include "profile/push-message.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SUFFIX ".push"
/* Names that other processes, of other containers with the same pid, may have
 * taken. */
#define MAX_NAME_TRIES 64
/* Of the hash: no two of a user's services or servers share it. */
#define HASH_CHARS 16

struct _PyroSpool {
  gchar *dir;
  gchar *prefix; /* "<service>-<hash>-" */
};

PyroSpool *
pyro_spool_new (const gchar *dir, const gchar *service, const gchar *url)
{
  PyroSpool *spool = g_new0 (PyroSpool, 1);
  g_autofree gchar *both = g_strconcat (service, "\n", url, NULL);
  g_autofree gchar *hash
      = g_compute_checksum_for_string (G_CHECKSUM_SHA256, both, -1);
  g_autofree gchar *safe = pyro_capture_safe_name (service);

  spool->dir = g_canonicalize_filename (dir, NULL);
  spool->prefix = g_strdup_printf ("%s-%.*s-", safe, HASH_CHARS, hash);
  return spool;
}

void
pyro_spool_free (PyroSpool *spool)
{
  if (spool == NULL)
    return;
  g_free (spool->dir);
  g_free (spool->prefix);
  g_free (spool);
}

const gchar *
pyro_spool_get_dir (const PyroSpool *spool)
{
  return spool->dir;
}

gchar *
pyro_spool_write (const PyroSpool *spool, gint64 time_ns, GBytes *request,
                  PyroFileLock *lock, GError **error)
{
  static gint next_sequence = 0;

  if (!pyro_capture_dir_prepare (spool->dir, error))
    return NULL;
  for (guint try = 1;; try++) {
    guint sequence = (guint)g_atomic_int_add (&next_sequence, 1);
    g_autofree gchar *name = g_strdup_printf (
        "%s%020" G_GINT64_FORMAT "-%d-%u" SUFFIX, spool->prefix,
        MAX (time_ns, 0), (int)getpid (), sequence);
    g_autofree gchar *path = g_build_filename (spool->dir, name, NULL);
    int code = pyro_whole_file_write (spool->dir, name, 0600, request, lock);

    if (code == 0)
      return g_steal_pointer (&path);
    if (code != EEXIST || try == MAX_NAME_TRIES) {
      g_set_error (error, PYRO_CAPTURE_ERROR, code, "cannot write %s: %s", path,
                   g_strerror (code));
      return NULL;
    }
  }
}

static gboolean
is_ours (const gchar *name, gpointer user_data)
{
  const PyroSpool *spool = user_data;

  return g_str_has_prefix (name, spool->prefix)
         && g_str_has_suffix (name, SUFFIX);
}

static void
file_clear (gpointer data)
{
  g_free (((PyroSpoolFile *)data)->path);
}

static gint
compare_files (gconstpointer a, gconstpointer b)
{
  /* Names have times of one width. */
  return strcmp (((const PyroSpoolFile *)a)->path,
                 ((const PyroSpoolFile *)b)->path);
}

GArray *
pyro_spool_list (const PyroSpool *spool)
{
  GArray *found = g_array_new (FALSE, FALSE, sizeof (PyroSpoolFile));
  g_autoptr (GDir) files = NULL;
  const gchar *name;

  g_array_set_clear_func (found, file_clear);
  pyro_whole_file_clean (spool->dir, is_ours, (gpointer)spool);
  files = g_dir_open (spool->dir, 0, NULL);
  while (files != NULL && (name = g_dir_read_name (files)) != NULL) {
    g_autofree gchar *path = g_build_filename (spool->dir, name, NULL);
    PyroSpoolFile file = { 0 };
    struct stat now;

    if (!is_ours (name, (gpointer)spool) || lstat (path, &now) != 0
        || !S_ISREG (now.st_mode) || now.st_uid != geteuid ())
      continue;
    file.time_ns = g_ascii_strtoll (name + strlen (spool->prefix), NULL, 10);
    file.size = (gsize)now.st_size;
    file.path = g_steal_pointer (&path);
    g_array_append_val (found, file);
  }
  g_array_sort (found, compare_files);
  return found;
}

GBytes *
pyro_spool_read (const gchar *path)
{
  gchar *content;
  gsize length;
  g_autoptr (GBytes) request = NULL;

  if (!g_file_get_contents (path, &content, &length, NULL))
    return NULL;
  request = g_bytes_new_take (content, length);
  return pyro_push_request_is_whole (request) ? g_steal_pointer (&request)
                                              : NULL;
}
