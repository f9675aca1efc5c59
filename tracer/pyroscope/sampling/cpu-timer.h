/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: a timer on the CPU clock of one thread, made from another thread.
 * Owner: the caller; timers are not inherited by fork and end with exec.
 * Threads: any, but the signal handler.
 */
#pragma once

#include <glib.h>
#include <sys/types.h>

/* The CPU clock of the thread TID of this process, or with 0 of the calling one
 * (CLOCK_THREAD_CPUTIME_ID): CPUCLOCK_PERTHREAD |
 * CPUCLOCK_SCHED on the complement of the id, as in the kernel's
 * include/linux/posix-timers.h. */
clockid_t pyro_thread_clock (pid_t tid);

/* CPU time of TID in nanoseconds. FALSE: there is no such thread any more. */
gboolean pyro_thread_cpu_time (pid_t tid, guint64 *ns);

/* CPU time of all threads of this process, in nanoseconds. */
gboolean pyro_process_cpu_time (guint64 *ns);

/* Makes a timer that sends SIGNO with COOKIE to TID itself; it does not run
 * yet. Returns 0 and sets *TIMER_ID, or the errno: EAGAIN where
 * RLIMIT_SIGPENDING is used up, EINVAL where the thread is gone. */
gint
pyro_cpu_timer_create (pid_t tid, gint signo, guint64 cookie, gint *timer_id);

/* FIRST_NS (> 0) until the first expiration, then every INTERVAL_NS. */
gboolean
pyro_cpu_timer_start (gint timer_id, guint64 first_ns, guint64 interval_ns);

/* CPU time until the next expiration of a timer that was started; 1: it is due,
 * the kernel only has not noticed yet. FALSE: the timer's thread is gone. */
gboolean pyro_cpu_timer_remaining (gint timer_id, guint64 *ns);

void pyro_cpu_timer_delete (gint timer_id);
