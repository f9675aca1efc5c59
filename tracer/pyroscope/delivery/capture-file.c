/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "capture-file.h"
#include "whole-file.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#define SUFFIX ".pb.gz"

/* NAME_MAX is 255; the rest of a name takes less than 80 bytes. */
#define MAX_SERVICE_BYTES 120
/* Names that other processes (of other containers, with the same pid) may
 * have taken within the same second. */
#define MAX_NAME_TRIES 64

GQuark
pyro_capture_error_quark (void)
{
  return g_quark_from_static_string ("pyro-capture-error");
}

static void
set_error (GError **error, int code, const gchar *verb, const gchar *path)
{
  g_set_error (error, PYRO_CAPTURE_ERROR, code, "cannot %s %s: %s", verb, path,
               g_strerror (code));
}

gboolean
pyro_capture_dir_prepare (const gchar *dir, GError **error)
{
  if (g_mkdir_with_parents (dir, 0700) != 0) {
    set_error (error, errno, "make the directory", dir);
    return FALSE;
  }
  /* Effective ids: what open() will be judged by. */
  if (faccessat (AT_FDCWD, dir, W_OK | X_OK, AT_EACCESS) != 0) {
    set_error (error, errno, "write into", dir);
    return FALSE;
  }
  return TRUE;
}

gchar *
pyro_capture_safe_name (const gchar *service)
{
  gchar *safe = g_strndup (service, MAX_SERVICE_BYTES);

  for (gchar *c = safe; *c != '\0'; c++) {
    if (!g_ascii_isalnum (*c) && *c != '.' && *c != '_' && *c != '-')
      *c = '_';
  }
  /* Neither hidden nor taken for an option. */
  if (safe[0] == '.' || safe[0] == '-')
    safe[0] = '_';
  if (safe[0] == '\0') {
    g_free (safe);
    safe = g_strdup ("profile");
  }
  return safe;
}

gchar *
pyro_capture_stamp (gint64 time_ns)
{
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_utc (
      time_ns / G_GINT64_CONSTANT (1000000000));

  return time ? g_date_time_format (time, "%Y%m%dT%H%M%SZ")
              : g_strdup ("00000000T000000Z");
}

static gchar *
file_name (const gchar *service, gint64 time_ns, guint sequence)
{
  g_autofree gchar *safe = pyro_capture_safe_name (service);
  g_autofree gchar *stamp = pyro_capture_stamp (time_ns);

  return g_strdup_printf ("%s-%s-%d-%u" SUFFIX, safe, stamp, (int)getpid (),
                          sequence);
}

gchar *
pyro_capture_file_write (const gchar *dir, const gchar *service, gint64 time_ns,
                         guint mode, GBytes *data, GError **error)
{
  static gint next_sequence = 0;

  if (!pyro_capture_dir_prepare (dir, error))
    return NULL;

  for (guint try = 1;; try++) {
    guint sequence = (guint)g_atomic_int_add (&next_sequence, 1);
    g_autofree gchar *name = file_name (service, time_ns, sequence);
    g_autofree gchar *path = g_build_filename (dir, name, NULL);
    int code = pyro_whole_file_write (dir, name, mode, data, NULL);

    if (code == 0)
      return g_steal_pointer (&path);
    if (code != EEXIST || try == MAX_NAME_TRIES) {
      set_error (error, code, "write", path);
      return NULL;
    }
  }
}

/* ------------------------------------------------------ the directory -- */

typedef struct {
  gchar *name;
  guint64 size;
  gint64 mtime_ns;
  guint64 sequence;
} Capture;

static void
capture_clear (gpointer data)
{
  g_free (((Capture *)data)->name);
}

/* Digits, at least one; *END is behind them. */
static gboolean
skip_number (const gchar **end, guint64 *number)
{
  gchar *behind;

  if (!g_ascii_isdigit (**end))
    return FALSE;
  *number = g_ascii_strtoull (*end, &behind, 10);
  *end = behind;
  return TRUE;
}

