/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "sampler.h"
#include "sampling/cpu-timer.h"
#include "sampling/thread-record.h"

/* A thread that works, then waits until it may end. */
typedef struct {
  guint ms;
  gboolean blocks;
  const gchar *name;
  PyroAnnouncement *announcement;
  gboolean announces_late;
  guint64 label;
  /* Of the thread. */
  pthread_t thread;
  gint tid, done, quit;
  guint64 clock_ns;
} Worker;

static gint n_released;

static void
count_release (PyroAnnouncement *announcement)
{
  n_released++;
}

static void *
work (void *data)
{
  Worker *worker = data;
  sigset_t all;

  if (worker->blocks) {
    sigfillset (&all);
    pthread_sigmask (SIG_SETMASK, &all, NULL);
  }
  if (worker->name != NULL)
    pthread_setname_np (pthread_self (), worker->name);
  if (worker->announcement != NULL && !worker->announces_late)
    announce (worker->announcement, &worker->label, count_release);
  __atomic_store_n (&worker->tid, gettid (), __ATOMIC_RELEASE);
  burn_ms (worker->ms);
  if (worker->announces_late)
    announce (worker->announcement, &worker->label, count_release);
  pyro_thread_cpu_time (gettid (), &worker->clock_ns);
  __atomic_store_n (&worker->done, 1, __ATOMIC_RELEASE);
  while (!__atomic_load_n (&worker->quit, __ATOMIC_ACQUIRE))
    usleep (2000);
  return NULL;
}

static void
begin (Worker *worker)
{
  g_assert_cmpint (pthread_create (&worker->thread, NULL, work, worker), ==, 0);
}

static void
end (Worker *worker)
{
  __atomic_store_n (&worker->quit, 1, __ATOMIC_RELEASE);
  pthread_join (worker->thread, NULL);
}

static void
check_weights (guint rate)
{
  Sampler *sampler = sampler_new (rate);
  Worker worker = { .ms = 800 };
  const Account *account;
  gint64 tolerance = 3 * 1000 * MS / rate + 20 * MS;

  begin (&worker);
  sampler_run (sampler, 10000, &worker.done);
  sampler_run (sampler, 50, NULL);
  account = sampler_get (sampler, worker.tid);
  g_test_message (
      "%u samples, weight %" G_GUINT64_FORMAT ", %.1f ms sampled of %.1f ms",
      account->n_samples, account->weight, (double)account->sampled_ns / MS,
      (double)worker.clock_ns / MS);
  assert_about (account_sum (account), worker.clock_ns, tolerance);
  /* Its only period, or the first of two, may be 0.7 of the nominal one. */
  assert_about (account->weight,
                (worker.clock_ns - account->unsampled_ns[PYRO_UNSAMPLED_START])
                    * rate / 1000000000,
                rate * 35 / 100 + 1);
  g_assert_cmpuint (account->unsampled_ns[PYRO_UNSAMPLED_START], <, 150 * MS);
  g_assert_cmpuint (account->unsampled_ns[PYRO_UNSAMPLED_MISSED], ==, 0);
  end (&worker);
  sampler_stop (sampler);
  sampler_free (sampler);
}

static void
child_100_hz (void)
{
  check_weights (100);
}

static void
child_1000_hz (void)
{
  check_weights (1000);
}

/* Threads shorter than a period, shorter than a scan. */
static void
child_short_lived (void)
{
  Sampler *sampler = sampler_new (100);
  guint64 process_ns;

  for (guint i = 0; i < 60; i++) {
    Worker worker = { .ms = 7, .quit = 1 };

    begin (&worker);
    end (&worker);
    sampler_tick (sampler);
  }
  sampler_stop (sampler);
  process_ns = sampler_process_ns (sampler);
  g_test_message (
      "%.1f ms told of %.1f ms, %.1f ms unseen",
      (double)account_sum (&sampler->all) / MS, (double)process_ns / MS,
      (double)sampler->all.unsampled_ns[PYRO_UNSAMPLED_UNSEEN] / MS);
  g_assert_cmpuint (process_ns, >, 400 * MS);
  assert_about (account_sum (&sampler->all), process_ns, 40 * MS);
  sampler_free (sampler);
}

