/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "own-thread.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "log.h"
#include "raw-syscall.h"

/* The kernel refuses masks that are too small for its CPUs. */
#define MAX_CPUS 8192

/* The kernel's default, and ioprio_set(2)'s: its header is not everywhere. */
#define TIMER_SLACK_NS 50000
#define IOPRIO_WHO_PROCESS 1

typedef struct {
  void *(*run) (void *);
  void *data;
  gint nice;
} Start;

static void
block_signals (sigset_t *before)
{
  static const gint faults[]
      = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS };
  sigset_t blocked;

  sigfillset (&blocked);
  pthread_sigmask (SIG_SETMASK, NULL, before);
  for (guint i = 0; i < G_N_ELEMENTS (faults); i++)
    if (!sigismember (before, faults[i]))
      sigdelset (&blocked, faults[i]);
  pthread_sigmask (SIG_SETMASK, &blocked, NULL);
}

/* A sandbox may kill whoever makes a call that is not on its list. What is not
 * needed is then left alone. */
static gboolean
is_sandboxed (void)
{
  return prctl (PR_GET_SECCOMP, 0, 0, 0, 0) != 0;
}

/* TID's CPUs, or with 0 the calling thread's. */
static gboolean
add_cpus (pid_t tid, guint8 cpus[MAX_CPUS / 8])
{
  gulong own[MAX_CPUS / 8 / sizeof (gulong)] = { 0 };
  glong n = pyro_raw_syscall (SYS_sched_getaffinity, tid, sizeof own, (long)own,
                              0, 0, 0);

  for (glong i = 0; i < n; i++)
    cpus[i] |= ((const guint8 *)own)[i];
  return n > 0;
}

/* Where the process may run: a thread that is bound to a CPU is one of many,
 * and whoever started the process with taskset bound them all. FALSE: that is
 * what the calling thread has, or it is not known. */
static gboolean
find_cpus_of_process (guint8 cpus[MAX_CPUS / 8])
{
  guint8 own[MAX_CPUS / 8] = { 0 };
  DIR *dir = opendir ("/proc/self/task");
  struct dirent *entry;

  memset (cpus, 0, MAX_CPUS / 8);
  if (!add_cpus (0, own) || !add_cpus (getpid (), cpus)) {
    if (dir != NULL)
      closedir (dir);
    return FALSE;
  }
  while (dir != NULL && (entry = readdir (dir)) != NULL) {
    pid_t tid = (pid_t)strtol (entry->d_name, NULL, 10);

    if (tid > 0)
      add_cpus (tid, cpus);
  }
  if (dir != NULL)
    closedir (dir);
  return memcmp (own, cpus, sizeof own) != 0;
}

/* Before the thread runs: where it is bound to the core of a real-time thread
 * that does not let go, it could not do it itself. */
static gboolean
set_scheduling (pthread_attr_t *attributes)
{
  const struct sched_param usual = { 0 };
  guint8 cpus[MAX_CPUS / 8];
  gboolean changed = FALSE;

  if (sched_getscheduler (0) != SCHED_OTHER) {
    pthread_attr_setinheritsched (attributes, PTHREAD_EXPLICIT_SCHED);
    pthread_attr_setschedpolicy (attributes, SCHED_OTHER);
    pthread_attr_setschedparam (attributes, &usual);
    changed = TRUE;
  }
  if (find_cpus_of_process (cpus)
      && pthread_attr_setaffinity_np (attributes, sizeof cpus,
                                      (const cpu_set_t *)cpus)
             == 0)
    changed = TRUE;
  return changed;
}

static gint
nice_of (pid_t tid, gint otherwise)
{
  gint value;

  errno = 0;
  value = getpriority (PRIO_PROCESS, (id_t)tid);
  return value == -1 && errno != 0 ? otherwise : value;
}

static void *
begin (void *data)
{
  Start start = *(Start *)data;

  g_free (data);
  if (nice_of (0, start.nice) != start.nice
      && setpriority (PRIO_PROCESS, 0, start.nice) != 0)
    GST_CAT_DEBUG (pyro_debug, "a thread of ours keeps the nice value %d: %s",
                   nice_of (0, 0), g_strerror (errno));
  if (!is_sandboxed ()) {
    if (pyro_raw_syscall (SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0, 0, 0, 0, 0)
        != 0)
      pyro_raw_syscall (SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, 0, 0, 0, 0);
    prctl (PR_SET_TIMERSLACK, TIMER_SLACK_NS, 0, 0, 0);
  }
  return start.run (start.data);
}

gint
pyro_own_thread_create (pthread_t *thread, gsize stack_size,
                        PyroOwnThreadKind kind, void *(*run) (void *),
                        void *data)
{
  pthread_attr_t attributes;
  sigset_t before;
  Start *start;
  gint result = pthread_attr_init (&attributes);

  if (result != 0)
    return result;
  start = g_new (Start, 1);
  *start = (Start){ run, data, MAX (nice_of (getpid (), 0), 0) };
  if (kind == PYRO_OWN_THREAD_IN_BEHIND)
    start->nice = is_sandboxed () ? start->nice : MIN (start->nice + 10, 19);

  block_signals (&before);
  result = ENOTSUP;
  if (set_scheduling (&attributes)) {
    pthread_attr_setstacksize (&attributes, stack_size);
    result = pthread_create (thread, &attributes, begin, start);
  }
  if (result != 0) {
    /* Nothing to set, or it was refused: what it inherits is better than no
     * thread. */
    pthread_attr_destroy (&attributes);
    pthread_attr_init (&attributes);
    pthread_attr_setstacksize (&attributes, stack_size);
    result = pthread_create (thread, &attributes, begin, start);
  }
  pthread_sigmask (SIG_SETMASK, &before, NULL);
  pthread_attr_destroy (&attributes);
  if (result != 0)
    g_free (start);
  return result;
}
