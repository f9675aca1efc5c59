/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "signal-taking.h"

#include <errno.h>
#include <string.h>

#include "handler.h"

#define N_SIGNALS 65

/* Of one signal, as many as may be written at the same time. */
#define N_ACTIONS 16

#define LEAVING G_GUINT64_CONSTANT (1)

/* The word of a signal: 0: it is not ours; else the ticket of the action
 * behind ours, times 2, and LEAVING. Tickets are given once, so that a word
 * which has not changed means the same action. */
static struct {
  guint64 word;
  guint64 tickets; /* given */
  struct sigaction actions[N_ACTIONS];
} taken[N_SIGNALS];

static PyroWakeup *collector;

static void (*hidden) (int, siginfo_t *, void *); /* atomic */

gboolean
pyro_signal_can_be_ours (gint signo)
{
  return signo > 0 && signo < N_SIGNALS;
}

static guint64
get_word (gint signo)
{
  return __atomic_load_n (&taken[signo].word, __ATOMIC_SEQ_CST);
}

static gboolean
set_word (gint signo, guint64 expected, guint64 word)
{
  return __atomic_compare_exchange_n (&taken[signo].word, &expected, word,
                                      FALSE, __ATOMIC_SEQ_CST,
                                      __ATOMIC_SEQ_CST);
}

static struct sigaction *
action_of (gint signo, guint64 word)
{
  return &taken[signo].actions[word / 2 % N_ACTIONS];
}

static guint64
note_action (gint signo, const struct sigaction *action)
{
  guint64 word
      = __atomic_add_fetch (&taken[signo].tickets, 1, __ATOMIC_SEQ_CST) * 2;

  *action_of (signo, word) = *action;
  return word;
}

static gboolean
has_function (const struct sigaction *action)
{
  return action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN;
}

void
pyro_signal_take (gint signo, const struct sigaction *before)
{
  pyro_handler_set_previous (signo, before);
  __atomic_store_n (&taken[signo].word, note_action (signo, before),
                    __ATOMIC_SEQ_CST);
}

gboolean
pyro_signal_get_behind (gint signo, struct sigaction *behind)
{
  guint64 word = get_word (signo);

  if (word == 0)
    return FALSE;
  *behind = *action_of (signo, word);
  return TRUE;
}

gboolean
pyro_signal_is_leaving (gint signo)
{
  return get_word (signo) & LEAVING;
}

void
pyro_signal_hand_over (gint signo)
{
  guint64 word;

  /* The application may install another action meanwhile. */
  do {
    word = get_word (signo);
    if (word == 0)
      return;
    sigaction (signo, action_of (signo, word), NULL);
  } while (!set_word (signo, word, 0));
}

void
pyro_signal_lost (gint signo)
{
  __atomic_store_n (&taken[signo].word, 0, __ATOMIC_SEQ_CST);
}

static void
hand_over_all (void)
{
  for (gint signo = 1; signo < N_SIGNALS; signo++)
    if (pyro_signal_is_leaving (signo))
      pyro_signal_hand_over (signo);
}

void
pyro_signal_set_collector (PyroWakeup *wakeup)
{
  __atomic_store_n (&collector, wakeup, __ATOMIC_SEQ_CST);
}

void
pyro_signal_fork_child (void)
{
  pyro_signal_set_collector (NULL);
  hand_over_all ();
}

/* Our handler comes first for a moment, but system calls are restarted, and
 * stacks are switched, as the application has it. */
static void
adopt_flags (gint signo, const struct sigaction *action)
{
  const gint flags = SA_RESTART | SA_ONSTACK;
  struct sigaction ours;

  if (sigaction (signo, NULL, &ours) != 0 || ours.sa_sigaction != pyro_handler
      || !(ours.sa_flags & SA_SIGINFO)
      || (ours.sa_flags & flags) == (action->sa_flags & flags))
    return;
  ours.sa_flags = SA_SIGINFO | (action->sa_flags & flags);
  sigaction (signo, &ours, NULL);
}