/* Where the time in NAME begins, if it is a capture of the service whose SAFE
 * name that is; else NULL. */
static const gchar *
find_stamp (const gchar *name, const gchar *safe, guint64 *sequence)
{
  static const gchar form[] = "00000000T000000Z-";
  const gchar *stamp, *rest;
  guint64 pid;

  if (!g_str_has_prefix (name, safe) || name[strlen (safe)] != '-')
    return NULL;
  stamp = rest = name + strlen (safe) + 1;
  for (guint i = 0; form[i] != '\0'; i++, rest++) {
    if (form[i] == '0' ? !g_ascii_isdigit (*rest) : *rest != form[i])
      return NULL;
  }
  if (!skip_number (&rest, &pid) || *rest++ != '-'
      || !skip_number (&rest, sequence) || strcmp (rest, SUFFIX) != 0)
    return NULL;
  return stamp;
}

static gboolean
is_capture (const gchar *name, gpointer user_data)
{
  guint64 sequence;

  return find_stamp (name, user_data, &sequence) != NULL;
}

void
pyro_capture_dir_clean (const gchar *dir, const gchar *service)
{
  g_autofree gchar *safe = pyro_capture_safe_name (service);

  pyro_whole_file_clean (dir, is_capture, safe);
}

/* By the time of the profile, then by that of the file. */
static gint
compare_captures (gconstpointer a, gconstpointer b, gpointer user_data)
{
  const Capture *one = a, *other = b;
  gsize skip = strlen (user_data) + 1;
  gint order = strncmp (one->name + skip, other->name + skip, 16);

  if (order != 0)
    return order;
  if (one->mtime_ns != other->mtime_ns)
    return one->mtime_ns < other->mtime_ns ? -1 : 1;
  return one->sequence < other->sequence ? -1 : 1;
}

/* (transfer full) */
static GArray *
list_captures (const gchar *dir, gchar *safe, guint64 *n_bytes)
{
  GArray *captures = g_array_new (FALSE, FALSE, sizeof (Capture));
  g_autoptr (GDir) files = g_dir_open (dir, 0, NULL);
  const gchar *name;

  g_array_set_clear_func (captures, capture_clear);
  *n_bytes = 0;
  while (files != NULL && (name = g_dir_read_name (files)) != NULL) {
    Capture capture = { 0 };
    g_autofree gchar *path = NULL;
    struct stat file;

    if (find_stamp (name, safe, &capture.sequence) == NULL)
      continue;
    path = g_build_filename (dir, name, NULL);
    if (lstat (path, &file) != 0 || !S_ISREG (file.st_mode)
        || file.st_uid != geteuid ())
      continue;
    capture.name = g_strdup (name);
    capture.size = (guint64)file.st_size;
    capture.mtime_ns = file.st_mtim.tv_sec * G_GINT64_CONSTANT (1000000000)
                       + file.st_mtim.tv_nsec;
    *n_bytes += capture.size;
    g_array_append_val (captures, capture);
  }
  g_array_sort_with_data (captures, compare_captures, safe);
  return captures;
}

guint64
pyro_capture_dir_trim (const gchar *dir, const gchar *service,
                       guint64 max_bytes, guint *n_removed)
{
  g_autofree gchar *safe = pyro_capture_safe_name (service);
  guint64 n_bytes;
  g_autoptr (GArray) captures = list_captures (dir, safe, &n_bytes);

  for (guint i = 0; i + 1 < captures->len && n_bytes > max_bytes; i++) {
    const Capture *oldest = &g_array_index (captures, Capture, i);
    g_autofree gchar *path = g_build_filename (dir, oldest->name, NULL);

    if (unlink (path) == 0)
      (*n_removed)++;
    else if (errno != ENOENT)
      continue;
    n_bytes -= oldest->size;
  }
  return n_bytes;
}
