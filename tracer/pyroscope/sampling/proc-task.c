/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "proc-task.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

guint
pyro_proc_count_tasks (void)
{
  struct stat st;

  /* The kernel counts a thread as a sub-directory (proc_task_getattr). */
  if (stat ("/proc/self/task", &st) != 0 || st.st_nlink < 2)
    return 0;
  return (guint)st.st_nlink - 2;
}

gboolean
pyro_proc_list_tasks (GArray *tids)
{
  DIR *dir = opendir ("/proc/self/task");
  struct dirent *entry;

  if (dir == NULL)
    return FALSE;
  while ((entry = readdir (dir)) != NULL) {
    pid_t tid = (pid_t)strtol (entry->d_name, NULL, 10);

    if (tid > 0)
      g_array_append_val (tids, tid);
  }
  closedir (dir);
  return TRUE;
}

/* Reads at most SIZE - 1 bytes of /proc/self/task/TID/NAME. */
static gboolean
read_task_file (pid_t tid, const gchar *name, gchar *buffer, gsize size)
{
  gchar path[64];
  gssize n;
  gint fd;

  g_snprintf (path, sizeof path, "/proc/self/task/%d/%s", (gint)tid, name);
  fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0)
    return FALSE;
  do
    n = read (fd, buffer, size - 1);
  while (n < 0 && errno == EINTR);
  close (fd);
  if (n < 0)
    return FALSE;
  buffer[n] = '\0';
  return TRUE;
}

gboolean
pyro_proc_read_name (pid_t tid, gchar name[PYRO_THREAD_NAME_SIZE])
{
  gchar text[32];

  if (!read_task_file (tid, "comm", text, sizeof text))
    return FALSE;
  text[strcspn (text, "\n")] = '\0';
  g_strlcpy (name, text, PYRO_THREAD_NAME_SIZE);
  return TRUE;
}

gboolean
pyro_proc_is_short (void)
{
  return errno == EMFILE || errno == ENFILE || errno == ENOMEM;
}

typedef enum { MASK_ITS_OWN, MASK_ANOTHER, MASK_UNCERTAIN } MaskState;

/* Calls that wait with another signal mask than the thread's own. "syscall" is
 * the number and six arguments of the call, or "running": then the thread may
 * just be coming out of such a call. */
static MaskState
mask_state (pid_t tid)
{
  static const struct {
    glong number;
    gint mask; /* which argument it is; -1: always */
  } calls[] = {
    { SYS_rt_sigtimedwait, -1 }, { SYS_rt_sigsuspend, -1 }, { SYS_ppoll, 3 },
    { SYS_pselect6, 5 },         { SYS_epoll_pwait, 4 },
  };
  gchar text[256];
  gchar *at;
  glong number;

  if (!read_task_file (tid, "syscall", text, sizeof text))
    return MASK_ITS_OWN; /* as far as one can know */
  if (!g_ascii_isdigit (text[0]))
    return MASK_UNCERTAIN;
  number = strtol (text, &at, 10);
  for (guint i = 0; i < G_N_ELEMENTS (calls); i++) {
    guint64 argument = 1;

    if (calls[i].number != number)
      continue;
    for (gint n = 0; n <= calls[i].mask; n++)
      argument = g_ascii_strtoull (at, &at, 16);
    return argument != 0 ? MASK_ANOTHER : MASK_ITS_OWN;
  }
  return MASK_ITS_OWN;
}

gboolean
pyro_proc_read_status (pid_t tid, PyroTaskStatus *status)
{
  gchar text[4096];
  MaskState before = mask_state (tid), after;
  const gchar *blocked, *pending;

  if (!read_task_file (tid, "status", text, sizeof text))
    return FALSE;
  blocked = strstr (text, "\nSigBlk:");
  pending = strstr (text, "\nSigPnd:");
  if (blocked == NULL || pending == NULL) {
    errno = ENODATA;
    return FALSE;
  }
  status->blocked_signals
      = g_ascii_strtoull (blocked + strlen ("\nSigBlk:"), NULL, 16);
  status->pending_signals
      = g_ascii_strtoull (pending + strlen ("\nSigPnd:"), NULL, 16);
  after = mask_state (tid);
  if (before == MASK_ANOTHER || after == MASK_ANOTHER)
    status->blocked_signals = G_MAXUINT64;
  status->is_certain = before != MASK_UNCERTAIN && after != MASK_UNCERTAIN;
  /* The name in "status" is escaped, that in "comm" is not. */
  return pyro_proc_read_name (tid, status->name);
}
