/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "sampler.h"
#include "sampling/handler.h"
#include "sampling/signal-choice.h"
#include "sampling/thread-record.h"

static volatile sig_atomic_t n_own;

static void
own_handler (int signo)
{
  n_own++;
}

static void
own_handler_with_info (int signo, siginfo_t *info, void *context)
{
  g_assert_cmpint (info->si_signo, ==, signo);
  n_own++;
}

static void
handle (gint signo, gint flags)
{
  struct sigaction action = { .sa_flags = flags };

  if (flags & SA_SIGINFO)
    action.sa_sigaction = own_handler_with_info;
  else
    action.sa_handler = own_handler;
  g_assert_cmpint (sigaction (signo, &action, NULL), ==, 0);
}

static void
choose (gint expected)
{
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (pyro_signal_acquire (&error), ==, expected);
  g_assert_no_error (error);
  g_assert_true (pyro_signal_is_ours (expected));
}

static void
child_first_choice (void)
{
  struct sigaction action;

  choose (SIGURG);
  choose (SIGURG); /* ours already */
  sigaction (SIGURG, NULL, &action);
  g_assert_true (action.sa_flags & SA_RESTART);
  g_assert_false (action.sa_flags & SA_ONSTACK);
  for (gint signo = 1; signo <= 64; signo++)
    if (signo != SIGKILL && signo != SIGSTOP && signo != 32 && signo != 33)
      g_assert_true (sigismember (&action.sa_mask, signo));
}

static void
child_ignored (void)
{
  signal (SIGURG, SIG_IGN);
  choose (SIGURG);
}

static void
child_urgent_taken (void)
{
  handle (SIGURG, 0);
  choose (SIGWINCH);
  raise (SIGURG);
  g_assert_cmpint (n_own, ==, 1);
}

static void
child_realtime (void)
{
  handle (SIGURG, 0);
  handle (SIGWINCH, 0);
  choose (SIGRTMAX - 1);
  signal (SIGRTMAX - 1, SIG_DFL);
  handle (SIGRTMAX - 1, 0);
  g_assert_false (pyro_signal_is_ours (SIGRTMAX - 1));
  choose (SIGRTMAX - 2);
}

static void
child_all_taken (void)
{
  /* As Go does. */
  for (gint signo = 1; signo <= 64; signo++)
    if (signo != SIGKILL && signo != SIGSTOP && signo != 32 && signo != 33)
      handle (signo, SA_SIGINFO | SA_ONSTACK | SA_RESTART);
  choose (SIGRTMAX - 1);
  {
    struct sigaction action;

    sigaction (SIGRTMAX - 1, NULL, &action);
    g_assert_true (action.sa_flags & SA_ONSTACK);
  }
  raise (SIGRTMAX - 1);
  g_assert_cmpint (n_own, ==, 1);
  g_assert_cmpint (sigqueue (getpid (), SIGRTMAX - 1, (union sigval){ 5 }), ==,
                   0);
  g_assert_cmpint (n_own, ==, 2);
}

static void
child_without_info (void)
{
  for (gint signo = 1; signo <= 64; signo++)
    if (signo != SIGKILL && signo != SIGSTOP && signo != 32 && signo != 33)
      handle (signo, 0);
  choose (SIGRTMAX - 1);
  raise (SIGRTMAX - 1);
  g_assert_cmpint (n_own, ==, 1);
}

/* Timer signals with our magic are never passed on, whether the thread is
 * known or not. */
static void
child_late_signals (void)
{
  union sigval value = { .sival_ptr = (void *)(gsize)pyro_cookie (9, 9) };
  siginfo_t info = { .si_signo = SIGRTMAX - 1, .si_code = SI_TIMER };

  child_without_info ();
  info.si_value = value;
  pyro_handler (SIGRTMAX - 1, &info, NULL);
  g_assert_cmpint (n_own, ==, 1);
  /* The application's own timer. */
  info.si_value.sival_ptr = (void *)3;
  pyro_handler (SIGRTMAX - 1, &info, NULL);
  g_assert_cmpint (n_own, ==, 2);
  /* Whoever sends our magic by hand is not a timer of ours. */
  info.si_code = SI_QUEUE;
  info.si_value = value;
  pyro_handler (SIGRTMAX - 1, &info, NULL);
  g_assert_cmpint (n_own, ==, 3);
}

static gpointer
block_and_wait (gpointer data)
{
  sigset_t set;

  sigemptyset (&set);
  sigaddset (&set, GPOINTER_TO_INT (data));
  pthread_sigmask (SIG_BLOCK, &set, NULL);
  for (;;)
    pause ();
  return NULL;
}

static void
child_blocked_somewhere (void)
{
  for (guint i = 0; i < 2; i++)
    g_thread_new ("blocks", block_and_wait, GINT_TO_POINTER (SIGURG));
  g_thread_new ("blocks", block_and_wait, GINT_TO_POINTER (SIGWINCH));
  usleep (50000);
  choose (SIGWINCH);
}

static void
child_blocked_everywhere (void)
{
  sigset_t set;

  sigemptyset (&set);
  sigaddset (&set, SIGURG);
  sigaddset (&set, SIGWINCH);
  pthread_sigmask (SIG_BLOCK, &set, NULL);
  choose (SIGRTMAX - 1);
}

static void
child_names (void)
{
  g_assert_cmpstr (pyro_signal_name (SIGURG), ==, "SIGURG");
  g_assert_cmpstr (pyro_signal_name (SIGRTMAX), ==, "SIGRTMAX");
  g_assert_cmpstr (pyro_signal_name (SIGRTMAX - 3), ==, "SIGRTMAX-3");
  g_assert_cmpstr (pyro_signal_name (0), ==, "none");
}

static void
run_child (gconstpointer test)
{
  in_a_process ((void (*) (void)) (gsize)test);
}

#define ADD(name, test) \
  g_test_add_data_func ("/signal/" name, (gconstpointer)(gsize)test, run_child)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("SIGURG is the first choice", child_first_choice);
  ADD ("an ignored signal is free", child_ignored);
  ADD ("the next one where SIGURG is handled", child_urgent_taken);
  ADD ("a real-time signal where both are handled", child_realtime);
  ADD ("where all are handled one is shared", child_all_taken);
  ADD ("handlers without siginfo are passed on to", child_without_info);
  ADD ("our own late signals are not passed on", child_late_signals);
  ADD ("the one that fewer threads block", child_blocked_somewhere);
  ADD ("a real-time signal where all threads block both",
       child_blocked_everywhere);
  ADD ("names", child_names);
  return g_test_run ();
}