static void
child_churn (void)
{
  Sampler *sampler = sampler_new (1000);
  guint64 process_ns;

  for (guint i = 0; i < 100; i++) {
    Worker workers[10];

    for (guint j = 0; j < G_N_ELEMENTS (workers); j++) {
      workers[j] = (Worker){ .ms = 1, .quit = 1 };
      begin (&workers[j]);
    }
    for (guint j = 0; j < G_N_ELEMENTS (workers); j++)
      end (&workers[j]);
    sampler_tick (sampler);
  }
  sampler_run (sampler, 300, NULL);
  g_assert_cmpuint (pyro_threads_get_n (sampler->threads), ==, 1);
  g_assert_cmpuint (pyro_threads_get_n_armed (sampler->threads), ==, 1);
  sampler_stop (sampler);
  process_ns = sampler_process_ns (sampler);
  g_test_message ("%.1f ms told of %.1f ms",
                  (double)account_sum (&sampler->all) / MS,
                  (double)process_ns / MS);
  assert_about (account_sum (&sampler->all), process_ns,
                40 * MS + process_ns / 20);
  sampler_free (sampler);
}

static gboolean
begin_with_tid (Worker *worker, gint tid)
{
  for (guint i = 0; i < 50; i++) {
    g_autofree gchar *text = g_strdup_printf ("%d", tid - 1);
    int fd = open ("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
    gssize n = fd >= 0 ? write (fd, text, strlen (text)) : -1;

    if (fd >= 0)
      close (fd);
    if (n < 0)
      _exit (SKIP_STATUS);
    begin (worker);
    while (__atomic_load_n (&worker->tid, __ATOMIC_ACQUIRE) == 0)
      usleep (100);
    if (worker->tid == tid)
      return TRUE;
    end (worker);
    worker->tid = worker->quit = worker->done = 0;
  }
  return FALSE;
}

/* The second thread has the id of the first, which nobody saw end, and uses
 * more than the first did. */
static void
reuse (PyroAnnouncement *first_announcement,
       PyroAnnouncement *second_announcement)
{
  Sampler *sampler = sampler_new (1000);
  Worker first = { .ms = 100, .announcement = first_announcement, .label = 1 };
  Worker second
      = { .ms = 1600, .announcement = second_announcement, .label = 2 };
  const Account *account;
  guint64 first_ns;

  begin (&first);
  sampler_run (sampler, 10000, &first.done);
  sampler_tick (sampler);
  first_ns = account_sum (sampler_get (sampler, first.tid));
  end (&first);
  if (!begin_with_tid (&second, first.tid))
    _exit (SKIP_STATUS);
  sampler_run (sampler, 10000, &second.done);
  sampler_run (sampler, 50, NULL);
  account = sampler_get (sampler, second.tid);
  g_test_message ("%.1f ms told of %.1f ms, %u samples",
                  (double)(account_sum (account) - first_ns) / MS,
                  (double)second.clock_ns / MS, account->n_samples);
  assert_about (account_sum (account) - first_ns, second.clock_ns, 30 * MS);
  g_assert_cmpuint (account->sampled_ns, >, 200 * MS);
  if (second_announcement != NULL) {
    g_assert_cmpuint (account->last_label, ==, 2);
    /* The second one's block is in use, the first one's may wait. */
    g_assert_cmpint (n_released, <=, 1);
    end (&second);
    sampler_run (sampler, 300, NULL);
    g_assert_cmpint (n_released, ==, 2);
  } else {
    end (&second);
  }
  sampler_stop (sampler);
  sampler_free (sampler);
}

static void
child_reuse (void)
{
  reuse (NULL, NULL);
}

static void
child_reuse_announced (void)
{
  static PyroAnnouncement announcements[2];

  reuse (&announcements[0], &announcements[1]);
}

/* The limit is the user's, and other processes may use it up: as root, become
 * a user that nobody is. */
static void
be_alone (void)
{
  uid_t uid = 100000 + (uid_t)getpid ();

  if (geteuid () == 0 && setresuid (uid, uid, uid) != 0)
    _exit (SKIP_STATUS);
}

static void
child_few_timers (void)
{
  struct rlimit limit = { 16, 16 };
  Worker idle[12] = { { 0 } };
  Worker busy = { .ms = 2500 };
  Sampler *sampler;
  const Account *account;

  be_alone ();
  if (setrlimit (RLIMIT_SIGPENDING, &limit) != 0)
    _exit (SKIP_STATUS);
  for (guint i = 0; i < G_N_ELEMENTS (idle); i++)
    begin (&idle[i]);
  usleep (20000);
  sampler = sampler_new (1000);
  g_assert_cmpuint (pyro_threads_get_n_armed (sampler->threads), <=, 8);
  if (pyro_threads_get_n_armed (sampler->threads) < 4)
    _exit (SKIP_STATUS);
  begin (&busy);
  sampler_run (sampler, 10000, &busy.done);
  sampler_run (sampler, 50, NULL);
  g_assert_cmpuint (pyro_threads_get_n_armed (sampler->threads), <=, 8);
  account = sampler_get (sampler, busy.tid);
  g_test_message ("%.1f ms without a timer, %.1f ms sampled",
                  (double)account->unsampled_ns[PYRO_UNSAMPLED_NO_TIMER] / MS,
                  (double)account->sampled_ns / MS);
  g_assert_cmpuint (account->sampled_ns, >, 500 * MS);
  assert_about (account_sum (account), busy.clock_ns, 40 * MS);
  for (guint i = 0; i < G_N_ELEMENTS (idle); i++)
    end (&idle[i]);
  end (&busy);
  sampler_stop (sampler);
  sampler_free (sampler);
}

/* Twenty samples a second fit the smallest ring; a thousand do not. */
static void
child_rate_raised (void)
{
  Sampler *sampler = sampler_new (20);
  Worker worker = { .ms = 1200 };
  const PyroThreadRecord *record;
  const Account *account;

  begin (&worker);
  sampler_run (sampler, 200, NULL);
  pyro_threads_set_rate (sampler->threads, 1000);
  for (guint i = 0; (record = pyro_thread_records[i]) != NULL; i++)
    g_assert_cmpuint (record->ring->capacity, >=, 1000 * 512 / 2);
  sampler_run (sampler, 10000, &worker.done);
  sampler_run (sampler, 50, NULL);
  account = sampler_get (sampler, worker.tid);
  g_assert_cmpuint (account->unsampled_ns[PYRO_UNSAMPLED_LOST], ==, 0);
  assert_about (account_sum (account), worker.clock_ns, 130 * MS);
  pyro_threads_set_rate (sampler->threads, 20);
  end (&worker);
  sampler_stop (sampler);
  sampler_free (sampler);
}

static void
child_no_timers (void)
{
  struct rlimit limit = { 0, 0 };
  Worker busy = { .ms = 100 };
  Sampler *sampler;

  be_alone ();
  if (setrlimit (RLIMIT_SIGPENDING, &limit) != 0)
    _exit (SKIP_STATUS);
  sampler = sampler_new (100);
  begin (&busy);
  sampler_run (sampler, 10000, &busy.done);
  end (&busy);
  sampler_stop (sampler);
  g_assert_cmpuint (sampler->all.n_samples, ==, 0);
  assert_about (account_sum (&sampler->all), sampler_process_ns (sampler),
                30 * MS);
  sampler_free (sampler);
}

static void
child_blocked (void)
{
  Sampler *sampler = sampler_new (1000);
  Worker worker = { .ms = 200, .blocks = TRUE, .name = "blocks" };
  const Account *account;

  begin (&worker);
  while (__atomic_load_n (&worker.tid, __ATOMIC_ACQUIRE) == 0)
    usleep (100);
  sampler_run (sampler, 10000, &worker.done);
  sampler_stop (sampler);
  account = sampler_get (sampler, worker.tid);
  g_assert_cmpuint (account->n_samples, ==, 0);
  g_assert_cmpstr (account->name, ==, "blocks");
  assert_about (account->unsampled_ns[PYRO_UNSAMPLED_BLOCKED], worker.clock_ns,
                5 * MS);
  end (&worker);
  sampler_free (sampler);
}

/* It blocks our signal only later, while it has a timer. */
static void *
block_later (void *data)
{
  Worker *worker = data;
  sigset_t all;

  worker->tid = gettid ();
  burn_ms (200);
  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, NULL);
  burn_ms (2500);
  pyro_thread_cpu_time (gettid (), &worker->clock_ns);
  sigemptyset (&all);
  sigpending (&all);
  worker->label = (guint64)sigismember (&all, SIGURG);
  __atomic_store_n (&worker->done, 1, __ATOMIC_RELEASE);
  while (!__atomic_load_n (&worker->quit, __ATOMIC_ACQUIRE))
    usleep (2000);
  return NULL;
}

