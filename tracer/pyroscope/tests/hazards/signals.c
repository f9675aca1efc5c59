/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Applications that have signals of their own. */

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "hazard.h"

static volatile sig_atomic_t n_prof;

static void
on_prof (int signo)
{
  n_prof++;
}

static void
own_sigprof (void)
{
  struct sigaction action = { .sa_handler = on_prof, .sa_flags = SA_RESTART };
  struct itimerval timer = { { 0, 5000 }, { 0, 5000 } };

  REQUIRE (sigaction (SIGPROF, &action, NULL) == 0);
  REQUIRE (setitimer (ITIMER_PROF, &timer, NULL) == 0);
}

static void
check_sigprof (void)
{
  struct sigaction action;
  struct itimerval timer;

  REQUIRE (n_prof > 1);
  REQUIRE (sigaction (SIGPROF, NULL, &action) == 0);
  REQUIRE (action.sa_handler == on_prof);
  REQUIRE (getitimer (ITIMER_PROF, &timer) == 0);
  REQUIRE (timer.it_interval.tv_usec == 5000);
}

static void
sigprof_before (void)
{
  load_start ();
  while (time_is_left ())
    burn_ms (10);
  check_sigprof ();
  load_stop ();
  check_sigprof ();
}

static void
sigprof_after (void)
{
  load_start ();
  own_sigprof ();
  while (time_is_left ())
    burn_ms (10);
  check_sigprof ();
  load_stop ();
}

static void
set_all (void (*handler) (int))
{
  for (int signo = 1; signo <= 64; signo++)
    signal (signo, handler);
}

static void
resets_to_default (void)
{
  load_start ();
  while (time_is_left ()) {
    set_all (SIG_DFL);
    usleep (2000);
  }
  load_stop ();
}

static void
resets_to_ignore (void)
{
  load_start ();
  while (time_is_left ()) {
    set_all (SIG_IGN);
    usleep (2000);
  }
  load_stop ();
}

/* Whoever moved to a real-time signal meanwhile would be killed. */
static void
resets_both_ways (void)
{
  load_start ();
  while (time_is_left ()) {
    set_all (SIG_IGN);
    usleep (120000);
    set_all (SIG_DFL);
    usleep (20000);
  }
  load_stop ();
}

static volatile sig_atomic_t n_urgent;

static void
on_urgent (int signo, siginfo_t *info, void *context)
{
  if (info->si_code == SI_QUEUE && info->si_value.sival_int == 42)
    n_urgent++;
}

static void
takes_sigurg (void)
{
  struct sigaction action
      = { .sa_sigaction = on_urgent, .sa_flags = SA_SIGINFO | SA_RESTART };
  struct sigaction now;

  load_start ();
  usleep (100000);
  REQUIRE (sigaction (SIGURG, &action, NULL) == 0);
  while (time_is_left ())
    burn_ms (10);
  for (int i = 0; i < 5; i++)
    REQUIRE (sigqueue (getpid (), SIGURG, (union sigval){ 42 }) == 0);
  load_stop ();
  REQUIRE (n_urgent == 5);
  REQUIRE (sigaction (SIGURG, NULL, &now) == 0);
  REQUIRE (now.sa_sigaction == on_urgent);
}

static volatile int n_sent, n_got, n_foreign;

static void
on_own (int signo, siginfo_t *info, void *context)
{
  if (info->si_code == SI_QUEUE && info->si_value.sival_int == 42)
    __atomic_fetch_add (&n_got, 1, __ATOMIC_SEQ_CST);
  else
    __atomic_fetch_add (&n_foreign, 1, __ATOMIC_SEQ_CST);
}

static void
on_own_plain (int signo)
{
  __atomic_fetch_add (&n_got, 1, __ATOMIC_SEQ_CST);
}

static volatile bool may_end;

static void *
burn_until (void *data)
{
  while (!__atomic_load_n (&may_end, __ATOMIC_ACQUIRE))
    spin (10000);
  return NULL;
}

