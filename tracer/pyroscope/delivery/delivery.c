/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "delivery.h"
#include "capture-file.h"
#include "log.h"
#include "profile/gzip.h"
#include "profile/profile-split.h"
#include "profile/push-message.h"
#include "push-report.h"
#include "push.h"
#include "series.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

/* Both queues, in profiles: several intervals of every profile type. */
#define MAX_QUEUED 16

/* Symbols are read and TLS is spoken on this stack. The demangler of C++ names
 * recurses (up to 2048 levels, about 150 bytes each, and it allocates its
 * tables on the stack), elfutils and the TLS libraries use tens of KiB: 256
 * KiB would do on a good day. Only what is touched becomes memory, so a MiB
 * costs address space alone; the default of 8 MiB is too much of that under
 * RLIMIT_AS. */
#define STACK_BYTES (1024 * 1024)

#define MIN_PUSH_TIMEOUT 10 /* seconds; else the upload interval */
#define MAX_PUSH_TIMEOUT 60
#define WAIT_STEP (100 * G_TIME_SPAN_MILLISECOND)
/* A longer Retry-After is no reason to wait: the next interval comes. */
#define MAX_RETRY_WAIT 5 /* seconds */
#define MAX_HOLD 300     /* seconds */
/* After an answer that the next interval will get as well. */
#define FUTILE_HOLD 60 /* seconds */

struct _PyroDelivery {
  /* Read-only after pyro_delivery_new(). */
  gchar *service;
  gchar *output_dir;      /* absolute, or NULL */
  PyroPushTarget *target; /* or NULL */
  GArray *series;
  guint push_timeout_ms;

  /* Atomic. */
  gint forgotten;   /* in a forked child */
  gint left_behind; /* stop did not wait: GStreamer may be gone, say nothing */

  GMutex lock;
  GCond wake;
  /* With the lock. */
  GQueue jobs; /* PyroDeliveryJob, oldest first */
  gboolean stopping;
  gint64 stop_time; /* valid when stopping */
  gboolean has_thread;
  gboolean told_no_thread;
  pthread_t thread;
  PyroDeliveryStats stats;

  /* The delivery thread's own. */
  GQueue outgoing;    /* GPtrArray of request bodies (GBytes), oldest first */
  gint capture_errno; /* of the last capture; 0: it was written */
  PyroPushReport report;
  gint64 hold_until; /* no push before that monotonic time */
};

/* One profile's way to the server: all its tries. */
typedef struct {
  PyroDelivery *delivery;
  gint64 limit; /* when to give up; G_MAXINT64: while there is no stop */
} Attempt;

/* ------------------------------------------------------------ the queue -- */

static void
job_free (PyroDeliveryJob *job)
{
  job->destroy (job->data);
  g_free (job);
}

static PyroDeliveryJob *
pop_job (PyroDelivery *self)
{
  PyroDeliveryJob *job;

  g_mutex_lock (&self->lock);
  job = g_queue_pop_head (&self->jobs);
  while (job != NULL && self->stopping
         && g_get_monotonic_time () >= self->stop_time) {
    self->stats.discarded++;
    g_mutex_unlock (&self->lock);
    job_free (job);
    g_mutex_lock (&self->lock);
    job = g_queue_pop_head (&self->jobs);
  }
  g_mutex_unlock (&self->lock);
  return job;
}

static void
count (PyroDelivery *self, guint64 *counter)
{
  g_mutex_lock (&self->lock);
  *counter += 1;
  g_mutex_unlock (&self->lock);
}

static gboolean
may_log (PyroDelivery *self)
{
  return !g_atomic_int_get (&self->left_behind);
}

/* -------------------------------------------------------- capture files -- */

