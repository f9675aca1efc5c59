/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "cpu-timer.h"

#include <signal.h>
#include <time.h>

#include "kernel-clock.h"

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
  gint64 read_ns;

  if (!pyro_clock_read (pyro_thread_clock (tid), &read_ns))
    return FALSE;
  *ns = (guint64)read_ns;
  return TRUE;
}

gboolean
pyro_process_cpu_time (guint64 *ns)
{
  gint64 read_ns;

  if (!pyro_clock_read (CLOCK_PROCESS_CPUTIME_ID, &read_ns))
    return FALSE;
  *ns = (guint64)read_ns;
  return TRUE;
}

/* The raw calls: the C library's timer_create() must know the clock, and its
 * ids are pointers that a fork would leave behind. */
gint
pyro_cpu_timer_create (pid_t tid, gint signo, guint64 cookie, gint *timer_id)
{
  struct sigevent event = { 0 };

  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = signo;
  event.sigev_value.sival_ptr = (void *)(guintptr)cookie;
  event.sigev_notify_thread_id = tid;

  return (gint)-pyro_raw_syscall (SYS_timer_create, pyro_thread_clock (tid),
                                  (long)&event, (long)timer_id, 0, 0, 0);
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

  return pyro_raw_syscall (SYS_timer_settime, timer_id, 0, (long)&spec, 0, 0, 0)
         == 0;
}

gboolean
pyro_cpu_timer_remaining (gint timer_id, guint64 *ns)
{
  struct itimerspec spec;

  if (pyro_raw_syscall (SYS_timer_gettime, timer_id, (long)&spec, 0, 0, 0, 0)
      != 0)
    return FALSE;
  *ns = (guint64)spec.it_value.tv_sec * NS_PER_S
        + (guint64)spec.it_value.tv_nsec;
  return *ns != 0;
}

void
pyro_cpu_timer_delete (gint timer_id)
{
  pyro_raw_syscall (SYS_timer_delete, timer_id, 0, 0, 0, 0, 0);
}
