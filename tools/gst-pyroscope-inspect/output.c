/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "inspect-error.h"

static gboolean
refuse (const gchar *path, int failure, GError **error)
{
  g_set_error (error, PYRO_INSPECT_ERROR, PYRO_INSPECT_ERROR_VALUE,
               "%s cannot be written: %s", path, g_strerror (failure));
  return FALSE;
}

/* A device or a FIFO is written to as it is. */
static gboolean
is_special (const gchar *path)
{
  struct stat info;

  return stat (path, &info) == 0 && !S_ISREG (info.st_mode);
}

/* A file of this process's own. What has the name already is left over from
 * another process with the number, or is somebody's trap. */
static int
create (const gchar *path)
{
  const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
  int fd = g_open (path, flags, 0666);

  if (fd >= 0 || errno != EEXIST || g_unlink (path) != 0)
    return fd;
  return g_open (path, flags, 0666);
}

gboolean
pyro_output_begin (PyroOutput *output, const gchar *path, gboolean binary,
                   GError **error)
{
  int fd;

  *output = (PyroOutput){ .before = -1 };
  if (path == NULL || strcmp (path, "-") == 0) {
    if (!binary || !isatty (STDOUT_FILENO))
      return TRUE;
    g_set_error_literal (error, PYRO_INSPECT_ERROR, PYRO_INSPECT_ERROR_VALUE,
                         "this would write binary data to the terminal; choose "
                         "a file by -o");
    return FALSE;
  }
  fflush (stdout);
  output->path = g_strdup (path);
  if (is_special (path)) {
    output->partial = g_strdup (path);
    fd = g_open (path, O_WRONLY | O_TRUNC | O_CLOEXEC, 0);
  } else {
    output->partial = g_strdup_printf ("%s.%d.partial", path, getpid ());
    fd = create (output->partial);
  }
  /* It is standard output at once where that was closed. */
  if (fd == STDOUT_FILENO)
    return TRUE;
  if (fd >= 0)
    output->before = fcntl (STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  if (fd < 0 || dup2 (fd, STDOUT_FILENO) < 0) {
    refuse (path, errno, error);
    if (fd >= 0)
      g_close (fd, NULL);
    g_clear_pointer (&output->path, g_free);
    g_clear_pointer (&output->partial, g_free);
    return FALSE;
  }
  g_close (fd, NULL);
  return TRUE;
}

gboolean
pyro_output_end (PyroOutput *output, gboolean good, GError **error)
{
  gboolean written = TRUE;
  int failure;

  if (output->path == NULL)
    return TRUE;
  errno = 0;
  if (fflush (stdout) != 0 || ferror (stdout))
    written = FALSE;
  failure = errno;
  if (output->before >= 0) {
    dup2 (output->before, STDOUT_FILENO);
    g_close (output->before, NULL);
  } else {
    close (STDOUT_FILENO);
  }
  if (!written)
    clearerr (stdout);
  if (strcmp (output->partial, output->path) != 0) {
    if (good && written && g_rename (output->partial, output->path) != 0) {
      failure = errno;
      written = FALSE;
    }
    if (!good || !written)
      g_unlink (output->partial);
  }
  if (good && !written)
    refuse (output->path, failure, error);
  g_clear_pointer (&output->path, g_free);
  g_clear_pointer (&output->partial, g_free);
  return written;
}
