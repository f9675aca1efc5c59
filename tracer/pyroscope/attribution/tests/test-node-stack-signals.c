/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What signals see of a thread's stack of elements while it changes. */

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <ucontext.h>

#include "made-up-frames.h"

/* What the label may be now. Before a push or a pop begins, and after it has
 * ended, one value; in between, one of the two. */
static struct {
  volatile guint64 before, after;
  volatile guint seen, seen_in_between, wrong;
} view;

static void
look (void)
{
  guint64 label
      = __atomic_load_n (&pyro_own_node_stack->label, __ATOMIC_RELAXED);

  view.seen++;
  if (view.before != view.after)
    view.seen_in_between++;
  if (label != view.before && label != view.after)
    view.wrong++;
}

static void
expect (guint64 label)
{
  view.after = label;
  __atomic_signal_fence (__ATOMIC_SEQ_CST);
}

static void
settle (void)
{
  __atomic_signal_fence (__ATOMIC_SEQ_CST);
  view.before = view.after;
}

#define STEP(label, operation) \
  do {                         \
    expect (label);            \
    operation;                 \
    settle ();                 \
  } while (0)

/* Everything that changes a stack. */
static void
one_round (PyroNodeStack *stack)
{
  STEP (EXACT (1), push (stack, 1, 1));
  STEP (EXACT (2), push (stack, 2, 2));
  STEP (EXACT (2), push (stack, 0, 3)); /* no element */
  STEP (EXACT (3), push (stack, 3, 2)); /* two were without post hook */
  STEP (EXACT (4), push (stack, 4, 3));
  STEP (EXACT (3), pop (stack, 4));
  STEP (EXACT (3), pop (stack, 9)); /* without pre hook */
  STEP (EXACT (5), push (stack, 5, 3));
  STEP (EXACT (1), pop (stack, 3)); /* with the one above */
  STEP (EXACT (7), pyro_node_stack_rebase (stack, EXACT (7)));
  STEP (EXACT (1), push (stack, 1, 1));
  STEP (EXACT (8), pyro_node_stack_enter_task (EXACT (8)));
  STEP (EXACT (6), push (stack, 6, 1));
  STEP (EXACT (7), pyro_node_stack_leave_task ());
  STEP (0, pyro_node_stack_rebase (stack, 0));
}

static void
begin_view (void)
{
  memset ((void *)&view, 0, sizeof view);
  pyro_node_stack_rebase (begin (), 0);
}

static void
assert_view (guint least)
{
  g_test_message ("%u looks, %u of them in the middle of a change", view.seen,
                  view.seen_in_between);
  g_assert_cmpuint (view.wrong, ==, 0);
  g_assert_cmpuint (view.seen_in_between, >=, least);
}

static void
on_signal (int signo)
{
  look ();
}

static void
handle (int signo, void (*handler) (int))
{
  struct sigaction action = { .sa_handler = handler };

  g_assert_cmpint (sigaction (signo, &action, NULL), ==, 0);
}

typedef struct {
  pthread_t target;
  gint stop;
} Storm;

static gpointer
send_signals (gpointer data)
{
  Storm *storm = data;

  while (!g_atomic_int_get (&storm->stop)) {
    pthread_kill (storm->target, SIGUSR1);
    for (volatile guint i = 0; i < 500; i++)
      ;
    /* Where both share a core, the other one goes on now. */
    sched_yield ();
  }
  return NULL;
}

static void
test_storm (void)
{
  Storm storm = { pthread_self (), FALSE };
  gint64 begun = g_get_monotonic_time ();
  GThread *sender;

  begin_view ();
  handle (SIGUSR1, on_signal);
  sender = g_thread_new ("storm", send_signals, &storm);
  /* So many signals, however long they take; some 10 000 a second. */
  while (view.seen_in_between < 2000)
    one_round (pyro_own_node_stack);
  g_atomic_int_set (&storm.stop, TRUE);
  g_thread_join (sender);
  g_test_message ("%.0f signals a second",
                  (gdouble)view.seen * 1e6
                      / (gdouble)(g_get_monotonic_time () - begun));
  handle (SIGUSR1, SIG_DFL);
  assert_view (2000);
}

#if defined(__x86_64__)

#define TRAP_FLAG 0x100

static volatile gboolean stepping;

/* After each instruction. */
static void
on_trap (int signo, siginfo_t *info, void *data)
{
  ucontext_t *context = data;

  look ();
  if (stepping)
    context->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
  else
    context->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)TRAP_FLAG;
}

/* A signal between any two instructions of a push, a pop and all the others. */
static void
test_every_instruction (void)
{
  struct sigaction action = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO };

  begin_view ();
  g_assert_cmpint (sigaction (SIGTRAP, &action, NULL), ==, 0);
  stepping = TRUE;
  raise (SIGTRAP);
  for (guint i = 0; i < 3; i++)
    one_round (pyro_own_node_stack);
  stepping = FALSE;
  raise (SIGTRAP);
  handle (SIGTRAP, SIG_DFL);
  assert_view (300);
}

#endif

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, func) g_test_add_func ("/node-stack-signals/" name, func)
  ADD ("signals-see-what-was-or-what-is", test_storm);
#if defined(__x86_64__)
  ADD ("each-instruction-leaves-what-was-or-what-is", test_every_instruction);
#endif
#undef ADD
  return g_test_run ();
}
