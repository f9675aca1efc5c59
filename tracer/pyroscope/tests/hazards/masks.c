/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Libraries whose threads block all signals: they are sampled, and nobody
 * notices. */

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hazard.h"
#include "worker-module.h"

#define BIT(signo) (1ULL << ((signo)-1))
#define N_WORKERS 6

static Worker workers[N_WORKERS];

static bool
has_tracer (void)
{
  return getenv ("GST_TRACERS") != NULL;
}

/* All that the C library lets a thread block. */
static unsigned long long
full_mask (void)
{
  unsigned long long mask = 0;
  sigset_t all;

  sigfillset (&all);
  for (int signo = 1; signo <= 64; signo++)
    if (sigismember (&all, signo) == 1 && signo != SIGKILL && signo != SIGSTOP)
      mask |= BIT (signo);
  return mask;
}

/* The profiler runs, and has looked at the program's calls: on a busy machine
 * that takes a while. */
static void
begin (void)
{
  bool is_ready = !has_tracer ();

  load_start ();
  usleep (150000);
  for (int i = 0; i < 100 && !is_ready; i++) {
    Worker worker = { .task = NULL };

    worker_start (&worker);
    while (worker.tid == 0)
      usleep (1000);
    is_ready = (kernel_mask (worker.tid) & BIT (SIGURG)) == 0;
    worker_join (&worker);
    if (!is_ready)
      usleep (50000);
  }
  REQUIRE (is_ready);
}

static void
start_all (void (*task) (void))
{
  for (int i = 0; i < N_WORKERS; i++) {
    workers[i] = (Worker){ .task = task };
    worker_start (&workers[i]);
  }
  for (int i = 0; i < N_WORKERS; i++)
    while (workers[i].tid == 0)
      usleep (1000);
}

static void
join_all (void)
{
  for (int i = 0; i < N_WORKERS; i++)
    worker_join (&workers[i]);
}

static void
check_mask (void)
{
  burn_ms (30);
  REQUIRE (worker_mask () == full_mask ());
  burn_ms (30);
  REQUIRE (worker_mask () == full_mask ());
}

static void
reads_masks_back (void)
{
  begin ();
  while (time_is_left ()) {
    start_all (check_mask);
    /* It would be no test if they were not sampled. */
    for (int i = 0; i < N_WORKERS; i++)
      REQUIRE (
          kernel_mask (workers[i].tid)
          == (has_tracer () ? full_mask () & ~BIT (SIGURG) : full_mask ()));
    join_all ();
  }
  load_stop ();
}

static void
wait_for_signals (void)
{
  struct timespec wait = { 0, 3000000 };
  sigset_t all, pending;
  siginfo_t info;

  sigfillset (&all);
  burn_ms (20);
  for (int i = 0; i < 10; i++) {
    REQUIRE (sigtimedwait (&all, &info, &wait) < 0);
    REQUIRE (sigpending (&pending) == 0);
    REQUIRE (sigisemptyset (&pending));
    burn_ms (3);
  }
}

static void
waits_for_signals (void)
{
  begin ();
  while (time_is_left ()) {
    start_all (wait_for_signals);
    for (int i = 0; i < N_WORKERS; i++)
      pthread_kill (workers[i].thread, 0);
    join_all ();
  }
  load_stop ();
}

static void
expect_masks (unsigned long long mask)
{
  for (int i = 0; i < N_WORKERS; i++) {
    for (int n = 0; n < 3000 && kernel_mask (workers[i].tid) != mask; n++)
      usleep (1000);
    REQUIRE (kernel_mask (workers[i].tid) == mask);
  }
}

/* Somebody wants to read the signal that we let through. */
static void
reads_signalfd_later (void)
{
  struct signalfd_siginfo info;
  sigset_t all;
  int fd;

  begin ();
  start_all (NULL);
  usleep (100000);
  sigfillset (&all);
  fd = signalfd (-1, &all, SFD_NONBLOCK | SFD_CLOEXEC);
  REQUIRE (fd >= 0);
  expect_masks (full_mask ());
  usleep (100000);
  while (read (fd, &info, sizeof info) == sizeof info)
    REQUIRE (info.ssi_signo == SIGCHLD);
  close (fd);
  join_all ();
  load_stop ();
}

static volatile int n_on_worker, n_in_all;

static void
on_urgent (int signo)
{
  n_in_all++;
  for (int i = 0; i < N_WORKERS; i++)
    n_on_worker += gettid () == workers[i].tid;
}

/* Threads that block it do not run the handler. */
static void
takes_it_from_workers (void)
{
  struct sigaction action = { .sa_handler = on_urgent };

  begin ();
  start_all (NULL);
  usleep (100000);
  REQUIRE (sigaction (SIGURG, &action, NULL) == 0);
  expect_masks (full_mask ());
  for (int i = 0; i < 20; i++) {
    REQUIRE (kill (getpid (), SIGURG) == 0);
    usleep (2000);
  }
  join_all ();
  REQUIRE (n_in_all > 0 && n_on_worker == 0);
  load_stop ();
}

static void
make_processes (void)
{
  unsigned long long mask = full_mask ();
  int status = -1;
  pid_t child;

  burn_ms (20);
  child = fork ();
  if (child == 0) {
    unsigned long long own = 0;

    syscall (SYS_rt_sigprocmask, SIG_BLOCK, NULL, &own, 8);
    _exit (own == mask ? 0 : 1);
  }
  REQUIRE (child > 0 && waitpid (child, &status, 0) == child && status == 0);
  burn_ms (20);
  child = vfork ();
  if (child == 0) {
    execvp (hazard_program,
            (char *const[]){ (char *)hazard_program, (char *)"--mask", NULL });
    _exit (3);
  }
  REQUIRE (child > 0 && waitpid (child, &status, 0) == child && status == 0);
  REQUIRE (posix_spawn (&child, hazard_program, NULL, NULL,
                        (char *const[]){ (char *)hazard_program,
                                         (char *)"--mask", NULL },
                        environ)
           == 0);
  REQUIRE (waitpid (child, &status, 0) == child && status == 0);
}

static void
workers_make_processes (void)
{
  begin ();
  start_all (make_processes);
  join_all ();
  load_stop ();
}

int
hazard_has_full_mask (void)
{
  unsigned long long own = 0;

  syscall (SYS_rt_sigprocmask, SIG_BLOCK, NULL, &own, 8);
  return own == full_mask ();
}

const Hazard mask_hazards[] = {
  { "reads-masks-back", reads_masks_back, NULL },
  { "waits-for-signals", waits_for_signals, NULL },
  { "reads-signalfd-later", reads_signalfd_later, NULL },
  { "takes-it-from-workers", takes_it_from_workers, NULL },
  { "workers-make-processes", workers_make_processes, NULL },
  { NULL, NULL, NULL },
};
