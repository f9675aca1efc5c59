/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sender.h"
#include "kernel-clock.h"
#include "log.h"
#include "network.h"
#include "push-report.h"
#include "retry.h"

#define MIN_PUSH_TIMEOUT 10 /* seconds; else the upload interval */
#define MAX_PUSH_TIMEOUT 60
/* Part of the upload interval by which a push is put off: else all processes
 * that were started at one moment push at one moment, for ever. */
#define JITTER 0.1
#define MAX_JITTER_US (5 * G_USEC_PER_SEC)
/* Another process is at work on what is next. */
#define LATER_US G_USEC_PER_SEC
/* In a stop: between two tries, and what one of several gets. */
#define STOP_PAUSE_US (300 * G_TIME_SPAN_MILLISECOND)
#define STOP_SHARE_US G_USEC_PER_SEC

struct _PyroSender {
  PyroStore *store;
  PyroPushTarget *target;
  PyroPushLink *link;
  const gint *quiet;
  gboolean has_spool;
  guint timeout_ms;
  gint64 jitter_us;

  PyroSenderObserver observer; /* or NULL */
  gpointer observer_data;
  PyroPushReport report;
  PyroRetry retry;
  gint64 due;          /* no push before that monotonic time */
  gboolean is_held;    /* nor in a stop: the server asked for that pause, or its
                        * answer would be the same */
  gboolean has_failed; /* in this stop */
  gboolean was_taken;  /* a push, ever: there is a server */
  gboolean is_idle;
};

/* One try. */
typedef struct {
  PyroSender *sender;
  gint64 limit; /* when to give up; G_MAXINT64: while there is no stop */
} Attempt;

PyroSender *
pyro_sender_new (const PyroSettings *settings, PyroPushTarget *target,
                 PyroStore *store, gboolean has_spool, const gint *quiet)
{
  PyroSender *self = g_new0 (PyroSender, 1);

  self->store = store;
  self->target = target;
  self->link = pyro_push_link_new (target);
  self->quiet = quiet;
  self->has_spool = has_spool;
  self->timeout_ms
      = 1000
        * CLAMP (settings->upload_interval, MIN_PUSH_TIMEOUT, MAX_PUSH_TIMEOUT);
  self->jitter_us
      = MIN ((gint64)(settings->upload_interval * JITTER * G_USEC_PER_SEC),
             MAX_JITTER_US);
  self->is_idle = TRUE;
  self->retry.random = g_rand_new ();
  self->report.target = target;
  self->report.has_spool = has_spool;
  self->report.keeps_captures
      = settings->output_dir != NULL && settings->output_dir[0] != '\0';
  return self;
}

void
pyro_sender_free (PyroSender *self)
{
  if (self == NULL)
    return;
  pyro_push_link_free (self->link);
  pyro_push_target_free (self->target);
  g_rand_free (self->retry.random);
  g_free (self);
}

gboolean
pyro_sender_has_warned (const PyroSender *self)
{
  return self != NULL && self->report.state != PYRO_PUSH_TAKEN;
}

void
pyro_sender_fork_child (PyroSender *self)
{
  if (self->link != NULL)
    pyro_push_link_fork_child (self->link);
}

void
pyro_sender_observe (PyroSender *self, PyroSenderObserver observer,
                     gpointer user_data)
{
  self->observer = observer;
  self->observer_data = user_data;
}

static gboolean
may_log (PyroSender *self)
{
  return !g_atomic_int_get (self->quiet);
}

/* A PyroPushTick. In a stop, each request that waits gets a share of its
 * time. */
static gint64
get_limit (gpointer user_data)
{
  Attempt *attempt = user_data;
  PyroStore *store = attempt->sender->store;
  gint64 stop_time = pyro_store_get_stop_time (store);

  if (attempt->limit == G_MAXINT64 && stop_time != G_MAXINT64) {
    gint64 now = pyro_clock_monotonic ();
    gint64 n_left = MAX (pyro_store_get_n (store, PYRO_STORE_HTTP), 1);

    attempt->limit = now
                     + MAX ((stop_time - now) / n_left,
                            MIN (stop_time - now, STOP_SHARE_US));
  }
  return attempt->limit;
}

/* When the next push is due, after a failure in a stop. G_MAXINT64: not in this
 * one. A server that was never there is not waited for, nor one that may have
 * its time, because another process will send what is in the spool. */
