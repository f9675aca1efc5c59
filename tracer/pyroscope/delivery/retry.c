/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "retry.h"

#define MIN_PAUSE_US (100 * G_TIME_SPAN_MILLISECOND)
#define FIRST_BOUND_US G_USEC_PER_SEC
#define LAST_BOUND_US (60 * G_USEC_PER_SEC)
#define MAX_WISH 3600 /* seconds */
/* After an answer that the next profile will get as well. */
#define FUTILE_PAUSE_US (60 * G_USEC_PER_SEC)

static gint64
random_between (PyroRetry *retry, gint64 low, gint64 high)
{
  return low + (gint64)(g_rand_double (retry->random) * (gdouble)(high - low));
}

static gint64
back_off (PyroRetry *retry)
{
  gint64 bound = LAST_BOUND_US;

  if (retry->n_failures < 6)
    bound = FIRST_BOUND_US << retry->n_failures;
  retry->n_failures++;
  return random_between (retry, MIN_PAUSE_US, MIN (bound, LAST_BOUND_US));
}

PyroRetryAction
pyro_retry_after (PyroRetry *retry, const PyroPushOutcome *outcome,
                  gint64 *pause_us)
{
  *pause_us = 0;
  switch (outcome->status) {
  case PYRO_PUSH_TAKEN:
    retry->n_failures = 0;
    return PYRO_RETRY_DONE;
  case PYRO_PUSH_REJECTED:
    retry->n_failures = 0;
    return PYRO_RETRY_NEVER;
  case PYRO_PUSH_AUTH:
  case PYRO_PUSH_WRONG_URL:
    *pause_us
        = random_between (retry, FUTILE_PAUSE_US, FUTILE_PAUSE_US * 5 / 4);
    return PYRO_RETRY_NEVER;
  case PYRO_PUSH_ABORTED:
    return PYRO_RETRY_AGAIN;
  case PYRO_PUSH_BUSY:
  case PYRO_PUSH_UNTRUSTED:
  case PYRO_PUSH_UNREACHABLE:
    break;
  }
  *pause_us = back_off (retry);
  /* Not earlier than the server wishes, and not all clients at that moment. */
  if (outcome->retry_after > 0)
    *pause_us = MIN (outcome->retry_after, MAX_WISH) * G_USEC_PER_SEC
                + random_between (retry, 0, G_USEC_PER_SEC);
  return PYRO_RETRY_AGAIN;
}
