/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "unblocking.h"

#include <errno.h>
#include <unistd.h>

#include "cpu-timer.h"
#include "mask-wrappers.h"
#include "proc-task.h"
#include "raw-syscall.h"
#include "thread-record.h"

/* Threads beyond that keep their masks. */
#define MAX_UNBLOCKED 1024

/* The kernel's sigset_t. */
#define MASK_BYTES 8

struct _PyroUnblocked {
  pid_t tid;    /* 0: free */
  gint signo;   /* that it lets through */
  guint state;  /* State */
  gint timer;   /* of the collector's, + 1; 0: none */
  gint blocker; /* a timer that makes the thread block it again, + 1 */
};

typedef enum {
  LETS_THROUGH,
  ENDS, /* the collector has it blocked again, when the thread runs next */
  RESTORED
} State;

static PyroUnblocked table[MAX_UNBLOCKED];
static gint n_used; /* how many were ever claimed */

static gint allowed;    /* the signal; 0: none */
static guint64 revoked; /* signals that the application waits for */
static PyroWakeup *waker;

/* This thread's; NULL: its mask is its own. */
static __thread PyroUnblocked *own __attribute__ ((tls_model ("initial-exec")));

static pid_t
get_tid (void)
{
  return (pid_t)pyro_raw_syscall (SYS_gettid, 0, 0, 0, 0, 0, 0);
}

static guint64
bit (gint signo)
{
  return G_GUINT64_CONSTANT (1) << (signo - 1);
}

static guint64
change_mask (gint how, guint64 set)
{
  guint64 before = 0;

  pyro_raw_syscall (SYS_rt_sigprocmask, how, (long)&set, (long)&before,
                    MASK_BYTES, 0, 0);
  return before;
}

/* on the thread's own side */

gboolean
pyro_unblocking_is_due (void)
{
  gint signo = __atomic_load_n (&allowed, __ATOMIC_ACQUIRE);

  return own != NULL
         || (signo != 0 && (change_mask (SIG_BLOCK, 0) & bit (signo)));
}

PyroMaskPlan
pyro_unblocking_plan (gboolean may)
{
  PyroMaskPlan plan
      = { PYRO_MASK_STAYS, __atomic_load_n (&allowed, __ATOMIC_ACQUIRE) };

  if (own != NULL ? may && plan.signo == own->signo
                  : plan.signo != 0 && may
                        && (change_mask (SIG_BLOCK, 0) & bit (plan.signo)))
    plan.kind = PYRO_MASK_UNBLOCK;
  return plan;
}

