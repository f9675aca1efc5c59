/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "capture-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

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

static gchar *
safe_service (const gchar *service)
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

static gchar *
file_name (const gchar *service, gint64 time_ns, guint sequence)
{
  g_autofree gchar *safe = safe_service (service);
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_utc (
      time_ns / G_GINT64_CONSTANT (1000000000));
  g_autofree gchar *stamp = time ? g_date_time_format (time, "%Y%m%dT%H%M%SZ")
                                 : g_strdup ("00000000T000000Z");

  return g_strdup_printf ("%s-%s-%d-%u.pb.gz", safe, stamp, (int)getpid (),
                          sequence);
}

/* The application may close every descriptor at any time and get our number
 * for a file of its own, which nothing of ours may reach. */
static gboolean
is_still_ours (int fd, const struct stat *ours)
{
  struct stat now;

  return fstat (fd, &now) == 0 && now.st_dev == ours->st_dev
         && now.st_ino == ours->st_ino;
}

/* Returns 0 or an errno. */
static int
write_all (int fd, const struct stat *ours, GBytes *data)
{
  gsize left;
  const guint8 *next = g_bytes_get_data (data, &left);

  while (left > 0) {
    ssize_t n;

    if (!is_still_ours (fd, ours))
      return EBADF;
    n = write (fd, next, left);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return errno;
    if (n == 0)
      return ENOSPC;
    next += n;
    left -= n;
  }
  return 0;
}

/* Fails with EEXIST where NEW_PATH exists. Returns 0 or an errno. */
static int
rename_to_new (const gchar *old_path, const gchar *new_path)
{
  if (renameat2 (AT_FDCWD, old_path, AT_FDCWD, new_path, RENAME_NOREPLACE) == 0)
    return 0;
  if (errno != EINVAL && errno != ENOSYS && errno != EPERM)
    return errno;
  /* Not every file system has that flag; on such a one a file may come in
   * between. */
  if (access (new_path, F_OK) == 0)
    return EEXIST;
  return rename (old_path, new_path) == 0 ? 0 : errno;
}

/* Returns 0 or an errno. */
static int
write_aside_and_rename (const gchar *aside, const gchar *path, GBytes *data)
{
  struct stat ours;
  int code = 0;
  int fd = open (aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                 0600);

  if (fd < 0)
    return errno;
  if (fstat (fd, &ours) != 0) {
    /* Whose it is now nobody can say: it stays as it is. */
    code = errno;
    unlink (aside);
    return code;
  }
  if (fchmod (fd, 0600) != 0)
    code = errno;
  if (code == 0)
    code = write_all (fd, &ours, data);
  /* Some file systems tell of a full disk only here. */
  if (is_still_ours (fd, &ours) && close (fd) != 0 && code == 0
      && errno != EINTR)
    code = errno;
  if (code == 0)
    code = rename_to_new (aside, path);
  if (code != 0)
    unlink (aside);
  return code;
}

gchar *
pyro_capture_file_write (const gchar *dir, const gchar *service, gint64 time_ns,
                         GBytes *data, GError **error)
{
  static gint next_sequence = 0;

  if (!pyro_capture_dir_prepare (dir, error))
    return NULL;

  for (guint try = 1;; try++) {
    guint sequence = (guint)g_atomic_int_add (&next_sequence, 1);
    g_autofree gchar *name = file_name (service, time_ns, sequence);
    g_autofree gchar *hidden = g_strconcat (".", name, ".tmp", NULL);
    g_autofree gchar *path = g_build_filename (dir, name, NULL);
    g_autofree gchar *aside = g_build_filename (dir, hidden, NULL);
    int code = write_aside_and_rename (aside, path, data);

    if (code == 0)
      return g_steal_pointer (&path);
    if (code != EEXIST || try == MAX_NAME_TRIES) {
      set_error (error, code, "write", path);
      return NULL;
    }
  }
}
