/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pusher.h"
#include "kernel-clock.h"
#include "log.h"
#include "profile/gzip.h"
#include "profile/profile-split.h"
#include "profile/push-message.h"
#include "push-report.h"
#include "push.h"
#include "series.h"

#define MAX_WAITING 16 /* profiles: several intervals of every type */

#define MIN_PUSH_TIMEOUT 10 /* seconds; else the upload interval */
#define MAX_PUSH_TIMEOUT 60
#define WAIT_STEP (100 * G_TIME_SPAN_MILLISECOND)
/* A longer Retry-After is no reason to wait: the next interval comes. */
#define MAX_RETRY_WAIT 5 /* seconds */
#define MAX_HOLD 300     /* seconds */
/* After an answer that the next interval will get as well. */
#define FUTILE_HOLD 60 /* seconds */

struct _PyroPusher {
  PyroPusherHooks hooks;
  PyroPushTarget *target;
  GArray *series;
  guint timeout_ms;

  GQueue waiting; /* GPtrArray of request bodies (GBytes), oldest first */
  PyroPushReport report;
  gint64 hold_until; /* no push before that monotonic time */
};

/* One profile's way to the server: all its parts and tries. */
typedef struct {
  PyroPusher *pusher;
  gint64 limit; /* when to give up; G_MAXINT64: while there is no stop */
} Attempt;

PyroPusher *
pyro_pusher_new (const PyroSettings *settings, const PyroPusherHooks *hooks)
{
  g_autoptr (GError) error = NULL;
  PyroPushTarget *target;
  PyroPusher *self;

  if (settings->server_url == NULL || settings->server_url[0] == '\0')
    return NULL;
  target = pyro_push_target_new (settings, &error);
  if (target == NULL) {
    pyro_log_user (GST_LEVEL_WARNING,
                   "%s; no profile is pushed; set it to an address such as "
                   "http://localhost:4040",
                   error->message);
    return NULL;
  }

  self = g_new0 (PyroPusher, 1);
  self->hooks = *hooks;
  self->target = target;
  self->series = pyro_series_new (settings, "");
  self->timeout_ms
      = 1000
        * CLAMP (settings->upload_interval, MIN_PUSH_TIMEOUT, MAX_PUSH_TIMEOUT);
  self->report.target = target;
  self->report.keeps_captures
      = settings->output_dir != NULL && settings->output_dir[0] != '\0';
  g_queue_init (&self->waiting);
  return self;
}

void
pyro_pusher_free (PyroPusher *self)
{
  if (self == NULL)
    return;
  g_queue_clear_full (&self->waiting, (GDestroyNotify)g_ptr_array_unref);
  g_array_unref (self->series);
  pyro_push_target_free (self->target);
  g_free (self);
}

static gboolean
may_log (PyroPusher *self)
{
  return self->hooks.may_log (self->hooks.owner);
}

/* One request body for each part of the profile. NULL: it is none. */
static GPtrArray *
make_bodies (PyroPusher *self, const gchar *profile_name, GBytes *pprof,
             GError **error)
{
  g_autoptr (GPtrArray) parts = pyro_profile_split (
      pprof, PYRO_SPLIT_MAX_BYTES, PYRO_SPLIT_MAX_SAMPLES, error);
  g_autoptr (GPtrArray) bodies = NULL;

  if (parts == NULL)
    return NULL;
  bodies = g_ptr_array_new_with_free_func ((GDestroyNotify)g_bytes_unref);
  pyro_series_set (self->series, "__name__", profile_name);
  for (guint i = 0; i < parts->len; i++) {
    g_autofree gchar *id = g_uuid_string_random ();
    g_autoptr (GBytes) message
        = pyro_push_request_encode ((const PyroLabel *)self->series->data,
                                    self->series->len, parts->pdata[i], id);

    g_ptr_array_add (bodies, pyro_gzip (message));
  }
  return g_steal_pointer (&bodies);
}

guint
pyro_pusher_add (PyroPusher *self, const gchar *profile_name, GBytes *pprof)
{
  g_autoptr (GError) error = NULL;
  GPtrArray *bodies = make_bodies (self, profile_name, pprof, &error);

  if (bodies == NULL) {
    if (may_log (self))
      pyro_log_user (GST_LEVEL_WARNING, "a %s profile cannot be pushed: %s",
                     profile_name, error->message);
    return 1;
  }
  g_queue_push_tail (&self->waiting, bodies);
  if (g_queue_get_length (&self->waiting) <= MAX_WAITING)
    return 0;
  g_ptr_array_unref (g_queue_pop_head (&self->waiting));
  pyro_push_report_skipped (&self->report, 1);
  return 1;
}