static void
report_capture_error (PyroDelivery *self, const GError *error)
{
  const gchar *remedy;

  if (error->code == self->capture_errno || !may_log (self))
    return;
  switch (error->code) {
  case ENOSPC:
  case EDQUOT:
    remedy = "free some space or set output-dir to another place";
    break;
  case EFBIG:
    remedy = "raise the limit on file sizes (ulimit -f)";
    break;
  case EMFILE:
  case ENFILE:
    remedy = "raise the limit on open files (ulimit -n)";
    break;
  default:
    remedy = "set output-dir to a directory that this user may write to";
    break;
  }
  pyro_log_user (GST_LEVEL_WARNING,
                 "output-dir=%s: %s; captures are lost until it works again; "
                 "%s",
                 self->output_dir, error->message, remedy);
}

static void
write_capture (PyroDelivery *self, const PyroDeliveryJob *job, GBytes *pprof)
{
  g_autoptr (GBytes) compressed = pyro_gzip (pprof);
  g_autoptr (GError) error = NULL;
  g_autofree gchar *path = pyro_capture_file_write (
      self->output_dir, self->service, job->time_ns, compressed, &error);

  if (path == NULL) {
    count (self, &self->stats.write_failed);
    report_capture_error (self, error);
    self->capture_errno = error->code;
    return;
  }

  count (self, &self->stats.captured);
  if (may_log (self)) {
    GST_CAT_DEBUG (pyro_debug, "wrote %s", path);
    if (self->capture_errno != 0)
      pyro_log_user (GST_LEVEL_INFO, "captures are written to %s again",
                     self->output_dir);
  }
  self->capture_errno = 0;
}

/* Says before the first interval is over that it cannot work. */
static void
check_output_dir (PyroDelivery *self)
{
  g_autoptr (GError) error = NULL;

  if (self->output_dir != NULL
      && !pyro_capture_dir_prepare (self->output_dir, &error)) {
    report_capture_error (self, error);
    self->capture_errno = error->code;
  }
}

/* ----------------------------------------------------------------- push -- */

/* One request body for each part of the profile. NULL: it is none. */
static GPtrArray *
make_bodies (PyroDelivery *self, const PyroDeliveryJob *job, GBytes *pprof,
             GError **error)
{
  g_autoptr (GPtrArray) parts = pyro_profile_split (
      pprof, PYRO_SPLIT_MAX_BYTES, PYRO_SPLIT_MAX_SAMPLES, error);
  g_autoptr (GPtrArray) bodies = NULL;

  if (parts == NULL)
    return NULL;
  bodies = g_ptr_array_new_with_free_func ((GDestroyNotify)g_bytes_unref);
  pyro_series_set (self->series, "__name__", job->profile_name);
  for (guint i = 0; i < parts->len; i++) {
    g_autofree gchar *id = g_uuid_string_random ();
    g_autoptr (GBytes) message
        = pyro_push_request_encode ((const PyroLabel *)self->series->data,
                                    self->series->len, parts->pdata[i], id);

    g_ptr_array_add (bodies, pyro_gzip (message));
  }
  return g_steal_pointer (&bodies);
}

static void
queue_push (PyroDelivery *self, const PyroDeliveryJob *job, GBytes *pprof)
{
  g_autoptr (GError) error = NULL;
  GPtrArray *bodies = make_bodies (self, job, pprof, &error);

  if (bodies == NULL) {
    count (self, &self->stats.failed);
    if (may_log (self))
      pyro_log_user (GST_LEVEL_WARNING, "a %s profile cannot be pushed: %s",
                     job->profile_name, error->message);
    return;
  }
  g_queue_push_tail (&self->outgoing, bodies);
  if (g_queue_get_length (&self->outgoing) > MAX_QUEUED) {
    g_ptr_array_unref (g_queue_pop_head (&self->outgoing));
    count (self, &self->stats.failed);
    pyro_push_report_skipped (&self->report, 1);
  }
}

/* Encodes what has been submitted and writes it to disk. Called while the
 * network is waited for, too: a server that hangs must cost no capture. */