static gboolean
claim (PyroUnblocked *entry, pid_t before, pid_t tid)
{
  return __atomic_compare_exchange_n (&entry->tid, &before, tid, FALSE,
                                      __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static PyroUnblocked *
claim_one (pid_t tid)
{
  /* One that had this id is gone, and nobody has seen that. */
  for (gint i = 0; i < __atomic_load_n (&n_used, __ATOMIC_ACQUIRE); i++)
    if (__atomic_load_n (&table[i].tid, __ATOMIC_RELAXED) == tid)
      return NULL;
  for (gint i = 0; i < MAX_UNBLOCKED; i++) {
    gint used = __atomic_load_n (&n_used, __ATOMIC_RELAXED);

    if (__atomic_load_n (&table[i].tid, __ATOMIC_RELAXED) != 0
        || !claim (&table[i], 0, tid))
      continue;
    while (used <= i
           && !__atomic_compare_exchange_n (&n_used, &used, i + 1, FALSE,
                                            __ATOMIC_RELEASE, __ATOMIC_RELAXED))
      ;
    return &table[i];
  }
  return NULL;
}

static State
get_state (const PyroUnblocked *entry)
{
  return __atomic_load_n (&entry->state, __ATOMIC_SEQ_CST);
}

static void
set_state (PyroUnblocked *entry, State state)
{
  __atomic_store_n (&entry->state, state, __ATOMIC_SEQ_CST);
}

/* A tick that was sent before the timer was deleted must not be found by
 * sigwait(). Whatever else there is goes back. */
static void
take_own_tick (gint signo)
{
  const struct timespec at_once = { 0 };
  guint64 set = bit (signo);
  siginfo_t info;

  while (pyro_raw_syscall (SYS_rt_sigtimedwait, (long)&set, (long)&info,
                           (long)&at_once, MASK_BYTES, 0, 0)
         == signo) {
    if (info.si_code == SI_TIMER
        && (guint64)(guintptr)info.si_value.sival_ptr >> 48
               == PYRO_COOKIE_MAGIC)
      continue;
    pyro_raw_syscall (SYS_rt_tgsigqueueinfo, getpid (), get_tid (), signo,
                      (long)&info, 0, 0);
    return;
  }
}

static gboolean
is_own_thread (const PyroUnblocked *entry)
{
  /* After vfork() the child has all that the parent has but its id. */
  return entry->tid == get_tid ();
}

static gboolean
take_timer (gint *timer)
{
  gint taken = __atomic_exchange_n (timer, 0, __ATOMIC_SEQ_CST);

  if (taken != 0)
    pyro_cpu_timer_delete (taken - 1);
  return taken != 0;
}

static void
restore (void)
{
  PyroUnblocked *entry = own;

  if (entry == NULL)
    return;
  change_mask (SIG_BLOCK, bit (entry->signo));
  if (!is_own_thread (entry))
    return;
  own = NULL;
  set_state (entry, RESTORED);
  if (take_timer (&entry->timer) | take_timer (&entry->blocker))
    take_own_tick (entry->signo);
}

void
pyro_unblocking_begin (PyroMaskPlan plan)
{
  PyroUnblocked *entry;

  if (plan.kind == PYRO_MASK_STAYS)
    return;
  entry = claim_one (get_tid ());
  if (entry == NULL)
    return; /* none is left for it */
  entry->signo = plan.signo;
  set_state (entry, LETS_THROUGH);
  own = entry;
  /* The thread's attributes may have had another mask than its creator. */
  if (!(change_mask (SIG_UNBLOCK, bit (plan.signo)) & bit (plan.signo))) {
    own = NULL;
    set_state (entry, RESTORED);
  }
  /* It was ended meanwhile. */
  if (__atomic_load_n (&allowed, __ATOMIC_SEQ_CST) != plan.signo)
    restore ();
}

gint
pyro_unblocking_hide (void)
{
  if (own == NULL)
    return 0;
  change_mask (SIG_BLOCK, bit (own->signo));
  return own->signo;
}

void
pyro_unblocking_show (gint hidden)
{
  if (hidden != 0 && own != NULL && get_state (own) == LETS_THROUGH)
    change_mask (SIG_UNBLOCK, bit (hidden));
}

static void
take_back (const sigset_t *set)
{
  gint signo = __atomic_load_n (&allowed, __ATOMIC_ACQUIRE);
  PyroWakeup *collector = __atomic_load_n (&waker, __ATOMIC_ACQUIRE);

  if (own != NULL && set != NULL && sigismember (set, own->signo) == 1)
    restore ();
  if (signo == 0 || set == NULL || sigismember (set, signo) != 1)
    return;
  __atomic_or_fetch (&revoked, bit (signo), __ATOMIC_SEQ_CST);
  __atomic_store_n (&allowed, 0, __ATOMIC_SEQ_CST);
  if (collector != NULL)
    pyro_wakeup_send (collector);
}

/* in the place of the C library's functions */

static gint
change (int (*func) (int, const sigset_t *, sigset_t *), gint how,
        const sigset_t *set, sigset_t *before)
{
  gint result;

  if (own == NULL)
    return func (how, set, before);
  if (set != NULL) {
    restore ();
    return func (how, set, before);
  }
  result = func (how, NULL, before);
  if (result == 0 && before != NULL)
    sigaddset (before, own->signo);
  return result;
}

int
pyro_wrap_pthread_sigmask (int how, const sigset_t *set, sigset_t *before)
{
  return change (pthread_sigmask, how, set, before);
}

int
pyro_wrap_sigprocmask (int how, const sigset_t *set, sigset_t *before)
{
  return change (sigprocmask, how, set, before);
}

int
pyro_wrap_sigwait (const sigset_t *set, int *signo)
{
  take_back (set);
  return sigwait (set, signo);
}

int
pyro_wrap_sigwaitinfo (const sigset_t *set, siginfo_t *info)
{
  take_back (set);
  return sigwaitinfo (set, info);
}

int
pyro_wrap_sigtimedwait (const sigset_t *set, siginfo_t *info,
                        const struct timespec *timeout)
{
  take_back (set);
  return sigtimedwait (set, info, timeout);
}

int
pyro_wrap_signalfd (int fd, const sigset_t *set, int flags)
{
  take_back (set);
  return signalfd (fd, set, flags);
}

pid_t
pyro_wrap_fork (void)
{
  gint signo = pyro_unblocking_hide ();
  pid_t child = fork ();

  if (child != 0)
    pyro_unblocking_show (signo);
  else
    own = NULL;
  return child;
}

int
pyro_wrap_posix_spawn (pid_t *pid, const char *path,
                       const posix_spawn_file_actions_t *actions,
                       const posix_spawnattr_t *attributes, char *const argv[],
                       char *const envp[])
{
  gint signo = pyro_unblocking_hide ();
  int result = posix_spawn (pid, path, actions, attributes, argv, envp);

  pyro_unblocking_show (signo);
  return result;
}

int
pyro_wrap_posix_spawnp (pid_t *pid, const char *file,
                        const posix_spawn_file_actions_t *actions,
                        const posix_spawnattr_t *attributes, char *const argv[],
                        char *const envp[])
{
  gint signo = pyro_unblocking_hide ();
  int result = posix_spawnp (pid, file, actions, attributes, argv, envp);

  pyro_unblocking_show (signo);
  return result;
}

int
pyro_wrap_system (const char *command)
{
  gint signo = pyro_unblocking_hide ();
  int result = system (command);

  pyro_unblocking_show (signo);
  return result;
}

FILE *
pyro_wrap_popen (const char *command, const char *type)
{
  gint signo = pyro_unblocking_hide ();
  FILE *result = popen (command, type);

  pyro_unblocking_show (signo);
  return result;
}

/* Also in the child of a vfork(). They return only where they fail. */
int
pyro_wrap_execve (const char *path, char *const argv[], char *const envp[])
{
  gint signo = pyro_unblocking_hide ();
  int result = execve (path, argv, envp);

  pyro_unblocking_show (signo);
  return result;
}

int
pyro_wrap_execv (const char *path, char *const argv[])
{
  gint signo = pyro_unblocking_hide ();
  int result = execv (path, argv);

  pyro_unblocking_show (signo);
  return result;
}

int
pyro_wrap_execvp (const char *file, char *const argv[])
{
  gint signo = pyro_unblocking_hide ();
  int result = execvp (file, argv);

  pyro_unblocking_show (signo);
  return result;
}

/* the collector's side */

/* Whether there may be somebody who waits for SIGNO, and gets it because all
 * threads block it. */
static gboolean
main_thread_blocks (gint signo)
{
  PyroTaskStatus status;

  return !pyro_proc_read_status (getpid (), &status)
         || (status.blocked_signals & bit (signo));
}

void
pyro_unblocking_allow (gint signo, PyroWakeup *collector)
{
  __atomic_store_n (&waker, collector, __ATOMIC_RELEASE);
  if (signo != SIGURG && signo != SIGWINCH)
    signo = 0; /* what is not ignored by default is left alone */
  if (signo != 0
      && ((__atomic_load_n (&revoked, __ATOMIC_SEQ_CST) & bit (signo))
          || main_thread_blocks (signo)))
    signo = 0;
  __atomic_store_n (&allowed, signo, __ATOMIC_SEQ_CST);
}

/* FALSE: the thread has restored its mask: nobody may start TIMER_ID. */
static gboolean
lend (PyroUnblocked *entry, gint *timer, gint timer_id, State while_state)
{
  __atomic_store_n (timer, timer_id + 1, __ATOMIC_SEQ_CST);
  if (get_state (entry) == while_state)
    return TRUE;
  take_timer (timer);
  return FALSE;
}

/* A timer on the thread's CPU clock is the only signal that wakes nobody up.
 * The handler puts the bit into the mask that the thread goes on with. TRUE: it
 * is blocked, or the thread is gone. */
static gboolean
make_block (PyroUnblocked *entry)
{
  State state = LETS_THROUGH;
  PyroTaskStatus status;
  gint timer_id, blocker;
  guint64 ns;

  if (__atomic_compare_exchange_n (&entry->state, &state, ENDS, FALSE,
                                   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
    take_timer (&entry->timer);
  else if (state == RESTORED)
    return TRUE;
  if (!pyro_proc_read_status (entry->tid, &status))
    return !pyro_proc_is_short ();
  if (status.is_certain && status.blocked_signals != G_MAXUINT64
      && (status.blocked_signals & bit (entry->signo))) {
    take_timer (&entry->blocker);
    set_state (entry, RESTORED);
    return TRUE;
  }
  blocker = __atomic_load_n (&entry->blocker, __ATOMIC_SEQ_CST);
  if (blocker == 0) {
    if (pyro_cpu_timer_create (entry->tid, entry->signo, PYRO_COOKIE_BLOCK,
                               &timer_id)
            == 0
        && lend (entry, &entry->blocker, timer_id, ENDS))
      pyro_cpu_timer_start (timer_id, 1, 0);
  } else if (!pyro_cpu_timer_remaining (blocker - 1, &ns)) {
    /* It came while a handler of the application's ran. */
    pyro_cpu_timer_start (blocker - 1, 1, 0);
  }
  return FALSE;
}

gboolean
pyro_unblocking_end (gint signo)
{
  gint n = __atomic_load_n (&n_used, __ATOMIC_ACQUIRE);
  gboolean all_done = TRUE;

  if (__atomic_load_n (&allowed, __ATOMIC_SEQ_CST) == signo)
    __atomic_store_n (&allowed, 0, __ATOMIC_SEQ_CST);
  for (gint i = 0; i < n; i++)
    if (__atomic_load_n (&table[i].tid, __ATOMIC_ACQUIRE) != 0
        && table[i].signo == signo)
      all_done &= make_block (&table[i]);
  return all_done;
}

void
pyro_unblocking_tick (void)
{
  guint64 signals = __atomic_load_n (&revoked, __ATOMIC_SEQ_CST);

  for (gint signo = 1; signals >> (signo - 1) != 0 && signo < 64; signo++)
    if (signals & bit (signo))
      pyro_unblocking_end (signo);
}

static PyroUnblocked *
find (pid_t tid)
{
  gint n = __atomic_load_n (&n_used, __ATOMIC_ACQUIRE);

  for (gint i = 0; i < n; i++)
    if (__atomic_load_n (&table[i].tid, __ATOMIC_ACQUIRE) == tid)
      return &table[i];
  return NULL;
}

PyroUnblocked *
pyro_unblocked_find (pid_t tid)
{
  PyroUnblocked *entry = find (tid);

  return entry != NULL && get_state (entry) != RESTORED ? entry : NULL;
}

gboolean
pyro_unblocked_lend_timer (PyroUnblocked *unblocked, gint timer_id)
{
  return lend (unblocked, &unblocked->timer, timer_id, LETS_THROUGH);
}

gboolean
pyro_unblocked_take_timer (PyroUnblocked *unblocked)
{
  return take_timer (&unblocked->timer);
}

gboolean
pyro_unblocked_is_over (const PyroUnblocked *unblocked)
{
  return get_state (unblocked) != LETS_THROUGH;
}

static gboolean
is_gone (pid_t tid)
{
  return pyro_raw_syscall (SYS_tgkill, getpid (), tid, 0, 0, 0, 0) == -ESRCH;
}

static void
release (PyroUnblocked *entry)
{
  take_timer (&entry->timer);
  take_timer (&entry->blocker);
  __atomic_store_n (&entry->tid, 0, __ATOMIC_RELEASE);
}

void
pyro_unblocked_release (pid_t tid)
{
  PyroUnblocked *entry = find (tid);

  if (entry != NULL && is_gone (tid))
    release (entry);
}

void
pyro_unblocking_sweep (void)
{
  gint n = __atomic_load_n (&n_used, __ATOMIC_ACQUIRE);

  for (gint i = 0; i < n; i++) {
    pid_t tid = __atomic_load_n (&table[i].tid, __ATOMIC_ACQUIRE);

    if (tid != 0 && is_gone (tid))
      release (&table[i]);
  }
}

void
pyro_unblocking_fork_child (void)
{
  if (own != NULL)
    change_mask (SIG_BLOCK, bit (own->signo));
  own = NULL;
  memset (table, 0, sizeof table);
  n_used = 0;
  allowed = 0;
  waker = NULL;
}
