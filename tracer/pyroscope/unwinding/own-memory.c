/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "own-memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* /proc/self is the main thread's, whose memory is gone once it has ended. */
static gsize
read_by_proc (guint64 address, gsize size, guint8 *out)
{
  char path[64];
  gsize done = 0;
  int fd;

  g_snprintf (path, sizeof path, "/proc/self/task/%ld/mem",
              (long)syscall (SYS_gettid));
  fd = open (path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return 0;
  while (done < size) {
    gssize n = pread (fd, out + done, size - done, (off_t)(address + done));

    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      break;
    done += (gsize)n;
  }
  close (fd);
  return done;
}

gsize
pyro_own_memory_read (guint64 address, gsize size, void *out)
{
  static gint is_refused;
  struct iovec local = { out, size };
  struct iovec remote = { (void *)(gsize)address, size };
  gssize n;

  if (!__atomic_load_n (&is_refused, __ATOMIC_RELAXED)) {
    /* Not the process's id: the main thread may be gone, and its memory. */
    n = process_vm_readv ((pid_t)syscall (SYS_gettid), &local, 1, &remote, 1,
                          0);
    if (n >= 0 || (errno != ENOSYS && errno != EPERM))
      return (gsize)MAX (n, 0);
    __atomic_store_n (&is_refused, TRUE, __ATOMIC_RELAXED);
  }
  return read_by_proc (address, size, out);
}
