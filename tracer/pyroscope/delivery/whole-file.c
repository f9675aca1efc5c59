/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "whole-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define ASIDE_SUFFIX ".tmp"

/* The application may close every descriptor at any time and get our number
 * for a file of its own, which nothing of ours may reach. */
static gboolean
is_still_ours (const PyroFileLock *own)
{
  struct stat now;

  return fstat (own->fd, &now) == 0 && now.st_dev == own->device
         && now.st_ino == own->inode;
}

/* Takes FD over. Returns 0 or an errno; then it is closed. */
static int
lock_descriptor (PyroFileLock *lock, int fd)
{
  struct stat now;
  int code = 0;

  /* Without its inode nobody could say later whose the descriptor is. */
  if (fstat (fd, &now) != 0 || flock (fd, LOCK_EX | LOCK_NB) != 0) {
    code = errno;
    close (fd);
    return code;
  }
  *lock = (PyroFileLock){ fd, now.st_dev, now.st_ino };
  return 0;
}

void
pyro_file_lock_release (PyroFileLock *lock)
{
  PyroFileLock own = *lock;

  lock->fd = -1;
  if (own.fd >= 0 && is_still_ours (&own))
    close (own.fd);
}

int
pyro_file_lock_take (PyroFileLock *lock, const gchar *path)
{
  struct stat now;
  int code;
  int fd = open (path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

  *lock = PYRO_FILE_LOCK_NONE;
  if (fd < 0)
    return errno;
  code = lock_descriptor (lock, fd);
  if (code != 0)
    return code;
  /* Whoever had the lock before may have removed it. */
  if (fstat (lock->fd, &now) == 0 && now.st_nlink > 0)
    return 0;
  pyro_file_lock_release (lock);
  return ENOENT;
}

/* Returns 0 or an errno. */
static int
write_all (const PyroFileLock *own, GBytes *data)
{
  gsize left;
  const guint8 *next = g_bytes_get_data (data, &left);

  while (left > 0) {
    ssize_t n;

    if (!is_still_ours (own))
      return EBADF;
    n = write (own->fd, next, left);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return errno;
    if (n == 0)
      return ENOSPC;
    next += n;
    left -= (gsize)n;
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

/* Some file systems report a full disk only when a file is closed. Returns 0
 * or an errno. */
static int
close_written (PyroFileLock *own)
{
  int fd = own->fd;

  if (!is_still_ours (own))
    return EBADF;
  own->fd = -1;
  return close (fd) == 0 || errno == EINTR ? 0 : errno;
}

/* Makes ASIDE, locked. Returns 0 or an errno. */
static int
begin_aside (const gchar *aside, guint mode, PyroFileLock *own)
{
  int fd
      = open (aside, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  int code;

  if (fd < 0)
    return errno;
  code = lock_descriptor (own, fd);
  /* Who cleans up was quicker with the lock: the name is as good as taken. */
  if (code == EWOULDBLOCK)
    return EEXIST;
  if (code == 0 && fchmod (own->fd, mode) != 0) {
    code = errno;
    pyro_file_lock_release (own);
  }
  if (code != 0)
    unlink (aside);
  return code;
}

static int
write_aside_and_rename (const gchar *aside, const gchar *path, guint mode,
                        GBytes *data, PyroFileLock *lock)
{
  PyroFileLock own = PYRO_FILE_LOCK_NONE;
  int code = begin_aside (aside, mode, &own);

  if (code != 0)
    return code;
  code = write_all (&own, data);
  if (code == 0 && lock == NULL)
    code = close_written (&own);
  if (code == 0)
    code = rename_to_new (aside, path);
  if (code != 0) {
    unlink (aside);
    pyro_file_lock_release (&own);
  }
  if (lock != NULL)
    *lock = own;
  return code;
}

int
pyro_whole_file_write (const gchar *dir, const gchar *name, guint mode,
                       GBytes *data, PyroFileLock *lock)
{
  g_autofree gchar *hidden = g_strconcat (".", name, ASIDE_SUFFIX, NULL);
  g_autofree gchar *path = g_build_filename (dir, name, NULL);
  g_autofree gchar *aside = g_build_filename (dir, hidden, NULL);

  return write_aside_and_rename (aside, path, mode, data, lock);
}

static void
clean_one (const gchar *path)
{
  PyroFileLock lock;
  struct stat file;

  if (lstat (path, &file) != 0 || !S_ISREG (file.st_mode)
      || file.st_uid != geteuid () || pyro_file_lock_take (&lock, path) != 0)
    return;
  unlink (path);
  pyro_file_lock_release (&lock);
}

void
pyro_whole_file_clean (const gchar *dir, PyroNameMatch match,
                       gpointer user_data)
{
  g_autoptr (GDir) files = g_dir_open (dir, 0, NULL);
  const gchar *name;

  while (files != NULL && (name = g_dir_read_name (files)) != NULL) {
    g_autofree gchar *meant = NULL;
    g_autofree gchar *path = NULL;

    if (name[0] != '.' || !g_str_has_suffix (name, ASIDE_SUFFIX))
      continue;
    meant = g_strndup (name + 1, strlen (name) - 1 - strlen (ASIDE_SUFFIX));
    path = g_build_filename (dir, name, NULL);
    if (match (meant, user_data))
      clean_one (path);
  }
}
