/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "delivery.h"
#include "capture-file.h"
#include "kernel-clock.h"
#include "log.h"
#include "network.h"
#include "own-thread.h"
#include "profile/gzip.h"
#include "pusher.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

/* Profiles: several intervals of every profile type. */
#define MAX_QUEUED 16

/* Symbols are read and TLS is spoken on this stack. A push over TLS fits into
 * 32 KiB (measured), but demangling recurses as deep as a C++ name is nested
 * and elfutils follows whatever files it finds. Only what is touched becomes
 * memory, so a MiB costs address space alone; the default of 8 MiB is too much
 * of that under RLIMIT_AS. */
#define STACK_BYTES (1024 * 1024)

/* What a thread with nothing to do needs for its end, whatever the deadline. */
#define JOIN_GRACE (50 * G_TIME_SPAN_MILLISECOND)

/* One step of a push: a wait of 0.1 s for the network, or the arithmetic of a
 * TLS handshake. */
#define CLOSE_GRACE (500 * G_TIME_SPAN_MILLISECOND)

struct _PyroDelivery {
  /* Read-only after pyro_delivery_new(). */
  gchar *service;
  gchar *output_dir;  /* absolute, or NULL */
  PyroPusher *pusher; /* or NULL; the delivery thread's own */

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
  gint capture_errno; /* of the last capture; 0: it was written */
};

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
         && pyro_clock_monotonic () >= self->stop_time) {
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
count (PyroDelivery *self, guint64 *counter, guint n)
{
  g_mutex_lock (&self->lock);
  *counter += n;
  g_mutex_unlock (&self->lock);
}

static gboolean
may_log (gpointer owner)
{
  PyroDelivery *self = owner;

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
    count (self, &self->stats.write_failed, 1);
    report_capture_error (self, error);
    self->capture_errno = error->code;
    return;
  }

  count (self, &self->stats.captured, 1);
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

/* -------------------------------------------------------------- the work -- */

/* Encodes what has been submitted and writes it to disk. Called while the
 * network is waited for, too: a server that hangs must cost no capture. */
static void
take_jobs_in (PyroDelivery *self)
{
  PyroDeliveryJob *job;

  while ((job = pop_job (self)) != NULL) {
    if (self->output_dir != NULL || self->pusher != NULL) {
      g_autoptr (GBytes) pprof = job->encode (job->data);

      if (pprof != NULL && self->output_dir != NULL)
        write_capture (self, job, pprof);
      if (pprof != NULL && self->pusher != NULL)
        count (self, &self->stats.failed,
               pyro_pusher_add (self->pusher, job->profile_name, pprof));
    }
    job_free (job);
  }
}

static gint64
keep_up (gpointer owner)
{
  PyroDelivery *self = owner;
  gint64 stop_time;

  take_jobs_in (self);
  g_mutex_lock (&self->lock);
  stop_time = self->stopping ? self->stop_time : G_MAXINT64;
  g_mutex_unlock (&self->lock);
  return stop_time;
}

static void
wait_until (gpointer owner, gint64 time)
{
  PyroDelivery *self = owner;

  g_mutex_lock (&self->lock);
  if (g_queue_is_empty (&self->jobs))
    g_cond_wait_until (&self->wake, &self->lock,
                       g_get_monotonic_time () + time
                           - pyro_clock_monotonic ());
  g_mutex_unlock (&self->lock);
}

/* --------------------------------------------------------------- thread -- */

/* FALSE: there is nothing to do and there will not be. */
static gboolean
wait_for_job (PyroDelivery *self)
{
  gboolean have_job;

  g_mutex_lock (&self->lock);
  while (g_queue_is_empty (&self->jobs) && !self->stopping)
    g_cond_wait (&self->wake, &self->lock);
  have_job = !g_queue_is_empty (&self->jobs);
  g_mutex_unlock (&self->lock);
  return have_job;
}

static void *
run (void *data)
{
  PyroDelivery *self = data;

  pthread_setname_np (pthread_self (), "pyro-delivery");
  check_output_dir (self);
  if (self->pusher != NULL)
    pyro_network_start ();
  while (wait_for_job (self)) {
    take_jobs_in (self);
    while (self->pusher != NULL && !pyro_pusher_is_empty (self->pusher)) {
      gboolean taken = pyro_pusher_push_oldest (self->pusher);

      count (self, taken ? &self->stats.pushed : &self->stats.failed, 1);
      take_jobs_in (self);
    }
  }
  return NULL;
}

/* With the lock. */
static void
start_thread (PyroDelivery *self)
{
  gint code = pyro_own_thread_create (&self->thread, STACK_BYTES,
                                      PYRO_OWN_THREAD_IN_BEHIND, run, self);

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

PyroDelivery *
pyro_delivery_new (const PyroSettings *settings)
{
  PyroDelivery *self = g_new0 (PyroDelivery, 1);
  const PyroPusherHooks hooks = { self, keep_up, wait_until, may_log };

  pyro_log_init ();
  self->service = g_strdup (settings->tracer_name ? settings->tracer_name : "");
  /* Made absolute now: applications change their working directory. */
  if (settings->output_dir != NULL && settings->output_dir[0] != '\0')
    self->output_dir = g_canonicalize_filename (settings->output_dir, NULL);
  self->pusher = pyro_pusher_new (settings, &hooks);
  g_mutex_init (&self->lock);
  g_cond_init (&self->wake);
  g_queue_init (&self->jobs);

  if (self->pusher == NULL && self->output_dir == NULL)
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
  pyro_pusher_free (self->pusher);
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
  gint64 now = pyro_clock_monotonic ();
  guint64 n_discarded;

  if (stats != NULL)
    pyro_delivery_get_stats (self, stats);
  if (g_atomic_int_get (&self->forgotten))
    return TRUE;

  g_mutex_lock (&self->lock);
  self->stopping = TRUE;
  n_discarded = self->stats.discarded;
  /* A bit earlier, for the thread to end within the deadline. */
  self->stop_time
      = deadline
        - CLAMP ((deadline - now) / 5, 0, 250 * G_TIME_SPAN_MILLISECOND);
  g_cond_signal (&self->wake);
  g_mutex_unlock (&self->lock);

  if (self->has_thread
      && !join_until (self->thread, MAX (deadline, now + JOIN_GRACE))) {
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
                   "was at work on may be lost; raise stop-timeout");
    return FALSE;
  }

  n_discarded = self->stats.discarded - n_discarded;
  /* Whoever was told of a push that failed knows why. */
  if (n_discarded > 0 && self->stats.failed == 0)
    pyro_log_user (GST_LEVEL_WARNING,
                   "stop-timeout was over: %" G_GUINT64_FORMAT
                   " profile(s) are lost; raise it to deliver what is left",
                   n_discarded);
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

gboolean
pyro_delivery_close (void)
{
  return pyro_network_close (pyro_clock_monotonic () + CLOSE_GRACE);
}

void
pyro_delivery_fork_child (void)
{
  pyro_network_forget ();
}
