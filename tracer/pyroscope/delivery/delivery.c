/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "delivery.h"
#include "files.h"
#include "kernel-clock.h"
#include "log.h"
#include "network.h"
#include "own-thread.h"
#include "profile/gzip.h"
#include "requests.h"
#include "sender.h"
#include "series.h"
#include "store.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

/* Of intervals that wait for the encoder: it may read symbols for a while. */
#define MAX_QUEUED_BYTES ((gsize)64 * 1024 * 1024)
#define MAX_QUEUED 64

/* Symbols are read on this stack. Demangling recurses as deep as a C++ name is
 * nested and elfutils follows whatever files it finds. Only what is touched
 * becomes memory, so a MiB costs address space alone; the default of 8 MiB is
 * too much of that under RLIMIT_AS. */
#define ENCODER_STACK_BYTES (1024 * 1024)
/* A push over TLS fits into 32 KiB (measured). */
#define CONSUMER_STACK_BYTES (256 * 1024)

/* What threads with nothing to do need for their end, whatever the deadline. */
#define JOIN_GRACE (50 * G_TIME_SPAN_MILLISECOND)

/* One step of a push: a wait of 0.1 s for the network, or the arithmetic of a
 * TLS handshake. */
#define CLOSE_GRACE (500 * G_TIME_SPAN_MILLISECOND)

typedef struct {
  gboolean is_there;
  pthread_t thread;
} Worker;

struct _PyroDelivery {
  /* Read-only after pyro_delivery_new(). */
  PyroSpool *spool; /* or NULL */
  PyroStore *store;
  PyroFiles *files;   /* or NULL */
  PyroSender *sender; /* or NULL */
  gboolean captures;

  /* Atomic. */
  gint forgotten;   /* in a forked child */
  gint left_behind; /* stop did not wait: GStreamer may be gone, say nothing */

  GMutex lock;
  GCond wake;
  /* With the lock. */
  GQueue jobs; /* PyroDeliveryJob, oldest first */
  gsize job_bytes;
  gboolean stopping;
  gint64 stop_time; /* valid when stopping */
  gboolean told_no_thread;
  Worker encoder_thread, files_thread, sender_thread;
  guint64 discarded; /* before they were encoded */
  guint64 samples_lost;
  guint64 no_profile;

  /* The encoder's own. */
  GArray *series;
  PyroDeliveryStats reported; /* when the last profile was encoded */
  GRand *random;              /* GLib's is the same in all children of fork() */
};

/* ------------------------------------------------------------ the queue -- */

static void
job_free (PyroDeliveryJob *job)
{
  job->destroy (job->data);
  g_free (job);
}

/* With the lock. */
static PyroDeliveryJob *
pop_locked (PyroDelivery *self)
{
  PyroDeliveryJob *job = g_queue_pop_head (&self->jobs);

  if (job != NULL)
    self->job_bytes -= job->size;
  return job;
}

/* With the lock. */
static void
count_lost_locked (PyroDelivery *self, const PyroDeliveryJob *job)
{
  self->discarded++;
  self->samples_lost += job->n_samples;
}

static PyroDeliveryJob *
pop_job (PyroDelivery *self)
{
  PyroDeliveryJob *job;

  g_mutex_lock (&self->lock);
  job = pop_locked (self);
  while (job != NULL && self->stopping
         && pyro_clock_monotonic () >= self->stop_time) {
    count_lost_locked (self, job);
    g_mutex_unlock (&self->lock);
    job_free (job);
    g_mutex_lock (&self->lock);
    job = pop_locked (self);
  }
  g_mutex_unlock (&self->lock);
  return job;
}

static gboolean
may_log (PyroDelivery *self)
{
  return !g_atomic_int_get (&self->left_behind);
}

/* ----------------------------------------------------------- the encoder -- */

static void
store_requests (PyroDelivery *self, const PyroDeliveryJob *job, GBytes *pprof,
                GBytes *compressed)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) requests = NULL;

  pyro_series_set (self->series, "__name__", job->profile_name);
  requests = pyro_requests_new (self->series, pprof, compressed, self->random,
                                &error);
  if (requests != NULL) {
    pyro_store_put_requests (self->store, job->time_ns, requests);
    return;
  }
  g_mutex_lock (&self->lock);
  self->no_profile++;
  g_mutex_unlock (&self->lock);
  if (may_log (self))
    pyro_log_user (GST_LEVEL_WARNING, "a %s profile cannot be pushed: %s",
                   job->profile_name, error->message);
}