static void
child_blocks_later (void)
{
  Sampler *sampler = sampler_new (1000);
  Worker worker = { 0 };
  const Account *account;

  pthread_create (&worker.thread, NULL, block_later, &worker);
  sampler_run (sampler, 60000, &worker.done); /* of a busy machine */
  sampler_stop (sampler);
  account = sampler_get (sampler, worker.tid);
  g_assert_cmpuint (account->n_samples, >, 20);
  assert_about (account_sum (account), worker.clock_ns, 30 * MS);
  g_assert_cmpuint (account->unsampled_ns[PYRO_UNSAMPLED_BLOCKED], >,
                    2000 * MS);
  end (&worker);
  sampler_free (sampler);
}

static void
child_ignored (void)
{
  Sampler *sampler = sampler_new (1000);
  Worker worker = { .ms = 1500 };
  const Account *account;

  begin (&worker);
  sampler_run (sampler, 200, NULL);
  signal (SIGURG, SIG_IGN);
  sampler_run (sampler, 10000, &worker.done);
  sampler_run (sampler, 1100, NULL);
  sampler_stop (sampler);
  account = sampler_get (sampler, worker.tid);
  g_assert_cmpuint (account->unsampled_ns[PYRO_UNSAMPLED_MISSED], >, 500 * MS);
  assert_about (account_sum (account), worker.clock_ns, 80 * MS);
  end (&worker);
  sampler_free (sampler);
}

