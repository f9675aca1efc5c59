/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What masks threads are made with by one that lets our signal through though
 * it was made with all signals blocked. */

#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "attribution/workers.h"
#include "sampling/unblocking.h"

static PyroWakeup wakeup;

/* As the kernel has it. */
static gboolean
is_blocked (void)
{
  guint64 mask = 0;

  syscall (SYS_rt_sigprocmask, SIG_BLOCK, NULL, &mask, sizeof mask);
  return mask >> (SIGURG - 1) & 1;
}

static guint n_created;
static gboolean was_blocked;

int __real_pthread_create (pthread_t *thread, const pthread_attr_t *attributes,
                           void *(*start) (void *), void *argument);
int __wrap_pthread_create (pthread_t *thread, const pthread_attr_t *attributes,
                           void *(*start) (void *), void *argument);

int
__wrap_pthread_create (pthread_t *thread, const pthread_attr_t *attributes,
                       void *(*start) (void *), void *argument)
{
  n_created++;
  was_blocked = is_blocked ();
  return __real_pthread_create (thread, attributes, start, argument);
}

static void *
look (void *data)
{
  *(gboolean *)data = is_blocked ();
  return NULL;
}

static void *
create (void *data)
{
  const PyroMaskPlan *plan = data;
  gboolean its_own = FALSE;
  pthread_t thread;

  pyro_unblocking_begin (*plan);
  g_assert_false (is_blocked ());
  g_assert_cmpint (pyro_workers_create (&thread, NULL, look, &its_own), ==, 0);
  g_assert_false (is_blocked ());
  pthread_join (thread, NULL);
  g_assert_true (its_own);
  return NULL;
}

/* Else it could be given a timer before its first act, which nobody would take
 * away when it waits for the signal. */
static void
test_begin (void)
{
  sigset_t all, before;
  PyroMaskPlan plan;
  pthread_t thread;

  pyro_unblocking_allow (SIGURG, &wakeup);
  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, &before);
  plan = pyro_unblocking_plan (TRUE);
  g_assert_cmpint (plan.kind, ==, PYRO_MASK_UNBLOCK);
  __real_pthread_create (&thread, NULL, create, &plan);
  pthread_sigmask (SIG_SETMASK, &before, NULL);
  pthread_join (thread, NULL);
  g_assert_cmpuint (n_created, ==, 1);
  g_assert_true (was_blocked);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/worker-masks/threads-begin-with-what-their-creator-"
                   "believes",
                   test_begin);
  return g_test_run ();
}
