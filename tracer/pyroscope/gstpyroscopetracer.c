/* SPDX-License-Identifier: LGPL-2.1-or-later */

/**
 * SECTION:tracer-pyroscope
 * @short_description: continuous CPU profiling by element
 *
 * Samples every thread of the process, finds which element of which pipeline
 * was executing, and sends pprof profiles to Grafana Pyroscope or to files.
 *
 * ```
 * GST_TRACERS='pyroscope(server-url=,output-dir=captures)' \
 *   gst-launch-1.0 videotestsrc num-buffers=500 ! x264enc ! fakesink
 * gst-pyroscope-inspect top --by element captures
 * ```
 *
 * Parameters are the properties of this object. Sampling starts when the first
 * element leaves the NULL state or the first data flows. It is stopped by
 * gst_deinit() (unless stop-agent-on-dispose is false), at the end of the
 * process, and by the action signal "stop".
 */

#define GST_USE_UNSTABLE_API
#include "gstpyroscopetracer.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "accounting.h"
#include "at-exit.h"
#include "attribution/hooks.h"
#include "delivery/delivery.h"
#include "end-signals.h"
#include "headroom.h"
#include "kernel-clock.h"
#include "log.h"
#include "session.h"
#include "settings.h"
#include "signal-imports.h"

#define GST_CAT_DEFAULT pyro_debug

enum {
  PROP_0,
  PROP_PARAMS,
  PROP_STATS,
  PROP_SETTINGS, /* the first of the table's */
};

enum { SIGNAL_START, SIGNAL_STOP, SIGNAL_FLUSH, N_SIGNALS };

static guint signals[N_SIGNALS];

struct _GstPyroscopeTracer {
  GstTracer parent;

  gchar *params; /* until they are read: a secret may be in them */

  /* Under profiler.lock. */
  PyroSettings *settings;
  GPtrArray *messages; /* of PyroSettingsMessage, told at the start */
};

G_DEFINE_TYPE (GstPyroscopeTracer, gst_pyroscope_tracer, GST_TYPE_TRACER)

/* A process has one profiler: signals, timers and hooks are the process's. It
 * belongs to the first tracer. */
static struct {
  GMutex lock;
  GstPyroscopeTracer *owner; /* not a reference: dispose clears it */
  PyroSession *session;
  pid_t pid;          /* of the session's process */
  guint stop_timeout; /* of the last session, seconds */
  gboolean exiting;   /* exit() has stopped it for good */
  gint n_stopping;    /* atomic: sessions that are being stopped */
} profiler;

/* Life cycle */

static void stop_at_exit (void);
static void stop_for_signal (void);
static void resume_after_signal (void);

static void
tell_messages (GstPyroscopeTracer *self)
{
  for (guint i = 0; i < self->messages->len; i++) {
    const PyroSettingsMessage *message = g_ptr_array_index (self->messages, i);

    pyro_log_user (GST_LEVEL_WARNING, "%s", message->text);
  }
  g_ptr_array_set_size (self->messages, 0);
}

static void
lock (void)
{
  g_mutex_lock (&profiler.lock);
  pyro_log_hold ();
}

/* A pipeline's thread does not wait: whoever has the lock does it. */
static gboolean
try_lock (void)
{
  if (!g_mutex_trylock (&profiler.lock))
    return FALSE;
  pyro_log_hold ();
  return TRUE;
}

static void
unlock (void)
{
  g_mutex_unlock (&profiler.lock);
  pyro_log_release ();
}

/* Called with the lock. */
static void
start_locked (GstPyroscopeTracer *self)
{
  g_autoptr (GError) error = NULL;
  g_autofree gchar *description = NULL;

  if (profiler.owner != self || profiler.session != NULL || profiler.exiting)
    return;
  pyro_hooks_watch_for_life (FALSE);
  tell_messages (self);
  pyro_at_exit (stop_at_exit);
  if (pyro_headroom_is_enough (&error))
    profiler.session = pyro_session_new (self->settings, &error);
  if (profiler.session == NULL) {
    pyro_hooks_stop ();
    pyro_log_user (GST_LEVEL_WARNING, "no profile is taken: %s",
                   error->message);
    return;
  }
  profiler.pid = getpid ();
  profiler.stop_timeout = (guint)self->settings->stop_timeout;
  /* Without the wrappers, which come with the owners of threads, the
   * application would read our handlers back instead of the default action. */
  if (self->settings->thread_owners)
    pyro_end_signals_watch (stop_for_signal, resume_after_signal,
                            profiler.stop_timeout);
  pyro_hooks_start (self->settings->thread_owners);
  description = pyro_settings_describe (self->settings);
  pyro_log_user (GST_LEVEL_INFO, "started: %s", description);
}

