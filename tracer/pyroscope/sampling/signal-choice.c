/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "signal-choice.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "handler.h"
#include "proc-task.h"
#include "signal-taking.h"

/* How far below SIGRTMAX we look. SIGRTMAX itself is Valgrind's. */
#define N_REALTIME_CANDIDATES 24

/* Enough to know what is usual in the process: 20 us each. */
#define MAX_THREADS_ASKED 200

static gboolean
is_our_action (const struct sigaction *action)
{
  return (action->sa_flags & SA_SIGINFO)
         && action->sa_sigaction == pyro_handler;
}

gboolean
pyro_signal_is_ours (gint signo)
{
  struct sigaction action;

  return sigaction (signo, NULL, &action) == 0 && is_our_action (&action);
}

/* Default, ignored or already ours: nobody else listens. */
static gboolean
is_free (gint signo)
{
  struct sigaction action;

  if (sigaction (signo, NULL, &action) != 0)
    return FALSE;
  if (is_our_action (&action))
    return !pyro_signal_get_behind (signo, &action)
           || action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN;
  return action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN;
}

/* How many threads block each signal; returns how many threads there are. */
static guint
count_blocking_threads (guint counts[65])
{
  g_autoptr (GArray) tids = g_array_new (FALSE, FALSE, sizeof (pid_t));
  guint n = 0;

  memset (counts, 0, 65 * sizeof (guint));
  if (!pyro_proc_list_tasks (tids))
    return 0;
  for (guint i = 0; i < MIN (tids->len, MAX_THREADS_ASKED); i++) {
    PyroTaskStatus status;

    if (!pyro_proc_read_status (g_array_index (tids, pid_t, i), &status))
      continue;
    n++;
    for (gint signo = 1; signo <= 64; signo++)
      counts[signo] += status.blocked_signals >> (signo - 1) & 1;
  }
  return n;
}

GQuark
pyro_signal_error_quark (void)
{
  return g_quark_from_static_string ("pyro-signal-error-quark");
}

/* Of CANDIDATES the first one that the fewest threads block; 0: none. */
static gint
choose_among (const gint *candidates, guint n, gboolean shared,
              const guint blocking[65])
{
  gint best = 0;

  for (guint i = 0; i < n; i++) {
    gint signo = candidates[i];

    if (signo > 64 || pyro_signal_is_leaving (signo)
        || (!shared && !is_free (signo)))
      continue;
    if (best == 0 || blocking[signo] < blocking[best])
      best = signo;
  }
  return best;
}

static gint
choose (void)
{
  static const gint harmless[] = { SIGURG, SIGWINCH };
  gint realtime[N_REALTIME_CANDIDATES];
  guint n = 0;
  guint blocking[65];
  guint n_threads = count_blocking_threads (blocking);
  gint best, other;

  for (gint i = 1; i <= N_REALTIME_CANDIDATES && SIGRTMAX - i > SIGRTMIN; i++)
    realtime[n++] = SIGRTMAX - i;

  best = choose_among (harmless, G_N_ELEMENTS (harmless), FALSE, blocking);
  if (best != 0 && blocking[best] <= n_threads / 2)
    return best;
  other = choose_among (realtime, n, FALSE, blocking);
  if (best == 0 || (other != 0 && blocking[other] < blocking[best]))
    best = other;
  if (best != 0)
    return best;
  return choose_among (realtime, n, TRUE, blocking);
}

/* A runtime that moves its threads between small stacks of its own (Go) puts
 * SA_ONSTACK on all its handlers and needs it on ours. Elsewhere it would do
 * harm: the signal frame (3.4 KB with AVX-512) does not fit an alternate stack
 * of MINSIGSTKSZ, and the kernel then kills. */
static gint
alternate_stack_flag (void)
{
  struct sigaction action;

  if (sigaction (SIGURG, NULL, &action) == 0 && !is_our_action (&action)
      && (action.sa_flags & SA_SIGINFO))
    return action.sa_flags & SA_ONSTACK;
  return 0;
}

gint
pyro_signal_acquire (GError **error)
{
  struct sigaction action = { 0 };
  struct sigaction before;
  gint signo = choose ();

  if (signo == 0) {
    g_set_error_literal (error, PYRO_SIGNAL_ERROR, 0,
                         "no signal is left that could drive the sampling");
    return 0;
  }

  /* All signals wait meanwhile, so that no other handler, which may never
   * return, interrupts ours. */
  action.sa_sigaction = pyro_handler;
  action.sa_flags = SA_SIGINFO | SA_RESTART | alternate_stack_flag ();
  sigfillset (&action.sa_mask);
  if (sigaction (signo, NULL, &before) == 0 && !is_our_action (&before))
    pyro_signal_take (signo, &before);
  if (sigaction (signo, &action, NULL) != 0) {
    g_set_error (error, PYRO_SIGNAL_ERROR, errno, "%s cannot be handled: %s",
                 pyro_signal_name (signo), g_strerror (errno));
    return 0;
  }
  return signo;
}

const gchar *
pyro_signal_name (gint signo)
{
  static gchar name[16];

  if (signo == 0)
    return "none";
  if (signo == SIGURG)
    return "SIGURG";
  if (signo == SIGWINCH)
    return "SIGWINCH";
  if (signo == SIGRTMAX)
    return "SIGRTMAX";
  g_snprintf (name, sizeof name, "SIGRTMAX-%d", SIGRTMAX - signo);
  return name;
}
