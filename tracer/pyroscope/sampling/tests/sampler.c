/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "sampler.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sampling/handler.h"
#include "sampling/signal-choice.h"

static gint64
clock_ns (clockid_t clock)
{
  struct timespec ts;

  clock_gettime (clock, &ts);
  return (gint64)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static Account *
get (Sampler *sampler, pid_t tid)
{
  Account *account
      = g_hash_table_lookup (sampler->accounts, GINT_TO_POINTER (tid));

  if (account == NULL) {
    account = g_new0 (Account, 1);
    g_hash_table_insert (sampler->accounts, GINT_TO_POINTER (tid), account);
  }
  return account;
}

static void
add_sample (Account *account, const PyroRawSample *sample)
{
  account->n_samples++;
  account->weight += sample->weight;
  account->sampled_ns += sample->nanoseconds;
  account->max_depth = MAX (account->max_depth, sample->depth);
  account->last_label = sample->label;
  if (sample->label < ACCOUNT_LABELS)
    account->label_ns[sample->label] += sample->nanoseconds;
}

static void
on_sample (const PyroThreadInfo *thread, const PyroRawSample *sample,
           gpointer data)
{
  Sampler *sampler = data;
  Account *account = get (sampler, thread->tid);

  g_strlcpy (account->name, thread->name, sizeof account->name);
  add_sample (account, sample);
  add_sample (&sampler->all, sample);
}

static void
on_unsampled (const PyroThreadInfo *thread, PyroUnsampledReason reason,
              guint64 ns, guint64 weight, guint64 label, gpointer data)
{
  Sampler *sampler = data;
  Account *account = get (sampler, thread->tid);

  g_assert_cmpint ((gint64)ns, >, 0);
  g_strlcpy (account->name, thread->name, sizeof account->name);
  account->unsampled_ns[reason] += ns;
  account->last_unsampled_label = label;
  if (label < ACCOUNT_LABELS)
    account->label_ns[label] += ns;
  sampler->all.unsampled_ns[reason] += ns;
}

static void
on_impossible (const PyroThreadInfo *thread, guint64 ns, gpointer data)
{
  Sampler *sampler = data;

  get (sampler, thread->tid)->impossible_ns += ns;
  sampler->all.impossible_ns += ns;
}

static const PyroThreadsSink sink = { .sample = on_sample,
                                      .unsampled = on_unsampled,
                                      .impossible = on_impossible };

void
announce (PyroAnnouncement *announcement, const guint64 *label,
          void (*release) (PyroAnnouncement *announcement))
{
  announcement->tid = gettid ();
  announcement->label = label;
  announcement->release = release;
  pyro_threads_announce (announcement);
}

Sampler *
sampler_new_without_signal (guint rate)
{
  Sampler *sampler = g_new0 (Sampler, 1);

  sampler->accounts = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  sampler->threads = pyro_threads_new ();
  sampler->process_ns = clock_ns (CLOCK_PROCESS_CPUTIME_ID);
  pyro_threads_start (sampler->threads, rate);
  return sampler;
}

void
sampler_take_signal (Sampler *sampler)
{
  g_assert_cmpint (pyro_signal_acquire (NULL), ==, SIGURG);
  pyro_threads_set_signal (sampler->threads, SIGURG, &sink, sampler);
  sampler_tick (sampler);
}

Sampler *
sampler_new (guint rate)
{
  Sampler *sampler = sampler_new_without_signal (rate);

  sampler_take_signal (sampler);
  return sampler;
}

void
sampler_free (Sampler *sampler)
{
  pyro_threads_free (sampler->threads);
  g_hash_table_unref (sampler->accounts);
  g_free (sampler);
}

void
sampler_tick (Sampler *sampler)
{
  gint64 now = g_get_monotonic_time ();

  pyro_threads_update (sampler->threads, now, &sink, sampler);
  pyro_threads_drain (sampler->threads, now, &sink, sampler);
}

void
sampler_run (Sampler *sampler, guint ms, const gint *done)
{
  gint64 end = g_get_monotonic_time () + ms * 1000;

  while (g_get_monotonic_time () < end
         && (done == NULL || !__atomic_load_n (done, __ATOMIC_ACQUIRE))) {
    usleep (20000);
    sampler_tick (sampler);
  }
}

void
sampler_stop (Sampler *sampler)
{
  sampler_tick (sampler);
  pyro_threads_stop (sampler->threads, g_get_monotonic_time (), &sink, sampler);
}

const Account *
sampler_get (Sampler *sampler, pid_t tid)
{
  return get (sampler, tid);
}

guint64
account_sum (const Account *account)
{
  guint64 sum = account->sampled_ns;

  for (guint i = 0; i < PYRO_UNSAMPLED_N_REASONS; i++)
    sum += account->unsampled_ns[i];
  return sum;
}

guint64
sampler_process_ns (Sampler *sampler)
{
  return (guint64)(clock_ns (CLOCK_PROCESS_CPUTIME_ID) - sampler->process_ns);
}

__attribute__ ((noinline)) void
spin (gulong rounds)
{
  for (gulong i = 0; i < rounds; i++)
    __asm__ volatile("" : : "r"(i));
}

void
burn_ms (guint ms)
{
  gint64 end = clock_ns (CLOCK_THREAD_CPUTIME_ID) + ms * MS;

  while (clock_ns (CLOCK_THREAD_CPUTIME_ID) < end)
    spin (10000);
}

void
in_a_process (void (*test) (void))
{
  gint status = 0;
  pid_t child;

  fflush (stdout);
  child = fork ();
  g_assert_cmpint (child, >=, 0);
  if (child == 0) {
    alarm (30);
    test ();
    _exit (0);
  }
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  if (WIFEXITED (status) && WEXITSTATUS (status) == SKIP_STATUS) {
    g_test_skip ("not allowed here");
    return;
  }
  g_assert_cmphex ((guint)status, ==, 0);
}