static void
take_jobs_in (PyroDelivery *self)
{
  PyroDeliveryJob *job;

  while ((job = pop_job (self)) != NULL) {
    if (self->output_dir != NULL || self->target != NULL) {
      g_autoptr (GBytes) pprof = job->encode (job->data);

      if (pprof != NULL && self->output_dir != NULL)
        write_capture (self, job, pprof);
      if (pprof != NULL && self->target != NULL)
        queue_push (self, job, pprof);
    }
    job_free (job);
  }
}

/* A PyroPushTick. Once a stop has begun, each profile that waits gets an equal
 * share of its time. */
static gint64
keep_up (gpointer user_data)
{
  Attempt *attempt = user_data;
  PyroDelivery *self = attempt->delivery;

  take_jobs_in (self);
  if (attempt->limit == G_MAXINT64) {
    gint64 now = g_get_monotonic_time ();

    g_mutex_lock (&self->lock);
    if (self->stopping)
      attempt->limit
          = now
            + (self->stop_time - now)
                  / ((gint64)g_queue_get_length (&self->outgoing) + 1);
    g_mutex_unlock (&self->lock);
  }
  return attempt->limit;
}

/* Waits until one more try makes sense. FALSE: none does. */
static gboolean
wait_for_retry (Attempt *attempt, const PyroPushOutcome *outcome)
{
  PyroDelivery *self = attempt->delivery;
  gint64 until = g_get_monotonic_time ();

  if (!outcome->may_retry || outcome->retry_after > MAX_RETRY_WAIT)
    return FALSE;
  /* In an outage the next interval is the retry, unless the server asked for
   * one; and others wait for their first try. */
  if (self->report.state != PYRO_PUSH_TAKEN && outcome->retry_after == 0)
    return FALSE;
  if (!g_queue_is_empty (&self->outgoing))
    return FALSE;

  if (outcome->retry_after > 0)
    until += outcome->retry_after * G_USEC_PER_SEC;
  else /* jitter: not all clients of a restarted server at once */
    until += g_random_int_range (300, 700) * G_TIME_SPAN_MILLISECOND;

  while (TRUE) {
    gint64 limit = keep_up (attempt);
    gint64 now = g_get_monotonic_time ();

    /* A stop does not wait for a server that is not there. */
    if (limit != G_MAXINT64
        && (outcome->status != PYRO_PUSH_BUSY || until >= limit))
      return FALSE;
    if (now >= until)
      return TRUE;
    g_mutex_lock (&self->lock);
    g_cond_wait_until (&self->wake, &self->lock, MIN (until, now + WAIT_STEP));
    g_mutex_unlock (&self->lock);
  }
}