static void
child_own (void)
{
  Sampler *sampler = sampler_new (1000);
  Worker own = { .ms = 100, .blocks = TRUE, .name = "pyro-test" };
  Worker namesake = { .ms = 300, .name = "pyro-maniac" };

  begin (&own);
  begin (&namesake);
  sampler_run (sampler, 10000, &namesake.done);
  sampler_run (sampler, 10000, &own.done);
  sampler_stop (sampler);
  g_assert_cmpuint (sampler_get (sampler, own.tid)->n_samples, ==, 0);
  g_assert_cmpuint (
      sampler_get (sampler, own.tid)->unsampled_ns[PYRO_UNSAMPLED_OWN], >,
      50 * MS);
  g_assert_cmpuint (sampler_get (sampler, namesake.tid)->n_samples, >, 20);
  end (&own);
  end (&namesake);
  sampler_free (sampler);
}

static void
child_announced (void)
{
  static PyroAnnouncement announcements[2];
  Sampler *sampler = sampler_new (1000);
  Worker workers[2] = { { .ms = 200, .announcement = &announcements[0] },
                        { .ms = 200, .announcement = &announcements[1] } };

  for (guint i = 0; i < 2; i++) {
    workers[i].label = 100 + i;
    begin (&workers[i]);
  }
  for (guint i = 0; i < 2; i++)
    sampler_run (sampler, 10000, &workers[i].done);
  sampler_tick (sampler);
  for (guint i = 0; i < 2; i++)
    g_assert_cmpuint (sampler_get (sampler, workers[i].tid)->last_label, ==,
                      100 + i);

  /* Both again, in one queue, as after a stop and a start. */
  for (guint round = 0; round < 3; round++) {
    pyro_threads_announce (&announcements[0]);
    pyro_threads_announce (&announcements[1]);
    pyro_threads_announce (&announcements[0]); /* still waits */
    sampler_tick (sampler);
  }
  g_assert_cmpint (n_released, ==, 0);
  end (&workers[1]);
  sampler_run (sampler, 300, NULL);
  g_assert_cmpint (n_released, ==, 1);
  end (&workers[0]);
  sampler_run (sampler, 300, NULL);
  g_assert_cmpint (n_released, ==, 2);

  /* One that is gone before it is read. */
  {
    static PyroAnnouncement late;
    Worker worker = { .announcement = &late, .quit = 1 };

    begin (&worker);
    end (&worker);
    /* Joined is not yet gone. */
    sampler_run (sampler, 400, NULL);
    g_assert_cmpint (n_released, ==, 3);
  }
  sampler_stop (sampler);
  sampler_free (sampler);
}

