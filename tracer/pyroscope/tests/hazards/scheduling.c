/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Applications that schedule their threads themselves: the profiler's own must
 * not become what the thread was that first played. */

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hazard.h"

static cpu_set_t cpus_before;

static bool
has_tracer (void)
{
  return getenv ("GST_TRACERS") != NULL;
}

static bool
is_own (pid_t tid, char name[32])
{
  char path[64];
  FILE *file;

  name[0] = '\0';
  snprintf (path, sizeof path, "/proc/self/task/%d/comm", tid);
  file = fopen (path, "re");
  if (file == NULL)
    return false;
  if (fgets (name, 32, file) == NULL)
    name[0] = '\0';
  fclose (file);
  return strncmp (name, "pyro-", 5) == 0;
}

/* It is not allowed to lower its nice value. */
static bool may_be_nice;

static void
check_own (pid_t tid, const char *name)
{
  int nice_max = strncmp (name, "pyro-collector", 14) == 0 ? 0 : 10;
  cpu_set_t cpus;
  char path[64], text[32] = "";
  FILE *file;

  REQUIRE (sched_getscheduler (tid) == SCHED_OTHER);
  errno = 0;
  if (!may_be_nice)
    REQUIRE (getpriority (PRIO_PROCESS, (id_t)tid) == nice_max);
  REQUIRE (errno == 0);
  REQUIRE (sched_getaffinity (tid, sizeof cpus, &cpus) == 0);
  REQUIRE (CPU_EQUAL (&cpus, &cpus_before));
  REQUIRE (syscall (SYS_ioprio_get, 1, tid) == 0
           /* What the kernel derives from the nice value. */
           || syscall (SYS_ioprio_get, 1, tid) >> 13 == 2);
  snprintf (path, sizeof path, "/proc/self/task/%d/timerslack_ns", tid);
  file = fopen (path, "re");
  if (file != NULL && fgets (text, sizeof text, file) != NULL)
    REQUIRE (atol (text) == 50000);
  if (file != NULL)
    fclose (file);
}

static int
check_all_own (void)
{
  DIR *dir = opendir ("/proc/self/task");
  struct dirent *entry;
  int n = 0;

  REQUIRE (dir != NULL);
  while ((entry = readdir (dir)) != NULL) {
    pid_t tid = (pid_t)atoi (entry->d_name);
    char name[32];

    if (tid > 0 && is_own (tid, name)) {
      check_own (tid, name);
      n++;
    }
  }
  closedir (dir);
  return n;
}

static void *
play (void *data)
{
  void (*become) (void) = (void (*) (void))data;
  /* Collector, encoder, that of the captures, and that of SIGTERM. */
  int n_own = has_tracer () ? 4 : 0, n = 0;

  become ();
  load_start ();
  while (time_is_left ())
    usleep (10000);
  load_stop ();
  /* The delivery's thread comes with the first profile; at the start there are
   * two more, one after the other, by which the collector learns what the C
   * library keeps of a thread. */
  for (int i = 0; i < 500 && n != n_own; i++) {
    usleep (10000);
    n = check_all_own ();
  }
  REQUIRE (n == n_own);
  return NULL;
}

static void
play_as (void (*become) (void))
{
  pthread_t thread;

  REQUIRE (sched_getaffinity (0, sizeof cpus_before, &cpus_before) == 0);
  REQUIRE (pthread_create (&thread, NULL, play, (void *)become) == 0);
  REQUIRE (pthread_join (thread, NULL) == 0);
}

static void
become_real_time (void)
{
  struct sched_param param = { .sched_priority = 10 };

  if (sched_setscheduler (0, SCHED_FIFO, &param) != 0)
    hazard_skip ("SCHED_FIFO is not allowed: not root, no RLIMIT_RTPRIO");
  /* The class of real-time input and output. */
  syscall (SYS_ioprio_set, 1, 0, 1 << 13 | 4);
}

static void
become_round_robin_and_pinned (void)
{
  struct sched_param param = { .sched_priority = 10 };
  cpu_set_t one;

  CPU_ZERO (&one);
  CPU_SET (sched_getcpu (), &one);
  REQUIRE (sched_setaffinity (0, sizeof one, &one) == 0);
  if (sched_setscheduler (0, SCHED_RR, &param) != 0)
    hazard_skip ("SCHED_RR is not allowed: not root, no RLIMIT_RTPRIO");
}

static void
become_batch (void)
{
  struct sched_param param = { 0 };

  REQUIRE (sched_setscheduler (0, SCHED_BATCH, &param) == 0);
  REQUIRE (prctl (PR_SET_TIMERSLACK, 20000000, 0, 0, 0) == 0);
}

static void
become_nice (void)
{
  REQUIRE (setpriority (PRIO_PROCESS, 0, 15) == 0);
  /* Whoever may not lower it again keeps it. */
  if (geteuid () != 0)
    may_be_nice = true;
}

static void
become_urgent (void)
{
  if (setpriority (PRIO_PROCESS, 0, -11) != 0)
    hazard_skip ("a negative nice value is not allowed: not root");
}

static void
become_deadline (void)
{
  struct {
    guint32 size, policy;
    guint64 flags;
    gint32 nice;
    guint32 priority;
    guint64 runtime, deadline, period;
  } attributes = { .size = 48,
                   .policy = 6,
                   .flags = 1, /* SCHED_FLAG_RESET_ON_FORK: it may clone */
                   .runtime = 20000000,
                   .deadline = 100000000,
                   .period = 100000000 };

  if (syscall (SYS_sched_setattr, 0, &attributes, 0) != 0)
    hazard_skip ("SCHED_DEADLINE is not allowed here");
}

static void
real_time_first (void)
{
  play_as (become_real_time);
}

static void
pinned_first (void)
{
  play_as (become_round_robin_and_pinned);
}

static void
batch_first (void)
{
  play_as (become_batch);
}

static void
nice_first (void)
{
  play_as (become_nice);
}

static void
urgent_first (void)
{
  play_as (become_urgent);
}

static void
deadline_first (void)
{
  play_as (become_deadline);
}

static void
become_nothing (void)
{
}

/* As with taskset: all threads are where the first one was put. */
static void
bind_all (void)
{
  cpu_set_t one;

  CPU_ZERO (&one);
  CPU_SET (sched_getcpu (), &one);
  REQUIRE (sched_setaffinity (0, sizeof one, &one) == 0);
}

static void
bound_process (void)
{
  play_as (become_nothing);
}

const Hazard scheduling_hazards[] = {
  { "real-time-first", real_time_first, NULL },
  { "pinned-first", pinned_first, NULL },
  { "batch-first", batch_first, NULL },
  { "nice-first", nice_first, NULL },
  { "urgent-first", urgent_first, NULL },
  { "deadline-first", deadline_first, NULL },
  { "bound-process", bound_process, bind_all },
  { NULL, NULL, NULL },
};