static gint64
due_in_stop (PyroSender *self, const PyroPushOutcome *outcome, gint64 due)
{
  gint64 now = pyro_clock_monotonic ();

  if (outcome->status == PYRO_PUSH_ABORTED)
    return now;
  self->has_failed = TRUE;
  if (self->has_spool
      || (!self->was_taken && outcome->status != PYRO_PUSH_BUSY))
    return G_MAXINT64;
  return outcome->retry_after > 0 ? due : MIN (due, now + STOP_PAUSE_US);
}

static void
send_item (PyroSender *self, PyroStoreItem *item)
{
  Attempt attempt = { self, G_MAXINT64 };
  PyroPushOutcome outcome;
  PyroRetryAction action;
  g_autoptr (GBytes) request = g_bytes_ref (item->data);
  gint64 pause_us;

  if (may_log (self)) /* it may have something to say */
    pyro_push_target_refresh (self->target);
  if (item->n_tries++ > 0)
    pyro_store_count_again (self->store);
  pyro_push_send (self->link, request, self->timeout_ms, get_limit, &attempt,
                  &outcome);
  if (may_log (self))
    GST_CAT_DEBUG (pyro_debug, "push of %" G_GSIZE_FORMAT " bytes to %s: %s",
                   g_bytes_get_size (request), self->target->display,
                   outcome.reason ? outcome.reason : "taken");

  action = pyro_retry_after (&self->retry, &outcome, &pause_us);
  self->due = pyro_clock_monotonic () + pause_us;
  self->is_held
      = outcome.retry_after > 0 || (action == PYRO_RETRY_NEVER && pause_us > 0);
  if (outcome.http_status >= 500)
    item->n_errors++;
  switch (action) {
  case PYRO_RETRY_DONE:
    self->was_taken = TRUE;
    pyro_store_finish (self->store, item, PYRO_FATE_DELIVERED);
    break;
  case PYRO_RETRY_NEVER:
    pyro_store_finish (self->store, item, PYRO_FATE_REFUSED);
    break;
  case PYRO_RETRY_AGAIN:
    pyro_store_put_back (self->store, item);
    if (pyro_store_get_stop_time (self->store) != G_MAXINT64)
      self->due = due_in_stop (self, &outcome, self->due);
    break;
  }
  if (may_log (self))
    pyro_push_report_outcome (&self->report, &outcome);
  if (self->observer != NULL)
    self->observer (&outcome, request, self->observer_data);
  pyro_push_outcome_clear (&outcome);
}

/* FALSE: there was nothing that could be sent. */
static gboolean
send_next (PyroSender *self)
{
  PyroStoreItem *item = pyro_store_take (self->store, PYRO_STORE_HTTP);

  if (item == NULL)
    return FALSE;
  switch (pyro_store_claim (self->store, item)) {
  case PYRO_CLAIM_OURS:
    send_item (self, item);
    break;
  case PYRO_CLAIM_LATER:
    self->due = pyro_clock_monotonic () + LATER_US;
    break;
  case PYRO_CLAIM_OVER:
    break;
  }
  return TRUE;
}

/* When the next push is due. G_MAXINT64: there is nothing to push. */
static gint64
next_push (PyroSender *self, gint64 stop_time, gint64 now)
{
  if (pyro_store_get_n (self->store, PYRO_STORE_HTTP) == 0) {
    self->is_idle = TRUE;
    return G_MAXINT64;
  }
  if (self->is_idle) {
    self->is_idle = FALSE;
    self->due = MAX (
        self->due,
        now + (gint64)(g_rand_double (self->retry.random) * self->jitter_us));
  }
  /* A stop does not wait for what nobody has asked for. */
  return stop_time == G_MAXINT64 || self->has_failed || self->is_held
             ? self->due
             : now;
}

/* FALSE: it is over. */
static gboolean
go_on (PyroSender *self, guint *seen)
{
  gboolean closed = pyro_store_is_closed (self->store);
  gint64 stop_time = pyro_store_get_stop_time (self->store);
  gint64 now = pyro_clock_monotonic ();
  gint64 next = next_push (self, stop_time, now);

  if (now >= stop_time || (closed && next >= stop_time))
    return FALSE;
  if (next > now)
    pyro_store_wait (self->store, seen, MIN (next, stop_time));
  else if (!send_next (self))
    pyro_store_wait (self->store, seen, stop_time);
  return TRUE;
}

void *
pyro_sender_run (void *data)
{
  PyroSender *self = data;
  guint seen = 0;

  pthread_setname_np (pthread_self (), "pyro-sender");
  pyro_network_start ();
  while (go_on (self, &seen))
    continue;
  pyro_push_link_free (g_steal_pointer (&self->link));
  return NULL;
}