/* Takes the session out; whoever got it stops it without the lock. */
static PyroSession *
steal_session_locked (void)
{
  PyroSession *session = profiler.session;

  profiler.session = NULL;
  /* Perhaps there was a sign of life, but no session. */
  pyro_hooks_stop ();
  if (session == NULL)
    return NULL;
  if (profiler.pid != getpid ()) {
    /* A child that came to be without pthread_atfork() handlers. */
    pyro_end_signals_end ();
    return NULL;
  }
  g_atomic_int_inc (&profiler.n_stopping);
  return session;
}

/* Whether this thread is stopping a session: it cannot wait for that. */
static __thread gboolean is_stopping
    __attribute__ ((tls_model ("initial-exec")));

static gboolean lock_for_end (void);

/* A signal that comes while the last profile is being delivered waits for
 * that. */
static void
end_watch_for_signals (void)
{
  if (!lock_for_end ())
    return;
  if (profiler.session == NULL && g_atomic_int_get (&profiler.n_stopping) == 0)
    pyro_end_signals_end ();
  unlock ();
}

static void
finish (PyroSession *session)
{
  g_autofree gchar *description = NULL;
  PyroSessionStats stats;

  if (session == NULL)
    return;
  is_stopping = TRUE;
  pyro_session_stop (session, &stats);
  is_stopping = FALSE;
  g_atomic_int_add (&profiler.n_stopping, -1);
  end_watch_for_signals ();
  description = pyro_accounting_describe (&stats);
  GST_CAT_INFO (pyro_debug, "stopped: %s", description);
}

/* The process ends. An exit() in a signal handler may have interrupted whoever
 * has the lock: the last profile is then lost, not the process's end. */
static gboolean
lock_for_end (void)
{
  PyroWakeup nobody = { 0 };

  for (guint i = 0; !try_lock (); i++) {
    if (i == 100)
      return FALSE;
    pyro_wakeup_wait (&nobody, G_USEC_PER_SEC / 100);
  }
  return TRUE;
}

/* What another thread stops is delivered, too, before the process ends: for at
 * most stop-timeout, which that thread has. */
static void
wait_for_stops (guint stop_timeout)
{
  PyroWakeup nobody = { 0 };
  gint64 end
      = pyro_clock_monotonic () + (gint64)(stop_timeout + 1) * G_USEC_PER_SEC;

  while (!is_stopping && g_atomic_int_get (&profiler.n_stopping) > 0
         && pyro_clock_monotonic () < end)
    pyro_wakeup_wait (&nobody, G_USEC_PER_SEC / 100);
}

/* exit() without gst_deinit() is normal life. */
static void
stop_at_exit (void)
{
  PyroSession *session;
  guint stop_timeout;

  if (!lock_for_end ()) {
    pyro_delivery_close ();
    return;
  }
  profiler.exiting = TRUE;
  pyro_hooks_watch_for_life (FALSE);
  session = steal_session_locked ();
  stop_timeout = profiler.stop_timeout;
  unlock ();
  finish (session);
  wait_for_stops (stop_timeout);
  if (!pyro_delivery_close ())
    pyro_log_user (GST_LEVEL_WARNING,
                   "the process ends while a push waits for a name server or "
                   "a file; raise stop-timeout");
}

/* SIGTERM and SIGINT, on a thread of ours. As exit() does, but the process may
 * live on. */
static void
stop_for_signal (void)
{
  PyroSession *session;
  guint stop_timeout;

  if (!lock_for_end ())
    return;
  session = steal_session_locked ();
  stop_timeout = profiler.stop_timeout;
  unlock ();
  finish (session);
  wait_for_stops (stop_timeout);
}

static void
resume_after_signal (void)
{
  lock ();
  if (profiler.owner != NULL)
    start_locked (profiler.owner);
  unlock ();
}

/* Hooks */

static void
on_sign_of_life (void)
{
  if (!try_lock ())
    return;
  if (profiler.owner != NULL)
    start_locked (profiler.owner);
  unlock ();
}

static void
on_pause_in_work (void)
{
  if (!try_lock ())
    return;
  if (profiler.session != NULL)
    pyro_session_pause (profiler.session);
  unlock ();
}

static const PyroHookCallbacks hook_callbacks
    = { on_sign_of_life, on_pause_in_work };

