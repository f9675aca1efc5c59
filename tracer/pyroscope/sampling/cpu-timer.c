/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "cpu-timer.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

#define NS_PER_S G_GUINT64_CONSTANT (1000000000)

clockid_t
pyro_thread_clock (pid_t tid)
{
  return (clockid_t)(~(guint)tid << 3 | 6);
}

gboolean
pyro_thread_cpu_time (pid_t tid, guint64 *ns)
{
  struct timespec ts;

  if (clock_gettime (pyro_thread_clock (tid), &ts) != 0)
    return FALSE;
  *ns = (guint64)ts.tv_sec * NS_PER_S + (guint64)ts.tv_nsec;
  return TRUE;
}

/* The raw calls: the C library's timer_create() wants to know the clock, and
 * its ids are pointers that a fork would leave behind. */
gint
pyro_cpu_timer_create (pid_t tid, gint signo, guint64 cookie, gint *timer_id)
{
  struct sigevent event = { 0 };

  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = signo;
  event.sigev_value.sival_ptr = (void *)(guintptr)cookie;
  event.sigev_notify_thread_id = tid;

  if (syscall (SYS_timer_create, pyro_thread_clock (tid), &event, timer_id)
      != 0)
    return errno;
  return 0;
}

static struct timespec
timespec_from_ns (guint64 ns)
{
  return (struct timespec){ .tv_sec = (time_t)(ns / NS_PER_S),
                            .tv_nsec = (glong)(ns % NS_PER_S) };
}

gboolean
pyro_cpu_timer_start (gint timer_id, guint64 first_ns, guint64 interval_ns)
{
  struct itimerspec spec = { .it_value = timespec_from_ns (MAX (first_ns, 1)),
                             .it_interval = timespec_from_ns (interval_ns) };

  return syscall (SYS_timer_settime, timer_id, 0, &spec, NULL) == 0;
}

gboolean
pyro_cpu_timer_remaining (gint timer_id, guint64 *ns)
{
  struct itimerspec spec;

  if (syscall (SYS_timer_gettime, timer_id, &spec) != 0)
    return FALSE;
  *ns = (guint64)spec.it_value.tv_sec * NS_PER_S
        + (guint64)spec.it_value.tv_nsec;
  return *ns != 0;
}

void
pyro_cpu_timer_delete (gint timer_id)
{
  syscall (SYS_timer_delete, timer_id);
}
