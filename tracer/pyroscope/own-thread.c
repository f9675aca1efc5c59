/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "own-thread.h"

#include <signal.h>

static void
block_signals (sigset_t *before)
{
  static const gint faults[]
      = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS };
  sigset_t blocked;

  sigfillset (&blocked);
  pthread_sigmask (SIG_SETMASK, NULL, before);
  for (guint i = 0; i < G_N_ELEMENTS (faults); i++)
    if (!sigismember (before, faults[i]))
      sigdelset (&blocked, faults[i]);
  pthread_sigmask (SIG_SETMASK, &blocked, NULL);
}

gint
pyro_own_thread_create (pthread_t *thread, gsize stack_size,
                        void *(*run) (void *), void *data)
{
  pthread_attr_t attributes;
  sigset_t before;
  gint result = pthread_attr_init (&attributes);

  if (result != 0)
    return result;
  pthread_attr_setstacksize (&attributes, stack_size);
  block_signals (&before);
  result = pthread_create (thread, &attributes, run, data);
  pthread_sigmask (SIG_SETMASK, &before, NULL);
  pthread_attr_destroy (&attributes);
  return result;
}
