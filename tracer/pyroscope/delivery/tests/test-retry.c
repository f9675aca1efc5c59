/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "retry.h"

static GRand *generator;

static void
test_back_off (void)
{
  PyroPushOutcome outcome = { .status = PYRO_PUSH_UNREACHABLE };
  gint64 longest[10] = { 0 }, shortest = G_MAXINT64, pause;

  for (guint run = 0; run < 200; run++) {
    PyroRetry retry = { .random = generator };

    for (guint i = 0; i < G_N_ELEMENTS (longest); i++) {
      g_assert_cmpint (pyro_retry_after (&retry, &outcome, &pause), ==,
                       PYRO_RETRY_AGAIN);
      g_assert_cmpint (pause, >=, 100000);
      g_assert_cmpint (pause, <=,
                       MIN (G_USEC_PER_SEC << i, 60 * G_USEC_PER_SEC));
      longest[i] = MAX (longest[i], pause);
      shortest = i == 9 ? MIN (shortest, pause) : shortest;
    }
  }
  /* Random over all of the bound, which doubles. */
  g_assert_cmpint (longest[3], >, 7 * G_USEC_PER_SEC);
  g_assert_cmpint (longest[9], >, 50 * G_USEC_PER_SEC);
  g_assert_cmpint (shortest, <, 10 * G_USEC_PER_SEC);
}

static void
test_wishes (void)
{
  PyroRetry retry = { .random = generator };
  PyroPushOutcome outcome = { .status = PYRO_PUSH_BUSY, .retry_after = 7 };
  gint64 pause;

  pyro_retry_after (&retry, &outcome, &pause);
  g_assert_cmpint (pause, >=, 7 * G_USEC_PER_SEC);
  g_assert_cmpint (pause, <=, 8 * G_USEC_PER_SEC);
  outcome.retry_after = G_MAXINT64;
  pyro_retry_after (&retry, &outcome, &pause);
  g_assert_cmpint (pause, <=, 3601 * G_TIME_SPAN_SECOND);
}

static void
test_actions (void)
{
  static const struct {
    PyroPushStatus status;
    PyroRetryAction action;
    gboolean slows_down;
  } cases[] = {
    { PYRO_PUSH_TAKEN, PYRO_RETRY_DONE, FALSE },
    { PYRO_PUSH_REJECTED, PYRO_RETRY_NEVER, FALSE },
    { PYRO_PUSH_AUTH, PYRO_RETRY_NEVER, TRUE },
    { PYRO_PUSH_WRONG_URL, PYRO_RETRY_NEVER, TRUE },
    { PYRO_PUSH_UNTRUSTED, PYRO_RETRY_AGAIN, FALSE },
    { PYRO_PUSH_BUSY, PYRO_RETRY_AGAIN, FALSE },
    { PYRO_PUSH_UNREACHABLE, PYRO_RETRY_AGAIN, FALSE },
    { PYRO_PUSH_ABORTED, PYRO_RETRY_AGAIN, FALSE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    PyroRetry retry = { .random = generator };
    PyroPushOutcome outcome = { .status = cases[i].status };
    gint64 pause;

    g_assert_cmpint (pyro_retry_after (&retry, &outcome, &pause), ==,
                     cases[i].action);
    g_assert_cmpint (pause >= 60 * G_USEC_PER_SEC, ==, cases[i].slows_down);
  }
}

static void
test_success (void)
{
  PyroRetry retry = { .n_failures = 20, .random = generator };
  PyroPushOutcome taken = { .status = PYRO_PUSH_TAKEN };
  PyroPushOutcome failed = { .status = PYRO_PUSH_BUSY };
  gint64 pause;

  pyro_retry_after (&retry, &taken, &pause);
  g_assert_cmpint (pause, ==, 0);
  pyro_retry_after (&retry, &failed, &pause);
  g_assert_cmpint (pause, <=, G_USEC_PER_SEC);
}

int
main (int argc, char **argv)
{
  int result;

  g_test_init (&argc, &argv, NULL);
  generator = g_rand_new ();
  g_test_add_func ("/retry/pauses are random below a bound that doubles",
                   test_back_off);
  g_test_add_func ("/retry/a server's wish is granted, for an hour at most",
                   test_wishes);
  g_test_add_func ("/retry/each outcome has its action", test_actions);
  g_test_add_func ("/retry/a success ends the doubling", test_success);
  result = g_test_run ();
  g_rand_free (generator);
  return result;
}
