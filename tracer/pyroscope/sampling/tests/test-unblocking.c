/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Threads whose masks let our signal through: whose entry is whose, and what
 * the collector knows of it. */

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "sampler.h"
#include "sampling/thread.h"

static PyroWakeup wakeup;

/* A thread that was made with all signals blocked. */
typedef struct {
  pthread_t thread;
  PyroMaskPlan plan;
  gint tid, may_begin, has_begun, may_end;
} Worker;

static void
wait_for (const gint *flag)
{
  while (!__atomic_load_n (flag, __ATOMIC_ACQUIRE))
    usleep (1000);
}

static void
set (gint *flag, gint value)
{
  __atomic_store_n (flag, value, __ATOMIC_RELEASE);
}

static void *
run (void *data)
{
  Worker *worker = data;

  set (&worker->tid, gettid ());
  wait_for (&worker->may_begin);
  pyro_unblocking_begin (worker->plan);
  set (&worker->has_begun, TRUE);
  wait_for (&worker->may_end);
  return NULL;
}

static void
worker_make (Worker *worker)
{
  sigset_t all, before;

  *worker = (Worker){ 0 };
  pyro_unblocking_allow (SIGURG, &wakeup);
  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, &before);
  worker->plan = pyro_unblocking_plan (TRUE);
  g_assert_cmpint (worker->plan.kind, ==, PYRO_MASK_UNBLOCK);
  g_assert_cmpint (pthread_create (&worker->thread, NULL, run, worker), ==, 0);
  pthread_sigmask (SIG_SETMASK, &before, NULL);
  wait_for (&worker->tid);
}

static void
worker_begin (Worker *worker)
{
  set (&worker->may_begin, TRUE);
  wait_for (&worker->has_begun);
}

static void
worker_end (Worker *worker)
{
  set (&worker->may_begin, TRUE);
  set (&worker->may_end, TRUE);
  pthread_join (worker->thread, NULL);
  /* It may be seen for a moment yet. */
  while (pyro_unblocked_find (worker->tid) != NULL) {
    pyro_unblocked_release (worker->tid);
    usleep (1000);
  }
}

/* The collector sees the end of a thread when another one has its id. */
static void
test_release (void)
{
  Worker worker;

  worker_make (&worker);
  worker_begin (&worker);
  g_assert_nonnull (pyro_unblocked_find (worker.tid));
  pyro_unblocked_release (worker.tid);
  g_assert_nonnull (pyro_unblocked_find (worker.tid));
  worker_end (&worker);
}

static Worker *begins_meanwhile;

gboolean __real_pyro_proc_read_status (pid_t tid, PyroTaskStatus *status);
gboolean __wrap_pyro_proc_read_status (pid_t tid, PyroTaskStatus *status);

gboolean
__wrap_pyro_proc_read_status (pid_t tid, PyroTaskStatus *status)
{
  if (begins_meanwhile != NULL)
    worker_begin (begins_meanwhile);
  begins_meanwhile = NULL;
  return __real_pyro_proc_read_status (tid, status);
}

/* Else its timer would go on when it blocks the signal again. */
static void
test_armed_meanwhile (void)
{
  PyroTimerPlan plan = { .rate = 100, .signo = SIGURG, .random = 1 };
  PyroThread *thread;
  Worker worker;

  worker_make (&worker);
  thread = pyro_thread_new (worker.tid, pyro_clock_monotonic ());
  g_assert_nonnull (thread);
  begins_meanwhile = &worker;
  g_assert_cmpint (pyro_thread_arm (thread, &plan, TRUE, NULL, NULL), ==,
                   PYRO_ARM_DONE);
  g_assert_nonnull (thread->unblocked);
  pyro_thread_disarm (thread, PYRO_UNSAMPLED_START);
  worker_end (&worker);
  pyro_thread_free (thread);
}

/* The application must not get its signal back before it is certain that none
 * of ours can come. */
static void
test_without_descriptors (void)
{
  Sampler *sampler = sampler_new_without_signal (100);
  struct rlimit before, none;
  Worker worker;

  worker_make (&worker);
  worker_begin (&worker);
  getrlimit (RLIMIT_NOFILE, &before);
  none = before;
  none.rlim_cur = 0;
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &none), ==, 0);
  g_assert_false (pyro_unblocking_end (SIGURG));
  g_assert_true (pyro_threads_have_pending (sampler->threads, SIGURG));
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &before), ==, 0);
  g_assert_false (pyro_threads_have_pending (sampler->threads, SIGURG));
  worker_end (&worker);
  g_assert_true (pyro_unblocking_end (SIGURG));
  sampler_free (sampler);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, func) g_test_add_func ("/unblocking/" name, func)
  ADD ("an-entry-stays-with-the-thread-that-has-its-id", test_release);
  ADD ("a-thread-that-begins-while-it-is-looked-at-has-its-timer",
       test_armed_meanwhile);
  ADD ("without-descriptors-nothing-is-handed-over", test_without_descriptors);
#undef ADD
  return g_test_run ();
}