static void
send_one (pthread_t thread)
{
  REQUIRE (pthread_sigqueue (thread, SIGURG, (union sigval){ 42 }) == 0);
  n_sent++;
  for (int i = 0; i < 2000 && n_got < n_sent; i++)
    usleep (1000);
}

/* What was there before is read back as if nobody else had a handler. */
static void
install_own (const struct sigaction *action)
{
  struct sigaction before, now;

  REQUIRE (sigaction (SIGURG, action, &before) == 0);
  REQUIRE (before.sa_handler == SIG_DFL || before.sa_handler == SIG_IGN
           || before.sa_sigaction == on_own
           || before.sa_handler == on_own_plain);
  REQUIRE (sigaction (SIGURG, NULL, &now) == 0);
  REQUIRE (now.sa_sigaction == action->sa_sigaction);
  REQUIRE ((now.sa_flags & (SA_SIGINFO | SA_RESTART))
           == (action->sa_flags & (SA_SIGINFO | SA_RESTART)));
  REQUIRE (sigismember (&now.sa_mask, SIGUSR1) == 1);
}

/* Eight threads have ticks on their way all the time. */
static void
takes_it_from_busy_threads (void)
{
  struct sigaction with_info
      = { .sa_sigaction = on_own, .sa_flags = SA_SIGINFO | SA_RESTART };
  struct sigaction plain
      = { .sa_handler = on_own_plain, .sa_flags = SA_RESTART };
  pthread_t threads[8];

  sigaddset (&with_info.sa_mask, SIGUSR1);
  sigaddset (&plain.sa_mask, SIGUSR1);
  load_start ();
  for (int i = 0; i < 8; i++)
    REQUIRE (pthread_create (&threads[i], NULL, burn_until, NULL) == 0);
  usleep (200000);
  for (int round = 0; round < 3; round++) {
    install_own (&with_info);
    for (int i = 0; i < 4; i++)
      send_one (threads[i]);
    REQUIRE (n_got == n_sent);
    REQUIRE (signal (SIGURG, SIG_DFL) != SIG_ERR);
    usleep (60000);
    REQUIRE (signal (SIGURG, SIG_IGN) == SIG_DFL);
    usleep (60000);
    n_got = n_sent;
    install_own (&plain);
    usleep (20000);
    REQUIRE (n_got == n_sent);
    send_one (threads[round]);
    REQUIRE (n_got == n_sent);
    REQUIRE (signal (SIGURG, SIG_IGN) == on_own_plain);
    usleep (60000);
  }
  __atomic_store_n (&may_end, true, __ATOMIC_RELEASE);
  for (int i = 0; i < 8; i++)
    pthread_join (threads[i], NULL);
  load_stop ();
  REQUIRE (n_foreign == 0);
}

static struct sigaction chained;

static void
on_chained (int signo, siginfo_t *info, void *context)
{
  on_urgent (signo, info, context);
  if (chained.sa_flags & SA_SIGINFO)
    chained.sa_sigaction (signo, info, context);
  else if (chained.sa_handler != SIG_DFL && chained.sa_handler != SIG_IGN)
    chained.sa_handler (signo);
}

static void
chains_forty_times (void)
{
  struct sigaction action
      = { .sa_sigaction = on_chained, .sa_flags = SA_SIGINFO | SA_RESTART };

  load_start ();
  usleep (100000);
  for (int i = 0; i < 40; i++) {
    REQUIRE (sigaction (SIGURG, &action, &chained) == 0);
    burn_ms (4);
    REQUIRE (sigqueue (getpid (), SIGURG, (union sigval){ 42 }) == 0);
    REQUIRE (sigaction (SIGURG, &chained, NULL) == 0);
  }
  load_stop ();
  REQUIRE (n_urgent == 40);
}

/* The application's own timer signals on the number that we took. */
static void
urgent_flood (void)
{
  load_start ();
  while (time_is_left ()) {
    for (int i = 0; i < 100; i++)
      REQUIRE (sigqueue (getpid (), SIGURG, (union sigval){ i }) == 0);
    burn_ms (1);
  }
  load_stop ();
}