/* fork() */

/* How many milliseconds one waits for whoever starts or stops at that moment:
 * that may wait for a lock which the forking thread has (the loader's). */
#define FORK_TRIES 100

/* Whether this thread has the lock for its fork(). */
static __thread gboolean locked_for_fork
    __attribute__ ((tls_model ("initial-exec")));

static void
before_fork (void)
{
  PyroWakeup nobody = { 0 };
  guint n = 0;

  while (!(locked_for_fork = g_mutex_trylock (&profiler.lock))
         && n++ < FORK_TRIES)
    pyro_wakeup_wait (&nobody, G_USEC_PER_SEC / 1000);
  pyro_session_fork_prepare ();
}

static void
after_fork_in_parent (void)
{
  pyro_session_fork_parent ();
  if (locked_for_fork)
    g_mutex_unlock (&profiler.lock);
}

/* The child begins anew if it plays a pipeline of its own. */
static void
after_fork_in_child (void)
{
  pyro_session_fork_child (profiler.session);
  if (profiler.session != NULL || !locked_for_fork) {
    profiler.session = NULL;
    pyro_hooks_stop ();
    pyro_hooks_watch_for_life (profiler.owner != NULL);
  }
  profiler.n_stopping = 0;
  pyro_end_signals_fork_child ();
  /* Whoever else has it does not exist here. */
  if (locked_for_fork)
    g_mutex_unlock (&profiler.lock);
  else
    g_mutex_init (&profiler.lock);
}

static void
watch_forks (void)
{
  static gsize once;

  if (g_once_init_enter (&once)) {
    pthread_atfork (before_fork, after_fork_in_parent, after_fork_in_child);
    g_once_init_leave (&once, 1);
  }
}

/* Action signals */

static void
gst_pyroscope_tracer_start (GstPyroscopeTracer *self)
{
  lock ();
  start_locked (self);
  unlock ();
}

static void
gst_pyroscope_tracer_stop (GstPyroscopeTracer *self)
{
  PyroSession *session = NULL;

  lock ();
  if (profiler.owner == self) {
    pyro_hooks_watch_for_life (FALSE);
    session = steal_session_locked ();
  }
  unlock ();
  finish (session);
}

static void
gst_pyroscope_tracer_flush (GstPyroscopeTracer *self)
{
  lock ();
  if (profiler.owner == self && profiler.session != NULL)
    pyro_session_flush (profiler.session);
  unlock ();
}

/* NULL: nothing is being sampled. (transfer full) */
static GstStructure *
get_stats (GstPyroscopeTracer *self)
{
  PyroSessionStats stats = { 0 };
  gboolean is_running;

  lock ();
  is_running = profiler.owner == self && profiler.session != NULL;
  if (is_running)
    pyro_session_get_stats (profiler.session, &stats);
  unlock ();
  return is_running ? pyro_accounting_to_structure (&stats) : NULL;
}

/* GObject */

static void
gst_pyroscope_tracer_set_property (GObject *object, guint id,
                                   const GValue *value, GParamSpec *pspec)
{
  GstPyroscopeTracer *self = GST_PYROSCOPE_TRACER (object);

  if (id == PROP_PARAMS) { /* construct-only */
    self->params = g_value_dup_string (value);
    return;
  }
  lock ();
  if (pyro_settings_set_property (self->settings, id - PROP_SETTINGS, value,
                                  self->messages)
      && profiler.owner == self && profiler.session != NULL) {
    if (g_strcmp0 (pspec->name, "sample-rate") == 0)
      pyro_session_set_rate (profiler.session, self->settings->sample_rate);
    else if (g_strcmp0 (pspec->name, "stop-agent-on-dispose") != 0)
      pyro_log_user (GST_LEVEL_INFO, "%s counts from the next start on",
                     pspec->name);
  }
  if (profiler.session != NULL)
    tell_messages (self);
  unlock ();
}

static void
gst_pyroscope_tracer_get_property (GObject *object, guint id, GValue *value,
                                   GParamSpec *pspec)
{
  GstPyroscopeTracer *self = GST_PYROSCOPE_TRACER (object);

  if (id == PROP_PARAMS) {
    g_value_set_string (value, NULL);
    return;
  }
  if (id == PROP_STATS) {
    g_value_take_boxed (value, get_stats (self));
    return;
  }
  lock ();
  if (!pyro_settings_get_property (self->settings, id - PROP_SETTINGS, value))
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  unlock ();
}