static void
send_body (Attempt *attempt, GBytes *body, PyroPushOutcome *outcome)
{
  PyroDelivery *self = attempt->delivery;

  for (guint try = 1;; try++) {
    pyro_push_send (self->target, body, self->push_timeout_ms, keep_up, attempt,
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

static void
hold_pushes (PyroDelivery *self, const PyroPushOutcome *outcome)
{
  gint64 seconds = 0;

  switch (outcome->status) {
  case PYRO_PUSH_AUTH:
  case PYRO_PUSH_WRONG_URL:
  case PYRO_PUSH_UNTRUSTED:
    seconds = FUTILE_HOLD;
    break;
  case PYRO_PUSH_BUSY:
    seconds = MIN (outcome->retry_after, MAX_HOLD);
    break;
  default:
    break;
  }
  self->hold_until = g_get_monotonic_time () + seconds * G_USEC_PER_SEC;
}

static void
push_oldest (PyroDelivery *self)
{
  g_autoptr (GPtrArray) bodies = g_queue_pop_head (&self->outgoing);
  Attempt attempt = { self, G_MAXINT64 };
  PyroPushOutcome worst = { PYRO_PUSH_TAKEN };

  if (bodies == NULL)
    return;
  if (g_get_monotonic_time () < self->hold_until) {
    count (self, &self->stats.failed);
    pyro_push_report_skipped (&self->report, 1);
    return;
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
  count (self, worst.status == PYRO_PUSH_TAKEN ? &self->stats.pushed
                                               : &self->stats.failed);
  hold_pushes (self, &worst);
  if (may_log (self))
    pyro_push_report_outcome (&self->report, &worst);
  pyro_push_outcome_clear (&worst);
}

/* --------------------------------------------------------------- thread -- */

/* FALSE: there is nothing to do and there will not be. */
static gboolean
wait_for_work (PyroDelivery *self)
{
  gboolean work;

  g_mutex_lock (&self->lock);
  while (g_queue_is_empty (&self->jobs) && g_queue_is_empty (&self->outgoing)
         && !self->stopping)
    g_cond_wait (&self->wake, &self->lock);
  work = !g_queue_is_empty (&self->jobs) || !g_queue_is_empty (&self->outgoing);
  g_mutex_unlock (&self->lock);
  return work;
}

static void *
run (void *data)
{
  PyroDelivery *self = data;

  pthread_setname_np (pthread_self (), "pyro-delivery");
  check_output_dir (self);
  while (wait_for_work (self)) {
    take_jobs_in (self);
    push_oldest (self);
  }
  return NULL;
}

/* The application's signals are not for this thread, nor what its own writes
 * raise (SIGPIPE, SIGXFSZ). Only faults stay as they are: blocked, they would
 * get past the application's crash reporter, or past the SIGSYS handler of its
 * sandbox. */
static void
block_signals (sigset_t *old)
{
  static const int faults[]
      = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS };
  sigset_t blocked;

  sigfillset (&blocked);
  pthread_sigmask (SIG_SETMASK, NULL, old);
  for (guint i = 0; i < G_N_ELEMENTS (faults); i++) {
    if (!sigismember (old, faults[i]))
      sigdelset (&blocked, faults[i]);
  }
  pthread_sigmask (SIG_SETMASK, &blocked, NULL);
}

/* With the lock. Not a GThread: that one ends the process when it cannot be
 * made, or has no stack size. */
static void
start_thread (PyroDelivery *self)
{
  pthread_attr_t attributes;
  sigset_t old;
  int code;

  code = pthread_attr_init (&attributes);
  if (code == 0) {
    pthread_attr_setstacksize (&attributes, STACK_BYTES);
    block_signals (&old);
    code = pthread_create (&self->thread, &attributes, run, self);
    pthread_sigmask (SIG_SETMASK, &old, NULL);
    pthread_attr_destroy (&attributes);
  }
  self->has_thread = code == 0;
  if (code != 0 && !self->told_no_thread) {
    self->told_no_thread = TRUE;
    pyro_log_user (GST_LEVEL_WARNING,
                   "the delivery thread cannot be made: %s; profiles are "
                   "lost until it can; raise the limits on processes and "
                   "memory (ulimit -u, ulimit -v)",
                   g_strerror (code));
  }
}

/* -------------------------------------------------------------- outside -- */

static PyroPushTarget *
read_target (const PyroSettings *settings)
{
  g_autoptr (GError) error = NULL;
  PyroPushTarget *target;

  if (settings->server_url == NULL || settings->server_url[0] == '\0')
    return NULL;
  target = pyro_push_target_new (settings, &error);
  if (target == NULL)
    pyro_log_user (GST_LEVEL_WARNING,
                   "%s; no profile is pushed; set it to an address such as "
                   "http://localhost:4040",
                   error->message);
  return target;
}

PyroDelivery *
pyro_delivery_new (const PyroSettings *settings)
{
  PyroDelivery *self = g_new0 (PyroDelivery, 1);

  pyro_log_init ();
  self->service = g_strdup (settings->tracer_name ? settings->tracer_name : "");
  /* Made absolute now: applications change their working directory. */
  if (settings->output_dir != NULL && settings->output_dir[0] != '\0')
    self->output_dir = g_canonicalize_filename (settings->output_dir, NULL);
  self->target = read_target (settings);
  self->series = pyro_series_new (settings, "");
  self->push_timeout_ms
      = 1000
        * CLAMP (settings->upload_interval, MIN_PUSH_TIMEOUT, MAX_PUSH_TIMEOUT);
  self->report.target = self->target;
  self->report.keeps_captures = self->output_dir != NULL;
  g_mutex_init (&self->lock);
  g_cond_init (&self->wake);
  g_queue_init (&self->jobs);
  g_queue_init (&self->outgoing);

  if (self->target == NULL && self->output_dir == NULL)
    pyro_log_user (GST_LEVEL_WARNING,
                   "profiles go nowhere; set server-url, or output-dir to "
                   "keep captures");

  g_mutex_lock (&self->lock);
  start_thread (self);
  g_mutex_unlock (&self->lock);
  return self;
}

static void
delivery_free (PyroDelivery *self)
{
  g_free (self->service);
  g_free (self->output_dir);
  pyro_push_target_free (self->target);
  g_array_unref (self->series);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->wake);
  g_free (self);
}

void
pyro_delivery_submit (PyroDelivery *self, const PyroDeliveryJob *job)
{
  PyroDeliveryJob *discarded = NULL;

  if (g_atomic_int_get (&self->forgotten)) {
    job->destroy (job->data);
    return;
  }

  g_mutex_lock (&self->lock);
  g_queue_push_tail (&self->jobs, g_memdup2 (job, sizeof *job));
  if (!self->has_thread)
    start_thread (self);
  if (!self->has_thread || g_queue_get_length (&self->jobs) > MAX_QUEUED) {
    discarded = g_queue_pop_head (&self->jobs);
    self->stats.discarded++;
  }
  g_cond_signal (&self->wake);
  g_mutex_unlock (&self->lock);

  if (discarded != NULL)
    job_free (discarded);
}

void
pyro_delivery_get_stats (PyroDelivery *self, PyroDeliveryStats *stats)
{
  memset (stats, 0, sizeof *stats);
  if (g_atomic_int_get (&self->forgotten))
    return;
  g_mutex_lock (&self->lock);
  *stats = self->stats;
  g_mutex_unlock (&self->lock);
}

/* TRUE: the thread has ended. */
static gboolean
join_until (pthread_t thread, gint64 deadline)
{
  struct timespec time = { MAX (deadline, 0) / G_USEC_PER_SEC,
                           MAX (deadline, 0) % G_USEC_PER_SEC * 1000 };

  return pthread_clockjoin_np (thread, NULL, CLOCK_MONOTONIC, &time) == 0;
}

gboolean
pyro_delivery_stop (PyroDelivery *self, gint64 deadline,
                    PyroDeliveryStats *stats)
{
  gint64 left = deadline - g_get_monotonic_time ();

  if (stats != NULL)
    pyro_delivery_get_stats (self, stats);
  if (g_atomic_int_get (&self->forgotten))
    return TRUE;

  g_mutex_lock (&self->lock);
  self->stopping = TRUE;
  /* A bit earlier, for the thread to end within the deadline. */
  self->stop_time
      = deadline - CLAMP (left / 5, 0, 250 * G_TIME_SPAN_MILLISECOND);
  g_cond_signal (&self->wake);
  g_mutex_unlock (&self->lock);

  if (self->has_thread && !join_until (self->thread, deadline)) {
    g_atomic_int_set (&self->left_behind, TRUE);
    pthread_detach (self->thread);
    if (stats != NULL) {
      g_mutex_lock (&self->lock);
      *stats = self->stats;
      stats->discarded += g_queue_get_length (&self->jobs);
      g_mutex_unlock (&self->lock);
    }
    pyro_log_user (GST_LEVEL_WARNING,
                   "the delivery did not end within stop-timeout: what it "
                   "was at work on may be lost");
    return FALSE;
  }

  if (stats != NULL)
    *stats = self->stats;
  delivery_free (self);
  return TRUE;
}

void
pyro_delivery_forget (PyroDelivery *self)
{
  g_atomic_int_set (&self->forgotten, TRUE);
}
