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
/* What a stop may take beyond stop-timeout: it logs, and frees memory. */
#define GRACE_US (2 * G_TIME_SPAN_SECOND)
/* The thread looks again for whether it is still wanted. */
#define LONG_US (3600 * G_TIME_SPAN_SECOND)

static const gint watched[] = { SIGTERM, SIGINT };

static struct {
  PyroWakeup wakeup;
  gint signo;  /* atomic; 0: none has come */
  gint n_came; /* atomic */
  gint64 time; /* atomic; when the first came, monotonic */
  gint pid;    /* atomic; the process whose thread waits; 0: none */
  gint64 timeout;
  void (*stop) (void);
  void (*resume) (void);

  PyroWakeup stopped; /* STOP has returned */
} end;

static void
set_default (gint signo)
{
  struct sigaction action = { .sa_handler = SIG_DFL };

  sigemptyset (&action.sa_mask);
  sigaction (signo, &action, NULL);
}

/* What a thread that is just behind a system call knows of it. */
typedef struct {
  gint64 result;
  gint64 first, second, third; /* arguments; FIRST is 0 where it is not known */
} LastCall;

/* FALSE: the thread was interrupted elsewhere. The code before its program
 * counter is that of the page which it executes. */
static gboolean
find_last_call (const ucontext_t *context, LastCall *call)
{
#if defined(__x86_64__)
  const greg_t *regs = context->uc_mcontext.gregs;
  const guint8 *pc = (const guint8 *)regs[REG_RIP];

  if (((guintptr)pc & 0xfff) < 2 || pc[-2] != 0x0f || pc[-1] != 0x05)
    return FALSE;
  *call = (LastCall){ regs[REG_RAX], regs[REG_RDI], regs[REG_RSI],
                      regs[REG_RDX] };
  return TRUE;
#elif defined(__aarch64__)
  const unsigned long long *regs = context->uc_mcontext.regs;
  const guint32 *pc = (const guint32 *)context->uc_mcontext.pc;

  if (((guintptr)pc & 0xfff) < 4 || pc[-1] != 0xd4000001)
    return FALSE;
  *call = (LastCall){ (gint64)regs[0], 0, (gint64)regs[1], (gint64)regs[2] };
  return TRUE;
#else
  return FALSE;
#endif
}

/* kill(), tkill() or tgkill(), by this thread. */
static gboolean
has_sent (const LastCall *call, const siginfo_t *info)
{
  if ((info->si_code != SI_USER && info->si_code != SI_TKILL)
      || info->si_pid != getpid () || call->result != 0)
    return FALSE;
  return call->second == info->si_signo
         || (call->second == gettid () && call->third == info->si_signo);
}

/* What comes after raise(), or after a wait that nothing else would have ended
 * (SA_RESTART is not for sleep(), poll(), pause() and their like), is not meant
 * to run: such a thread is held until the process's end. Whoever is interrupted
 * elsewhere may have any lock, and runs on. The first process of a container
 * lives on. */
static void
hold (const siginfo_t *info, const ucontext_t *context)
{
  PyroWakeup nobody = { 0 };
  LastCall call;
  sigset_t ends;

  if (getpid () == 1 || !find_last_call (context, &call)
      || (call.result != -EINTR && !has_sent (&call, info)))
    return;
  /* A second one does not wait. */
  sigemptyset (&ends);
  for (guint i = 0; i < G_N_ELEMENTS (watched); i++)
    sigaddset (&ends, watched[i]);
  pthread_sigmask (SIG_UNBLOCK, &ends, NULL);
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
is_default (const struct sigaction *action)
{
  return !(action->sa_flags & SA_SIGINFO) && action->sa_handler == SIG_DFL;
}

static gboolean
is_ours (const struct sigaction *action)
{
  return (action->sa_flags & SA_SIGINFO)
         && action->sa_sigaction == on_end_signal;
}

/* Replaces what IS_EXPECTED says. What another thread has installed meanwhile
 * stays. */
static void
replace (gint signo, const struct sigaction *action,
         gboolean (*is_expected) (const struct sigaction *action))
{
  struct sigaction now;

  if (sigaction (signo, NULL, &now) == 0 && is_expected (&now)
      && sigaction (signo, action, &now) == 0 && !is_expected (&now))
    sigaction (signo, &now, NULL);
}

static void
install (void)
{
  struct sigaction action = { .sa_sigaction = on_end_signal };

  pyro_signal_hide_handler (on_end_signal);
  action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
  sigfillset (&action.sa_mask);
  for (guint i = 0; i < G_N_ELEMENTS (watched); i++)
    replace (watched[i], &action, is_default);
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
run_stop (void *data)
{
  pthread_setname_np (pthread_self (), "pyro-stop");
  end.stop ();
  pyro_wakeup_send (&end.stopped);
  return NULL;
}

/* On a thread of its own: it may log, and wait for a lock that the application
 * has, or for a reader of standard error. FALSE: it did not end in time. */
static gboolean
stop_in_time (void)
{
  pthread_t thread;

  memset (&end.stopped, 0, sizeof end.stopped);
  if (pyro_own_thread_create (&thread, STACK_BYTES, PYRO_OWN_THREAD_IN_BEHIND,
                              run_stop, NULL)
      != 0) {
    end.stop ();
    return TRUE;
  }
  pthread_detach (thread);
  return pyro_wakeup_wait (&end.stopped, end.timeout + GRACE_US)
         != PYRO_WOKEN_BY_TIME;
}

static void *
wait_for_signal (void *data)
{
  pthread_setname_np (pthread_self (), "pyro-end");
  while (TRUE) {
    gint signo = __atomic_exchange_n (&end.signo, 0, __ATOMIC_SEQ_CST);
    gboolean in_time;

    if (signo == 0) {
      pyro_wakeup_wait (&end.wakeup, LONG_US);
      continue;
    }
    in_time = stop_in_time ();
    die_of (signo);
    /* The process lives on. */
    while (!in_time)
      in_time = pyro_wakeup_wait (&end.stopped, LONG_US) != PYRO_WOKEN_BY_TIME;
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

    if (sigaction (watched[i], NULL, &now) == 0 && is_default (&now))
      return TRUE;
  }
  return FALSE;
}

void
pyro_end_signals_watch (void (*stop) (void), void (*resume) (void),
                        guint stop_timeout)
{
  end.timeout = (gint64)stop_timeout * G_USEC_PER_SEC;
  end.stop = stop;
  end.resume = resume;
  if (has_default () && start_thread ())
    install ();
}

void
pyro_end_signals_end (void)
{
  struct sigaction action = { .sa_handler = SIG_DFL };

  sigemptyset (&action.sa_mask);
  /* While one is being worked on, the process ends by it. */
  if (__atomic_load_n (&end.n_came, __ATOMIC_SEQ_CST) > 0)
    return;
  for (guint i = 0; i < G_N_ELEMENTS (watched); i++)
    replace (watched[i], &action, is_ours);
}

void
pyro_end_signals_fork_child (void)
{
  memset (&end.wakeup, 0, sizeof end.wakeup);
  end.signo = end.n_came = end.pid = 0;
  end.time = 0;
  pyro_end_signals_end ();
}