static void
encode (PyroDelivery *self, PyroDeliveryJob *job)
{
  g_autoptr (GBytes) pprof = NULL;
  g_autoptr (GBytes) compressed = NULL;
  PyroDeliveryStats now;

  if (!self->captures && self->sender == NULL)
    return;
  pyro_delivery_get_stats (self, &now);
  pprof = job->encode (job->data, &self->reported, &now);
  if (pprof == NULL)
    return;
  self->reported = now;
  compressed = pyro_gzip (pprof);
  if (self->captures)
    pyro_store_put_capture (self->store, job->time_ns, compressed);
  if (self->sender != NULL)
    store_requests (self, job, pprof, compressed);
}

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
run_encoder (void *data)
{
  PyroDelivery *self = data;

  pthread_setname_np (pthread_self (), "pyro-delivery");
  while (wait_for_job (self)) {
    PyroDeliveryJob *job = pop_job (self);

    if (job == NULL)
      continue;
    encode (self, job);
    job_free (job);
  }
  pyro_store_close (self->store);
  return NULL;
}

/* ------------------------------------------------------------- threads -- */

/* With the lock. */
static void
start_worker (PyroDelivery *self, Worker *worker, const gchar *name,
              gsize stack_bytes, void *(*run) (void *), void *data)
{
  gint code;

  if (worker->is_there)
    return;
  code = pyro_own_thread_create (&worker->thread, stack_bytes,
                                 PYRO_OWN_THREAD_IN_BEHIND, run, data);
  worker->is_there = code == 0;
  if (code == 0 || self->told_no_thread)
    return;
  self->told_no_thread = TRUE;
  pyro_log_user (GST_LEVEL_WARNING,
                 "the %s thread cannot be made: %s; profiles are lost until it "
                 "can; raise the limits on processes and memory (ulimit -u, "
                 "ulimit -v)",
                 name, g_strerror (code));
}

/* With the lock. What could not be made is tried again. */
static void
start_workers (PyroDelivery *self)
{
  start_worker (self, &self->encoder_thread, "delivery", ENCODER_STACK_BYTES,
                run_encoder, self);
  if (self->files != NULL)
    start_worker (self, &self->files_thread, "files", CONSUMER_STACK_BYTES,
                  pyro_files_run, self->files);
  if (self->sender != NULL)
    start_worker (self, &self->sender_thread, "sender", CONSUMER_STACK_BYTES,
                  pyro_sender_run, self->sender);
}

/* TRUE: the thread has ended, or there was none. */
static gboolean
join_until (Worker *worker, gint64 deadline)
{
  struct timespec time = { MAX (deadline, 0) / G_USEC_PER_SEC,
                           MAX (deadline, 0) % G_USEC_PER_SEC * 1000 };

  if (!worker->is_there)
    return TRUE;
  if (pthread_clockjoin_np (worker->thread, NULL, CLOCK_MONOTONIC, &time) == 0)
    return TRUE;
  pthread_detach (worker->thread);
  return FALSE;
}

/* -------------------------------------------------------------- outside -- */

static PyroPushTarget *
make_target (const PyroSettings *settings)
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
  PyroPushTarget *target;

  pyro_log_init ();
  g_mutex_init (&self->lock);
  g_cond_init (&self->wake);
  g_queue_init (&self->jobs);
  self->series = pyro_series_new (settings, "");
  self->random = g_rand_new ();
  self->captures
      = settings->output_dir != NULL && settings->output_dir[0] != '\0';

  target = make_target (settings);
  if (target != NULL && settings->spool_dir != NULL
      && settings->spool_dir[0] != '\0')
    self->spool = pyro_spool_new (settings->spool_dir, settings->tracer_name,
                                  target->url);
  self->store = pyro_store_new (settings->queue_max_bytes, self->spool,
                                settings->spool_max_bytes);
  self->files
      = pyro_files_new (settings, self->store, self->spool, &self->left_behind);
  if (target != NULL)
    self->sender = pyro_sender_new (settings, target, self->store,
                                    self->spool != NULL, &self->left_behind);
  else if (!self->captures)
    pyro_log_user (GST_LEVEL_WARNING,
                   "profiles go nowhere; set server-url, or output-dir to "
                   "keep captures");
  return self;
}

void
pyro_delivery_start (PyroDelivery *self)
{
  g_mutex_lock (&self->lock);
  start_workers (self);
  g_mutex_unlock (&self->lock);
}

static void
delivery_free (PyroDelivery *self)
{
  PyroDeliveryJob *job;

  while ((job = g_queue_pop_head (&self->jobs)) != NULL)
    job_free (job);
  pyro_sender_free (self->sender);
  pyro_files_free (self->files);
  pyro_store_free (self->store);
  pyro_spool_free (self->spool);
  g_array_unref (self->series);
  g_rand_free (self->random);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->wake);
  g_free (self);
}

/* Whether what waits for the encoder is too much. With the lock. */
static gboolean
is_overfull (PyroDelivery *self)
{
  guint n = g_queue_get_length (&self->jobs);

  return n > MAX_QUEUED || (n > 1 && self->job_bytes > MAX_QUEUED_BYTES);
}