static void
gst_pyroscope_tracer_constructed (GObject *object)
{
  GstPyroscopeTracer *self = GST_PYROSCOPE_TRACER (object);
  g_auto (GStrv) environment = g_get_environ ();
  gboolean first;

  G_OBJECT_CLASS (gst_pyroscope_tracer_parent_class)->constructed (object);

  self->messages = pyro_settings_messages_new ();
  /* The only time that the environment is read: applications change it. */
  self->settings
      = pyro_settings_new (self->params, environment, self->messages);
  if (self->params != NULL)
    explicit_bzero (self->params, strlen (self->params));
  g_clear_pointer (&self->params, g_free);

  lock ();
  first = profiler.owner == NULL;
  if (first)
    profiler.owner = self;
  unlock ();

  if (!first) {
    /* gst-inspect-1.0 makes one as well, only to look at it. */
    GST_CAT_WARNING_OBJECT (pyro_debug, self,
                            "a process has one profiler: this second tracer "
                            "does nothing; name pyroscope once in GST_TRACERS");
    return;
  }
  watch_forks ();
  pyro_hooks_register (GST_TRACER (self), &hook_callbacks);
  pyro_signal_imports_add ();
  pyro_hooks_prepare (self->settings->thread_owners);
  pyro_hooks_watch_for_life (TRUE);
}

static void
gst_pyroscope_tracer_dispose (GObject *object)
{
  GstPyroscopeTracer *self = GST_PYROSCOPE_TRACER (object);
  PyroSession *session = NULL;

  lock ();
  if (profiler.owner == self) {
    profiler.owner = NULL;
    pyro_hooks_watch_for_life (FALSE);
    if (self->settings->stop_agent_on_dispose || profiler.session == NULL)
      session = steal_session_locked ();
  }
  unlock ();
  finish (session);

  G_OBJECT_CLASS (gst_pyroscope_tracer_parent_class)->dispose (object);
}

static void
gst_pyroscope_tracer_finalize (GObject *object)
{
  GstPyroscopeTracer *self = GST_PYROSCOPE_TRACER (object);

  g_clear_pointer (&self->settings, pyro_settings_free);
  g_clear_pointer (&self->messages, g_ptr_array_unref);
  G_OBJECT_CLASS (gst_pyroscope_tracer_parent_class)->finalize (object);
}

static guint
add_action (const gchar *name, GCallback handler)
{
  return g_signal_new_class_handler (name, GST_TYPE_PYROSCOPE_TRACER,
                                     G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION,
                                     handler, NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
gst_pyroscope_tracer_class_init (GstPyroscopeTracerClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->set_property = gst_pyroscope_tracer_set_property;
  object_class->get_property = gst_pyroscope_tracer_get_property;
  object_class->constructed = gst_pyroscope_tracer_constructed;
  object_class->dispose = gst_pyroscope_tracer_dispose;
  object_class->finalize = gst_pyroscope_tracer_finalize;

  /* What the parent class keeps, anybody may read as long as the process
   * lives. */
  g_object_class_override_property (object_class, PROP_PARAMS, "params");
  /**
   * GstPyroscopeTracer:stats:
   *
   * What became of the samples and profiles of the intervals that have ended,
   * as counters (uint64); NULL where nothing is being sampled.
   */
  g_object_class_install_property (
      object_class, PROP_STATS,
      g_param_spec_boxed (
          "stats", "Statistics", "What became of samples and profiles so far",
          GST_TYPE_STRUCTURE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
  pyro_settings_install_properties (object_class, PROP_SETTINGS);

  /**
   * GstPyroscopeTracer::start:
   *
   * Starts to sample with the settings as they are now, if it does not yet.
   */
  signals[SIGNAL_START]
      = add_action ("start", G_CALLBACK (gst_pyroscope_tracer_start));
  /**
   * GstPyroscopeTracer::stop:
   *
   * Ends the sampling and delivers what there is; takes at most stop-timeout.
   * Only "start" starts it again.
   */
  signals[SIGNAL_STOP]
      = add_action ("stop", G_CALLBACK (gst_pyroscope_tracer_stop));
  /**
   * GstPyroscopeTracer::flush:
   *
   * Ends the running interval, so that its profile is delivered now. Does not
   * wait for the delivery; the property "stats" says what became of it.
   */
  signals[SIGNAL_FLUSH]
      = add_action ("flush", G_CALLBACK (gst_pyroscope_tracer_flush));
}

static void
gst_pyroscope_tracer_init (GstPyroscopeTracer *self)
{
}
