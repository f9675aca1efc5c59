/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: a collector for tests, run by hand, that keeps account by thread; and
 * tests that want a process of their own.
 * Owner: the test.
 * Threads: the test's main thread is the collector.
 */
#pragma once

#include <glib.h>
#include <signal.h>
#include <sys/types.h>

#include "sampling/announcement.h"
#include "sampling/threads.h"

#define ACCOUNT_LABELS 4

typedef struct {
  guint n_samples;
  guint64 weight;
  guint64 sampled_ns;
  guint64 max_depth;
  guint64 last_label;
  guint64 last_unsampled_label;
  guint64 unsampled_ns[PYRO_UNSAMPLED_N_REASONS];
  guint64 impossible_ns;
  guint64 label_ns[ACCOUNT_LABELS]; /* with these label words, in all */
  gchar name[PYRO_THREAD_NAME_SIZE];
} Account;

typedef struct {
  PyroThreads *threads;
  GHashTable *accounts; /* pid_t → Account */
  Account all;
  gint64 process_ns; /* CPU clock of the process at the start */
} Sampler;

/* Makes the calling thread known: LABEL is its label word, RELEASE may be
 * called when it is gone. */
void announce (PyroAnnouncement *announcement, const guint64 *label,
               void (*release) (PyroAnnouncement *announcement));

/* Starts at once, with SIGURG; or without a signal, which it takes later. */
Sampler *sampler_new (guint rate);
Sampler *sampler_new_without_signal (guint rate);
void sampler_take_signal (Sampler *sampler);
void sampler_free (Sampler *sampler);

void sampler_tick (Sampler *sampler);
/* Ticks as a collector does for MS, or until *DONE if that is not NULL. */
void sampler_run (Sampler *sampler, guint ms, const gint *done);
void sampler_stop (Sampler *sampler);

/* Never NULL. */
const Account *sampler_get (Sampler *sampler, pid_t tid);
guint64 account_sum (const Account *account);

/* CPU time that the process used since the start. */
guint64 sampler_process_ns (Sampler *sampler);

/* CPU time of the calling thread. */
void burn_ms (guint ms);
/* No call, no TLS. */
void spin (gulong rounds);

/* Runs TEST in a child; fails if it fails, is killed or hangs. */
void in_a_process (void (*test) (void));
/* 77: what the test wants is not allowed here. */
#define SKIP_STATUS 77

#define assert_about(value, expected, tolerance)                   \
  g_assert_cmpint (ABS ((gint64)(value) - (gint64)(expected)), <=, \
                   (gint64)(tolerance))
#define MS G_GINT64_CONSTANT (1000000)