static void
child_starts_again (void)
{
  Sampler *sampler = sampler_new (1000);
  Worker worker = { .ms = 3000 };
  guint64 told;

  begin (&worker);
  sampler_run (sampler, 100, NULL);
  sampler_stop (sampler);
  told = account_sum (sampler_get (sampler, worker.tid));
  g_assert_cmpuint (pyro_threads_get_n_armed (sampler->threads), ==, 0);
  sampler_run (sampler, 0, NULL);
  usleep (300000);
  /* What was used in between is nobody's. */
  pyro_threads_start (sampler->threads, 1000);
  sampler_tick (sampler);
  g_assert_cmpuint (account_sum (sampler_get (sampler, worker.tid)) - told, <,
                    100 * MS);
  for (guint i = 0; i < 1000; i++) {
    pyro_threads_start (sampler->threads, 1000);
    pyro_threads_set_signal (sampler->threads, SIGURG, NULL, NULL);
    sampler_stop (sampler);
  }
  g_assert_cmpuint (pyro_threads_get_n_armed (sampler->threads), ==, 0);
  worker.quit = 1;
  _exit (0);
}

static void
wait_for (const gint *done)
{
  while (!__atomic_load_n (done, __ATOMIC_ACQUIRE))
    usleep (1000);
}

/* What it used while the tables were made, and is idle since. */
static void
child_labels_of_before (void)
{
  static PyroAnnouncement announcement = { .sole = { .label = 7 } };
  Worker worker
      = { .ms = 100, .announcement = &announcement, .announces_late = TRUE };
  Sampler *sampler;
  const Account *account;

  begin (&worker);
  wait_for (&worker.tid);
  sampler = sampler_new_without_signal (1000);
  wait_for (&worker.done);
  sampler_take_signal (sampler);
  account = sampler_get (sampler, worker.tid);
  g_assert_cmpuint (account->unsampled_ns[PYRO_UNSAMPLED_START], >, 0);
  g_assert_cmpuint (account->last_unsampled_label, ==, 7);
  end (&worker);
  sampler_free (sampler);
}

/* A scan may find a thread before it announces itself. */
static void
child_labels_that_come_late (void)
{
  static PyroAnnouncement announcement;
  Sampler *sampler = sampler_new (1000);
  Worker worker = {
    .ms = 300, .announcement = &announcement, .announces_late = TRUE, .label = 9
  };
  const Account *account;
  guint n_before;

  begin (&worker);
  sampler_run (sampler, 100, NULL);
  account = sampler_get (sampler, worker.tid);
  g_assert_cmpuint (account->last_label, ==, 0);
  n_before = account->n_samples;
  wait_for (&worker.done);
  sampler_tick (sampler);
  g_assert_cmpuint (account->n_samples, >, n_before);
  g_assert_cmpuint (account->last_label, ==, 9);
  end (&worker);
  sampler_free (sampler);
}

static void
run_child (gconstpointer test)
{
  in_a_process ((void (*) (void)) (gsize)test);
}

#define ADD(name, test) \
  g_test_add_data_func ("/threads/" name, (gconstpointer)(gsize)test, run_child)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("samples add up to the CPU clock at 100 Hz", child_100_hz);
  ADD ("samples add up to the CPU clock at 1000 Hz", child_1000_hz);
  ADD ("threads that are shorter than a period count", child_short_lived);
  ADD ("a thousand threads come and go", child_churn);
  ADD ("a thread id is used again", child_reuse);
  ADD ("a thread id is used again by an announced thread",
       child_reuse_announced);
  ADD ("the busiest threads have the timers", child_few_timers);
  ADD ("rings fit a rate that is raised", child_rate_raised);
  ADD ("without timers the time is told", child_no_timers);
  ADD ("a thread that blocks all signals is told", child_blocked);
  ADD ("a thread that blocks all signals later is told", child_blocks_later);
  ADD ("what an ignored signal does not say is told", child_ignored);
  ADD ("our own threads are known by name and mask", child_own);
  ADD ("announced threads have labels and are released once", child_announced);
  ADD ("what was used before the first signal has its label",
       child_labels_of_before);
  ADD ("samples of a thread that has just announced itself have its label",
       child_labels_that_come_late);
  ADD ("starts and stops a thousand times", child_starts_again);
  return g_test_run ();
}