gboolean
pyro_pusher_is_empty (PyroPusher *self)
{
  return g_queue_is_empty (&self->waiting);
}

/* A PyroPushTick. */
static gint64
keep_up (gpointer user_data)
{
  Attempt *attempt = user_data;
  PyroPusher *self = attempt->pusher;
  gint64 stop_time = self->hooks.keep_up (self->hooks.owner);

  if (attempt->limit == G_MAXINT64 && stop_time != G_MAXINT64) {
    gint64 now = pyro_clock_monotonic ();
    gint64 n_left = (gint64)g_queue_get_length (&self->waiting) + 1;

    attempt->limit = now + (stop_time - now) / n_left;
  }
  return attempt->limit;
}

/* Waits until one more try makes sense. FALSE: none does. */
static gboolean
wait_for_retry (Attempt *attempt, const PyroPushOutcome *outcome)
{
  PyroPusher *self = attempt->pusher;
  gint64 until = pyro_clock_monotonic ();

  if (!outcome->may_retry || outcome->retry_after > MAX_RETRY_WAIT)
    return FALSE;
  /* In an outage the next interval is the retry, unless the server asked for
   * one; and others wait for their first try. */
  if (self->report.state != PYRO_PUSH_TAKEN && outcome->retry_after == 0)
    return FALSE;
  if (!pyro_pusher_is_empty (self))
    return FALSE;

  if (outcome->retry_after > 0)
    until += outcome->retry_after * G_USEC_PER_SEC;
  else /* jitter: not all clients of a restarted server at once */
    until += g_random_int_range (300, 700) * G_TIME_SPAN_MILLISECOND;

  while (TRUE) {
    gint64 limit = keep_up (attempt);
    gint64 now = pyro_clock_monotonic ();

    /* A stop does not wait for a server that is not there. */
    if (limit != G_MAXINT64
        && (outcome->status != PYRO_PUSH_BUSY || until >= limit))
      return FALSE;
    if (now >= until)
      return TRUE;
    self->hooks.wait_until (self->hooks.owner, MIN (until, now + WAIT_STEP));
  }
}

static void
send_body (Attempt *attempt, GBytes *body, PyroPushOutcome *outcome)
{
  PyroPusher *self = attempt->pusher;

  for (guint try = 1;; try++) {
    pyro_push_send (self->target, body, self->timeout_ms, keep_up, attempt,
                    outcome);
    if (may_log (self))
      GST_CAT_DEBUG (pyro_debug, "push of %" G_GSIZE_FORMAT " bytes to %s: %s",
                     g_bytes_get_size (body), self->target->display,
                     outcome->reason ? outcome->reason : "taken");
    if (try == 2 || !wait_for_retry (attempt, outcome))
      return;
    pyro_push_outcome_clear (outcome);
  }
}

/* Seconds in which another push would be no use, or not welcome. */
static gint64
hold_after (const PyroPushOutcome *outcome)
{
  switch (outcome->status) {
  case PYRO_PUSH_AUTH:
  case PYRO_PUSH_WRONG_URL:
  case PYRO_PUSH_UNTRUSTED:
    return FUTILE_HOLD;
  case PYRO_PUSH_BUSY:
    return MIN (outcome->retry_after, MAX_HOLD);
  default:
    return 0;
  }
}

gboolean
pyro_pusher_push_oldest (PyroPusher *self)
{
  g_autoptr (GPtrArray) bodies = g_queue_pop_head (&self->waiting);
  Attempt attempt = { self, G_MAXINT64 };
  PyroPushOutcome worst = { PYRO_PUSH_TAKEN };

  if (pyro_clock_monotonic () < self->hold_until) {
    pyro_push_report_skipped (&self->report, 1);
    return FALSE;
  }

  for (guint i = 0; i < bodies->len; i++) {
    PyroPushOutcome outcome;

    send_body (&attempt, bodies->pdata[i], &outcome);
    if (outcome.status == PYRO_PUSH_TAKEN)
      continue;
    pyro_push_outcome_clear (&worst);
    worst = outcome;
    /* A part that is rejected says nothing about the others. */
    if (outcome.status != PYRO_PUSH_REJECTED)
      break;
  }

  self->hold_until
      = pyro_clock_monotonic () + hold_after (&worst) * G_USEC_PER_SEC;
  if (may_log (self))
    pyro_push_report_outcome (&self->report, &worst);
  pyro_push_outcome_clear (&worst);
  return worst.status == PYRO_PUSH_TAKEN;
}
