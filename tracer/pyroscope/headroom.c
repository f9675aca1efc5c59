/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "headroom.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

/* Where GLib finds no memory it aborts, whoever's thread that is. Each of our
 * threads (five, and one for a moment) may take 64 MiB for an arena of malloc's
 * (twice that for a moment, to align it), and the tables and symbols of a large
 * process some tens more. */
#define NEEDED_BYTES (G_GUINT64_CONSTANT (512) << 20)

/* Bytes: all that is mapped, and of that what is private and writable. */
static gboolean
read_sizes (guint64 *mapped, guint64 *written)
{
  const guint64 page = (guint64)sysconf (_SC_PAGESIZE);
  unsigned long pages, data;
  char text[128];
  gssize n = -1;
  int fd = open ("/proc/self/statm", O_RDONLY | O_CLOEXEC);

  if (fd >= 0) {
    n = read (fd, text, sizeof text - 1);
    close (fd);
  }
  if (n <= 0)
    return FALSE;
  text[n] = '\0';
  if (sscanf (text, "%lu %*u %*u %*u %*u %lu", &pages, &data) != 2)
    return FALSE;
  *mapped = pages * page;
  *written = data * page;
  return TRUE;
}

static gboolean
leaves_enough (int resource, guint64 used)
{
  struct rlimit limit;

  return getrlimit (resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY
         || limit.rlim_cur >= used + NEEDED_BYTES;
}

gboolean
pyro_headroom_is_enough (GError **error)
{
  struct rlimit space = { 0 }, data = { 0 };
  guint64 mapped = 0, written = 0;

  getrlimit (RLIMIT_AS, &space);
  getrlimit (RLIMIT_DATA, &data);
  if ((space.rlim_cur == RLIM_INFINITY && data.rlim_cur == RLIM_INFINITY)
      || !read_sizes (&mapped, &written)
      || (leaves_enough (RLIMIT_AS, mapped)
          && leaves_enough (RLIMIT_DATA, written)))
    return TRUE;
  g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_NOMEM,
               "the limit on the process's memory (ulimit -v, -d) leaves less "
               "than %u MiB, with which the application itself may not find "
               "any: raise it",
               (guint)(NEEDED_BYTES >> 20));
  return FALSE;
}