void
pyro_delivery_submit (PyroDelivery *self, const PyroDeliveryJob *job)
{
  g_autoptr (GPtrArray) discarded
      = g_ptr_array_new_with_free_func ((GDestroyNotify)job_free);

  if (g_atomic_int_get (&self->forgotten)) {
    job->destroy (job->data);
    return;
  }

  g_mutex_lock (&self->lock);
  g_queue_push_tail (&self->jobs, g_memdup2 (job, sizeof *job));
  self->job_bytes += job->size;
  start_workers (self);
  while (
      is_overfull (self)
      || (!self->encoder_thread.is_there && !g_queue_is_empty (&self->jobs))) {
    PyroDeliveryJob *oldest = pop_locked (self);

    count_lost_locked (self, oldest);
    g_ptr_array_add (discarded, oldest);
  }
  g_cond_signal (&self->wake);
  g_mutex_unlock (&self->lock);
}

/* With the lock. */
static void
get_stats_locked (PyroDelivery *self, PyroDeliveryStats *stats)
{
  PyroStoreStats store;
  const guint64 *files = store.profiles[PYRO_STORE_FILES];
  const guint64 *http = store.profiles[PYRO_STORE_HTTP];

  pyro_store_get_stats (self->store, &store);
  *stats = (PyroDeliveryStats){
    .captured = files[PYRO_FATE_DELIVERED],
    .write_failed = files[PYRO_FATE_REFUSED] + files[PYRO_FATE_DROPPED]
                    + files[PYRO_FATE_LOST],
    .pushed = http[PYRO_FATE_DELIVERED],
    .failed = http[PYRO_FATE_REFUSED] + self->no_profile,
    .dropped = http[PYRO_FATE_DROPPED],
    .discarded = http[PYRO_FATE_LOST] + self->discarded,
    .samples_lost = self->samples_lost,
    .spooled = http[PYRO_FATE_KEPT],
    .elsewhere = http[PYRO_FATE_ELSEWHERE],
    .sent_again = store.sent_again,
    .split = store.split,
    .found = store.found,
  };
}

void
pyro_delivery_get_stats (PyroDelivery *self, PyroDeliveryStats *stats)
{
  memset (stats, 0, sizeof *stats);
  if (g_atomic_int_get (&self->forgotten))
    return;
  g_mutex_lock (&self->lock);
  get_stats_locked (self, stats);
  g_mutex_unlock (&self->lock);
}

static void
begin_stop (PyroDelivery *self, gint64 deadline, gint64 now)
{
  /* A bit earlier, for the threads to end within the deadline. */
  gint64 stop_time
      = deadline
        - CLAMP ((deadline - now) / 5, 0, 250 * G_TIME_SPAN_MILLISECOND);

  g_mutex_lock (&self->lock);
  self->stopping = TRUE;
  self->stop_time = stop_time;
  g_cond_signal (&self->wake);
  if (!self->encoder_thread.is_there)
    pyro_store_close (self->store);
  g_mutex_unlock (&self->lock);
  pyro_store_stop (self->store, stop_time);
}

gboolean
pyro_delivery_stop (PyroDelivery *self, gint64 deadline,
                    PyroDeliveryStats *stats)
{
  gint64 now = pyro_clock_monotonic ();
  gint64 limit = MAX (deadline, now + JOIN_GRACE);
  PyroDeliveryStats before, after;
  gboolean has_ended;

  if (stats != NULL)
    memset (stats, 0, sizeof *stats);
  if (g_atomic_int_get (&self->forgotten))
    return TRUE;

  pyro_delivery_get_stats (self, &before);
  begin_stop (self, deadline, now);
  has_ended = join_until (&self->encoder_thread, limit);
  has_ended = join_until (&self->files_thread, limit) && has_ended;
  has_ended = join_until (&self->sender_thread, limit) && has_ended;
  if (!has_ended) {
    g_atomic_int_set (&self->left_behind, TRUE);
    if (stats != NULL) {
      g_mutex_lock (&self->lock);
      get_stats_locked (self, stats);
      for (GList *l = self->jobs.head; l != NULL; l = l->next) {
        stats->discarded++;
        stats->samples_lost += ((PyroDeliveryJob *)l->data)->n_samples;
      }
      g_mutex_unlock (&self->lock);
    }
    pyro_log_user (GST_LEVEL_WARNING,
                   "the delivery did not end within stop-timeout: what it "
                   "was at work on may be lost; raise stop-timeout");
    return FALSE;
  }

  pyro_store_settle (self->store);
  pyro_delivery_get_stats (self, &after);
  /* Whoever was told of a push that failed knows why. */
  if (after.discarded > before.discarded
      && !pyro_sender_has_warned (self->sender))
    pyro_log_user (GST_LEVEL_WARNING,
                   "stop-timeout was over: %" G_GUINT64_FORMAT
                   " profile(s) are lost; raise it to deliver what is left",
                   after.discarded - before.discarded);
  if (stats != NULL)
    *stats = after;
  delivery_free (self);
  return TRUE;
}

void
pyro_delivery_forget (PyroDelivery *self)
{
  g_atomic_int_set (&self->forgotten, TRUE);
  if (self->sender != NULL)
    pyro_sender_fork_child (self->sender);
  pyro_store_fork_child (self->store);
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
