/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "signal-upkeep.h"

#include "log.h"
#include "sampling/signal-choice.h"
#include "sampling/signal-taking.h"
#include "sampling/unblocking.h"

#define GST_CAT_DEFAULT pyro_debug

/* How often our signal is looked after; less often while it does not last. */
#define MIN_WAIT_US 50000
#define MAX_WAIT_US 1600000
/* A signal that was left alone for so long will last. */
#define LASTS_US 10000000

static void
take_signal (PyroSignalUpkeep *upkeep, PyroThreads *threads,
             const PyroThreadsSink *sink, gpointer data)
{
  g_autoptr (GError) error = NULL;
  gint signo = pyro_signal_acquire (&error);

  if (signo == 0 && !upkeep->lost)
    pyro_log_user (GST_LEVEL_WARNING,
                   "no stacks are sampled as long as all signals are taken: %s",
                   error->message);
  upkeep->lost = signo == 0;
  upkeep->signo = signo;
  pyro_threads_set_signal (threads, signo, sink, data);
  pyro_unblocking_allow (signo, upkeep->wakeup);
}

/* The application installed handlers for signals that we used. */
static void
hand_signals_over (PyroThreads *threads, gint in_use)
{
  for (gint signo = 1; pyro_signal_can_be_ours (signo); signo++) {
    if (signo == in_use || !pyro_signal_is_leaving (signo)
        || !pyro_unblocking_end (signo)
        || pyro_threads_have_pending (threads, signo))
      continue;
    pyro_signal_hand_over (signo);
  }
}

void
pyro_signal_upkeep_begin (PyroSignalUpkeep *upkeep, PyroThreads *threads,
                          PyroWakeup *wakeup, const PyroThreadsSink *sink,
                          gpointer data)
{
  upkeep->wakeup = wakeup;
  pyro_signal_set_collector (wakeup);
  take_signal (upkeep, threads, sink, data);
  upkeep->wait = MIN_WAIT_US;
}

void
pyro_signal_upkeep_tick (PyroSignalUpkeep *upkeep, PyroThreads *threads,
                         gint64 now, const PyroThreadsSink *sink, gpointer data)
{
  gint before = upkeep->signo;
  gboolean is_leaving = before != 0 && pyro_signal_is_leaving (before);

  pyro_unblocking_tick ();
  hand_signals_over (threads, before);
  if (now < upkeep->time && !is_leaving)
    return;
  if (!is_leaving && before != 0 && pyro_signal_is_ours (before)) {
    if (now - upkeep->since > LASTS_US)
      upkeep->wait = MIN_WAIT_US;
  } else {
    if (before != 0 && !is_leaving)
      pyro_signal_lost (before);
    take_signal (upkeep, threads, sink, data);
    hand_signals_over (threads, upkeep->signo);
    upkeep->since = now;
    upkeep->wait = MIN (upkeep->wait * 2, MAX_WAIT_US);
    if (before != 0)
      GST_INFO ("the application took our signal; sampling goes on with %s",
                pyro_signal_name (upkeep->signo));
  }
  upkeep->time = now + upkeep->wait;
}

void
pyro_signal_upkeep_end (PyroSignalUpkeep *upkeep, PyroThreads *threads)
{
  pyro_signal_set_collector (NULL);
  pyro_unblocking_allow (0, NULL);
  hand_signals_over (threads, 0);
}
