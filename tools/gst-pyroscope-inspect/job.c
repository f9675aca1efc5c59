/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "job.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "inspect-error.h"

/* What a terminal, a shell, a service manager or timeout(1) sends. */
static const int forwarded[]
    = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM };

/* timeout(1) sends its signal to its child and to the group of both: the same
 * one again within this time is not another wish. */
#define SAME_SIGNAL_US (G_USEC_PER_SEC / 5)

typedef struct {
  pid_t pid;
  gboolean has_terminal;
  sigset_t watched, before;
  gint64 last_time[NSIG];
} Job;

/* Gives the terminal to the process group GROUP. SIGTTOU is blocked meanwhile:
 * it stops whoever does that from the background. */
static void
give_terminal (pid_t group)
{
  sigset_t ttou, before;

  sigemptyset (&ttou);
  sigaddset (&ttou, SIGTTOU);
  sigprocmask (SIG_BLOCK, &ttou, &before);
  tcsetpgrp (STDIN_FILENO, group);
  sigprocmask (SIG_SETMASK, &before, NULL);
}

static void
be_command (const Job *job, gchar **argv, gchar **environment, int report)
{
  int error;

  setpgid (0, 0);
  if (job->has_terminal)
    give_terminal (getpid ());
  sigprocmask (SIG_SETMASK, &job->before, NULL);
  execvpe (argv[0], argv, environment);
  error = errno;
  if (write (report, &error, sizeof error) < 0)
    _exit (126);
  _exit (error == ENOENT ? 127 : 126);
}

/* FALSE: it was not run, errno says why. */
static gboolean
start (Job *job, gchar **argv, gchar **environment)
{
  int ends[2], error = 0;
  ssize_t n;

  if (pipe2 (ends, O_CLOEXEC) != 0)
    return FALSE;
  job->pid = fork ();
  if (job->pid == 0)
    be_command (job, argv, environment, ends[1]);
  error = errno;
  close (ends[1]);
  if (job->pid > 0) {
    error = 0;
    /* Both do it: whoever comes first. */
    setpgid (job->pid, job->pid);
    do
      n = read (ends[0], &error, sizeof error);
    while (n < 0 && errno == EINTR);
    if (n == sizeof error)
      waitpid (job->pid, NULL, 0);
    else
      error = 0;
  }
  close (ends[0]);
  errno = error;
  return error == 0;
}

static void
forward (Job *job, int signo)
{
  gint64 now = g_get_monotonic_time ();

  if (job->last_time[signo] != 0
      && now - job->last_time[signo] < SAME_SIGNAL_US)
    return;
  job->last_time[signo] = now;
  kill (-job->pid, signo);
}

static gboolean
is_foreground (void)
{
  return isatty (STDIN_FILENO) && tcgetpgrp (STDIN_FILENO) == getpgrp ();
}

static void
take_terminal_back (const Job *job)
{
  if (job->has_terminal && tcgetpgrp (STDIN_FILENO) == job->pid)
    give_terminal (getpgrp ());
}

/* The terminal stopped the command: so are we, until a shell continues us. If
 * it was because the command asked for the terminal, and a shell has put us in
 * the foreground meanwhile, it goes on with it. Whoever else stopped it
 * (SIGSTOP) continues it alone. */
static void
stop_with_it (Job *job, int signo)
{
  gboolean asked = signo == SIGTTIN || signo == SIGTTOU;

  if (!asked && signo != SIGTSTP)
    return;
  if (!asked || !is_foreground ()) {
    take_terminal_back (job);
    raise (SIGSTOP);
  }
  if (is_foreground ()) {
    job->has_terminal = TRUE;
    give_terminal (job->pid);
  }
  kill (-job->pid, SIGCONT);
}

/* What has happened, or a second has gone. */
static int
next_signal (const Job *job, const struct timespec *until)
{
  struct timespec now, left;

  clock_gettime (CLOCK_MONOTONIC, &now);
  left.tv_sec = until->tv_sec - now.tv_sec;
  left.tv_nsec = until->tv_nsec - now.tv_nsec;
  if (left.tv_nsec < 0) {
    left.tv_sec--;
    left.tv_nsec += 1000000000;
  }
  if (left.tv_sec < 0)
    left = (struct timespec){ 0, 0 };
  return sigtimedwait (&job->watched, NULL, &left);
}

static int
wait_for_end (Job *job, PyroJobTick tick, gpointer data)
{
  struct timespec until;
  int status;
  pid_t pid;

  clock_gettime (CLOCK_MONOTONIC, &until);
  until.tv_sec++;
  for (;;) {
    int signo;

    while ((pid = waitpid (job->pid, &status, WNOHANG | WUNTRACED))
           == job->pid) {
      if (!WIFSTOPPED (status))
        return status;
      stop_with_it (job, WSTOPSIG (status));
    }
    if (pid < 0 && errno != EINTR)
      return 126 << 8; /* somebody else has waited for it */
    signo = next_signal (job, &until);
    if (signo > 0 && signo != SIGCHLD) {
      forward (job, signo);
    } else if (signo < 0 && errno == EAGAIN) {
      until.tv_sec++;
      tick (job->pid, data);
    }
  }
}

int
pyro_job_run (gchar **argv, gchar **environment, PyroJobTick tick,
              gpointer data, int *signo, GError **error)
{
  Job job = { 0 };
  int status, failure;

  *signo = 0;
  job.has_terminal = is_foreground ();
  sigemptyset (&job.watched);
  for (guint i = 0; i < G_N_ELEMENTS (forwarded); i++)
    sigaddset (&job.watched, forwarded[i]);
  sigaddset (&job.watched, SIGCHLD);
  /* An ignored SIGCHLD would take the status away. */
  signal (SIGCHLD, SIG_DFL);
  sigprocmask (SIG_BLOCK, &job.watched, &job.before);

  if (!start (&job, argv, environment)) {
    failure = errno;
    take_terminal_back (&job);
    sigprocmask (SIG_SETMASK, &job.before, NULL);
    g_set_error (error, PYRO_INSPECT_ERROR, PYRO_INSPECT_ERROR_VALUE,
                 "the command \"%s\" cannot be run: %s", argv[0],
                 g_strerror (failure));
    return failure == ENOENT ? 127 : 126;
  }
  status = wait_for_end (&job, tick, data);
  take_terminal_back (&job);
  sigprocmask (SIG_SETMASK, &job.before, NULL);
  if (WIFEXITED (status))
    return WEXITSTATUS (status);
  *signo = WTERMSIG (status);
  return 128 + *signo;
}