static volatile int n_taken;

static void *
wait_for_all (void *data)
{
  sigset_t all;
  siginfo_t info;
  struct timespec wait = { 0, 10000000 };

  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, NULL);
  while (time_is_left ()) {
    /* GStreamer's plugin scanner may end meanwhile. */
    if (sigtimedwait (&all, &info, &wait) > 0 && info.si_signo != SIGCHLD)
      n_taken++;
    burn_ms (2);
  }
  return NULL;
}

static void
block_all (void)
{
  sigset_t all;

  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, NULL);
}

static void
waits_for_all (void)
{
  load_start ();
  wait_for_all (NULL);
  load_stop ();
  REQUIRE (n_taken == 0);
}

/* The others do not block. */
static void
one_thread_waits (void)
{
  pthread_t thread;

  REQUIRE (pthread_create (&thread, NULL, wait_for_all, NULL) == 0);
  load_start ();
  while (time_is_left ())
    burn_ms (10);
  pthread_join (thread, NULL);
  load_stop ();
  REQUIRE (n_taken == 0);
}

static void
reads_signalfd (void)
{
  struct signalfd_siginfo info;
  sigset_t all;
  int fd, n = 0;

  sigfillset (&all);
  fd = signalfd (-1, &all, SFD_NONBLOCK | SFD_CLOEXEC);
  REQUIRE (fd >= 0);
  load_start ();
  while (time_is_left ()) {
    burn_ms (5);
    n += read (fd, &info, sizeof info) == sizeof info
         && info.ssi_signo != SIGCHLD;
  }
  load_stop ();
  REQUIRE (n == 0);
}

static sigjmp_buf jump;
static volatile sig_atomic_t may_jump, n_jumps;

static void
on_jump (int signo)
{
  if (!may_jump)
    return;
  may_jump = 0;
  n_jumps++;
  siglongjmp (jump, 1);
}

static void *
jump_about (void *data)
{
  struct sigaction action = { .sa_handler = on_jump };
  struct sigevent event
      = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1 };
  struct itimerspec spec = { { 0, 1500000 }, { 0, 1500000 } };
  timer_t timer;

  event._sigev_un._tid = gettid ();
  REQUIRE (sigaction (SIGUSR1, &action, NULL) == 0);
  REQUIRE (timer_create (CLOCK_MONOTONIC, &event, &timer) == 0);
  REQUIRE (timer_settime (timer, 0, &spec, NULL) == 0);
  while (time_is_left ()) {
    if (sigsetjmp (jump, 1) == 0) {
      may_jump = 1;
      spin (20000000);
      may_jump = 0;
    }
  }
  timer_delete (timer);
  return NULL;
}

static void
jumps_out_of_handlers (void)
{
  pthread_t thread;

  load_start ();
  REQUIRE (pthread_create (&thread, NULL, jump_about, NULL) == 0);
  pthread_join (thread, NULL);
  load_stop ();
  REQUIRE (n_jumps > 2);
}

const Hazard signal_hazards[] = {
  { "sigprof-before", sigprof_before, own_sigprof },
  { "sigprof-after", sigprof_after, NULL },
  { "resets-to-default", resets_to_default, NULL },
  { "resets-to-ignore", resets_to_ignore, NULL },
  { "resets-both-ways", resets_both_ways, NULL },
  { "takes-sigurg", takes_sigurg, NULL },
  { "chains-forty-times", chains_forty_times, NULL },
  { "takes-it-from-busy-threads", takes_it_from_busy_threads, NULL },
  { "urgent-flood", urgent_flood, NULL },
  { "waits-for-all", waits_for_all, block_all },
  { "one-thread-waits", one_thread_waits, NULL },
  { "reads-signalfd", reads_signalfd, block_all },
  { "jumps-out-of-handlers", jumps_out_of_handlers, NULL },
  { NULL, NULL, NULL },
};
