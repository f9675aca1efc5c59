/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "end-signals.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "kernel-clock.h"
#include "own-thread.h"
#include "sampling/signal-taking.h"

#define STACK_BYTES (256 * 1024)
/* timeout(1) sends its signal to the process and to the process's group. What
 * comes so soon after the first is no impatience. */
#define SAME_US (500 * G_TIME_SPAN_MILLISECOND)
/* The thread looks again for whether it is still wanted. */
#define LONG_US (3600 * G_TIME_SPAN_SECOND)

static const gint watched[] = { SIGTERM, SIGINT };

static struct {
  PyroWakeup wakeup;
  gint signo;  /* atomic; 0: none has come */
  gint n_came; /* atomic */
  gint64 time; /* atomic; when the first came, monotonic */
  gint pid;    /* atomic; the process whose thread waits; 0: none */
  void (*stop) (void);
  void (*resume) (void);
} end;

static void
set_default (gint signo)
{
  struct sigaction action = { .sa_handler = SIG_DFL };

  sigemptyset (&action.sa_mask);
  sigaction (signo, &action, NULL);
}

/* The signal broke a system call off, which will fail with EINTR: SA_RESTART is
 * not for sleep(), poll(), pause() and their like. */
static gboolean
breaks_call_off (const ucontext_t *context)
{
#if defined(__x86_64__)
  return context->uc_mcontext.gregs[REG_RAX] == -EINTR;
#elif defined(__aarch64__)
  return (gint64)context->uc_mcontext.regs[0] == -EINTR;
#else
  return FALSE;
#endif
}

/* What comes after raise(), or after a wait that nothing else would have ended,
 * is not meant to run: such a thread is held until the process's end. It has
 * no lock that our threads could wait for. Whoever is interrupted elsewhere may
 * have any, and runs on. */
static void
hold (const siginfo_t *info, const ucontext_t *context)
{
  PyroWakeup nobody = { 0 };
  gboolean is_own = (info->si_code == SI_USER || info->si_code == SI_TKILL)
                    && info->si_pid == getpid ();

  if (!is_own && !breaks_call_off (context))
    return;
  while (__atomic_load_n (&end.n_came, __ATOMIC_SEQ_CST) > 0)
    pyro_wakeup_wait (&nobody, G_USEC_PER_SEC / 100);
}

static void
die_in_handler (int signo)
{
  set_default (signo);
  raise (signo); /* blocked here: it comes when the handler returns */
}

/* Async-signal-safe. In a process that has no thread which waits, and for a
 * second signal, it is as if there had been no handler. */
static void
on_end_signal (int signo, siginfo_t *info, void *context)
{
  int saved_errno = errno;
  gint64 now = pyro_clock_monotonic ();

  /* The child of a vfork() has the parent's memory: nothing is written there.
   */
  if (__atomic_load_n (&end.pid, __ATOMIC_SEQ_CST) != getpid ()) {
    die_in_handler (signo);
  } else if (__atomic_fetch_add (&end.n_came, 1, __ATOMIC_SEQ_CST) == 0) {
    __atomic_store_n (&end.time, now, __ATOMIC_SEQ_CST);
    __atomic_store_n (&end.signo, signo, __ATOMIC_SEQ_CST);
    pyro_wakeup_send (&end.wakeup);
    hold (info, context);
  } else {
    gint64 first = __atomic_load_n (&end.time, __ATOMIC_SEQ_CST);

    if (first != 0 && now - first > SAME_US)
      die_in_handler (signo);
  }
  errno = saved_errno;
}

static gboolean
is_ours (gint signo)
{
  struct sigaction now;

  return sigaction (signo, NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO)
         && now.sa_sigaction == on_end_signal;
}

static void
install (void)
{
  struct sigaction action = { .sa_sigaction = on_end_signal };

  pyro_signal_hide_handler (on_end_signal);
  action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
  sigfillset (&action.sa_mask);
  for (guint i = 0; i < G_N_ELEMENTS (watched); i++) {
    struct sigaction now;

    if (sigaction (watched[i], NULL, &now) == 0 && !(now.sa_flags & SA_SIGINFO)
        && now.sa_handler == SIG_DFL)
      sigaction (watched[i], &action, NULL);
  }
}

static void
die_of (gint signo)
{
  sigset_t one;

  set_default (signo);
  sigemptyset (&one);
  sigaddset (&one, signo);
  pthread_sigmask (SIG_UNBLOCK, &one, NULL);
  raise (signo);
  /* The first process of a container lives on. */
  pthread_sigmask (SIG_BLOCK, &one, NULL);
}

static void *
wait_for_signal (void *data)
{
  pthread_setname_np (pthread_self (), "pyro-end");
  while (TRUE) {
    gint signo = __atomic_exchange_n (&end.signo, 0, __ATOMIC_SEQ_CST);

    if (signo == 0) {
      pyro_wakeup_wait (&end.wakeup, LONG_US);
      continue;
    }
    end.stop ();
    die_of (signo);
    __atomic_store_n (&end.time, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n (&end.n_came, 0, __ATOMIC_SEQ_CST);
    end.resume ();
  }
  return NULL;
}

/* The thread stays for the process's life: a signal may be on its way. */
static gboolean
start_thread (void)
{
  pthread_t thread;

  if (__atomic_load_n (&end.pid, __ATOMIC_SEQ_CST) == getpid ())
    return TRUE;
  if (pyro_own_thread_create (&thread, STACK_BYTES, PYRO_OWN_THREAD_IN_BEHIND,
                              wait_for_signal, NULL)
      != 0)
    return FALSE;
  pthread_detach (thread);
  __atomic_store_n (&end.pid, getpid (), __ATOMIC_SEQ_CST);
  return TRUE;
}

static gboolean
has_default (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (watched); i++) {
    struct sigaction now;

    if (sigaction (watched[i], NULL, &now) == 0 && !(now.sa_flags & SA_SIGINFO)
        && now.sa_handler == SIG_DFL)
      return TRUE;
  }
  return FALSE;
}

void
pyro_end_signals_watch (void (*stop) (void), void (*resume) (void))
{
  end.stop = stop;
  end.resume = resume;
  if (has_default () && start_thread ())
    install ();
}

void
pyro_end_signals_end (void)
{
  /* While one is being worked on, the process ends by it. */
  if (__atomic_load_n (&end.n_came, __ATOMIC_SEQ_CST) > 0)
    return;
  for (guint i = 0; i < G_N_ELEMENTS (watched); i++) {
    if (is_ours (watched[i]))
      set_default (watched[i]);
  }
}

void
pyro_end_signals_fork_child (void)
{
  memset (&end.wakeup, 0, sizeof end.wakeup);
  end.signo = end.n_came = end.pid = 0;
  end.time = 0;
  pyro_end_signals_end ();
}
