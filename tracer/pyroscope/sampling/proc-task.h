/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: what /proc/self/task tells of the threads of this process.
 * Owner: the caller; no descriptor stays open between two calls, because the
 * application may close all of them and use their numbers again.
 * Threads: any, but the signal handler.
 */
#pragma once

#include <glib.h>
#include <sys/types.h>

#define PYRO_THREAD_NAME_SIZE 16 /* TASK_COMM_LEN of the kernel */

typedef struct {
  gchar name[PYRO_THREAD_NAME_SIZE];
  /* Bit (signo - 1). All are set while the thread waits in a call that puts
   * another mask in force (sigwaitinfo() unblocks what it waits for): its own
   * is not shown then. */
  guint64 blocked_signals;
  guint64 pending_signals; /* sent to this thread alone */
  /* FALSE: the thread is running, perhaps out of such a call. Look again. */
  gboolean is_certain;
} PyroTaskStatus;

/* How many threads there are: one system call. 0: /proc cannot be read. */
guint pyro_proc_count_tasks (void);

/* Appends the id (pid_t) of every thread. FALSE and errno: it failed. */
gboolean pyro_proc_list_tasks (GArray *tids);

/* FALSE and errno: the thread is gone, or /proc cannot be read. */
gboolean pyro_proc_read_status (pid_t tid, PyroTaskStatus *status);

/* After it failed: only descriptors or memory are short, and the thread may be
 * there. */
gboolean pyro_proc_is_short (void);

/* Only the name. */
gboolean pyro_proc_read_name (pid_t tid, gchar name[PYRO_THREAD_NAME_SIZE]);