static void
put_behind (gint signo)
{
  guint64 word;

  do {
    word = get_word (signo);
    if (word != 0)
      pyro_handler_set_previous (signo, action_of (signo, word));
  } while (get_word (signo) != word);
}

/* Nobody notices whether these are ignored by default or by wish, nor that
 * ours does nothing about them. */
static gboolean
may_stay (gint signo, const struct sigaction *action)
{
  return !has_function (action) && (signo == SIGURG || signo == SIGWINCH);
}

void
pyro_signal_hide_handler (void (*handler) (int, siginfo_t *, void *))
{
  __atomic_store_n (&hidden, handler, __ATOMIC_SEQ_CST);
}

static int
plain_sigaction (int signo, const struct sigaction *action,
                 struct sigaction *before)
{
  int result = sigaction (signo, action, before);

  if (result == 0 && before != NULL && (before->sa_flags & SA_SIGINFO)
      && before->sa_sigaction != NULL
      && before->sa_sigaction == __atomic_load_n (&hidden, __ATOMIC_SEQ_CST)) {
    memset (before, 0, sizeof *before);
    before->sa_handler = SIG_DFL;
  }
  return result;
}

/* What signal() and its kin return. */
static void (*shown (void (*handler) (int))) (int)
{
  union {
    void (*plain) (int);
    void (*with_info) (int, siginfo_t *, void *);
  } action = { .plain = handler };

  return handler != NULL
                 && action.with_info
                        == __atomic_load_n (&hidden, __ATOMIC_SEQ_CST)
             ? SIG_DFL
             : handler;
}

int
pyro_signal_wrap_sigaction (int signo, const struct sigaction *action,
                            struct sigaction *before)
{
  int saved_errno = errno;
  /* Both may be the same. */
  struct sigaction wanted, behind;
  guint64 word, ours;
  PyroWakeup *wakeup;

  if (action != NULL)
    wanted = *action;
  do {
    word = pyro_signal_can_be_ours (signo) ? get_word (signo) : 0;
    if (word == 0)
      return plain_sigaction (signo, action, before);
    behind = *action_of (signo, word);
    if (action == NULL)
      break;
    ours = note_action (signo, &wanted) | (word & LEAVING);
    if (!may_stay (signo, &wanted)) {
      ours |= LEAVING;
      /* Before the word says so: once it is handed over, this would be in the
       * way. */
      adopt_flags (signo, &wanted);
    }
  } while (!set_word (signo, word, ours));

  if (action != NULL) {
    put_behind (signo);
    wakeup = __atomic_load_n (&collector, __ATOMIC_SEQ_CST);
    if (ours & LEAVING) {
      if (wakeup != NULL)
        pyro_wakeup_send (wakeup);
      else
        pyro_signal_hand_over (signo);
    }
  }
  if (before != NULL)
    *before = behind;
  errno = saved_errno;
  return 0;
}

static void (*install (int signo, void (*handler) (int), int flags)) (int)
{
  struct sigaction action = { .sa_handler = handler, .sa_flags = flags };
  struct sigaction before;

  sigemptyset (&action.sa_mask);
  if (!(flags & SA_NODEFER))
    sigaddset (&action.sa_mask, signo);
  if (pyro_signal_wrap_sigaction (signo, &action, &before) != 0)
    return SIG_ERR;
  return before.sa_handler;
}

/* As signal(2) has it in the C library: system calls are restarted. */
void (*pyro_signal_wrap_signal (int signo, void (*handler) (int))) (int)
{
  if (!pyro_signal_can_be_ours (signo) || handler == SIG_ERR
      || get_word (signo) == 0)
    return shown (signal (signo, handler));
  return install (signo, handler, SA_RESTART);
}

void (*pyro_signal_wrap_sysv_signal (int signo, void (*handler) (int))) (int)
{
  if (!pyro_signal_can_be_ours (signo) || handler == SIG_ERR
      || get_word (signo) == 0)
    return shown (sysv_signal (signo, handler));
  return install (signo, handler, (int)(SA_RESETHAND | SA_NODEFER));
}
