/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <pthread.h>

#include "burn.h"

/* pyroburnworkers: for each buffer, two threads of the element's own use
 * "data-cost" of CPU time each; "threads" says what kind of threads. */

#define N_THREADS 2

typedef enum {
  THREADS_PTHREADS,
  THREADS_NESTED,      /* a pthread that makes the other one */
  THREADS_GTHREADS,    /* by g_thread_new() */
  THREADS_POOL,        /* a GThreadPool */
  THREADS_NEW_POOL,    /* one for each buffer: idle threads change pools */
  THREADS_TASKS,       /* a GstSharedTaskPool */
  THREADS_TEAM,        /* OpenMP's */
  THREADS_EARLY_POOL,  /* a GThreadPool that is made with the element */
  THREADS_EARLY_TASKS, /* likewise a GstSharedTaskPool */
  THREADS_TASK,        /* likewise a GstTask, of the default pool */
} Threads;

static const gchar *const kinds[]
    = { "pthreads", "nested",     "gthreads",    "pool", "new-pool", "tasks",
        "team",     "early-pool", "early-tasks", "task", NULL };

typedef struct {
  GstElement parent;
  PyroBurn burn;
  GstPad *sink, *src;
  Threads threads;
  gboolean started;

  GMutex lock;
  GCond cond;
  guint wanted, done; /* pieces of work */
  gboolean stop;
  pthread_t pthreads[N_THREADS];
  GThread *gthreads[N_THREADS];
  GThreadPool *pool;
  GstTaskPool *tasks;
  GstTask *task;
  GRecMutex task_lock;
} PyroBurnWorkers;

typedef GstElementClass PyroBurnWorkersClass;

GType pyro_burn_workers_get_type (void);

G_DEFINE_TYPE (PyroBurnWorkers, pyro_burn_workers, GST_TYPE_ELEMENT)

enum { PROP_THREADS = PYRO_BURN_N_PROPERTIES + 1 };

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE (
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE (
    "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

static void
work (PyroBurnWorkers *self)
{
  pyro_burn_do (&self->burn, PYRO_BURN_DATA);
  g_mutex_lock (&self->lock);
  self->done++;
  g_cond_broadcast (&self->cond);
  g_mutex_unlock (&self->lock);
}

static void *
run_worker (void *data)
{
  PyroBurnWorkers *self = data;

  pthread_setname_np (pthread_self (), "worker");
  g_mutex_lock (&self->lock);
  for (;;) {
    while (self->wanted == 0 && !self->stop)
      g_cond_wait (&self->cond, &self->lock);
    if (self->wanted == 0)
      break;
    self->wanted--;
    g_mutex_unlock (&self->lock);
    work (self);
    g_mutex_lock (&self->lock);
  }
  g_mutex_unlock (&self->lock);
  return NULL;
}

static void *
run_first_worker (void *data)
{
  PyroBurnWorkers *self = data;

  pthread_create (&self->pthreads[1], NULL, run_worker, self);
  run_worker (data);
  pthread_join (self->pthreads[1], NULL);
  return NULL;
}

static void
run_pool_task (gpointer data, gpointer user_data)
{
  work (user_data);
}

static void
run_task (gpointer data)
{
  work (data);
}

/* One piece of work, as a task's loop does it. */
static void
loop (gpointer data)
{
  PyroBurnWorkers *self = data;
  gboolean is_wanted;

  g_mutex_lock (&self->lock);
  while (self->wanted == 0 && !self->stop)
    g_cond_wait (&self->cond, &self->lock);
  is_wanted = self->wanted > 0;
  self->wanted -= is_wanted;
  g_mutex_unlock (&self->lock);
  if (is_wanted)
    work (self);
  else
    gst_task_stop (self->task);
}

static void
make_pool (PyroBurnWorkers *self)
{
  self->pool = g_thread_pool_new (run_pool_task, self, N_THREADS, FALSE, NULL);
}

static void
make_task_pool (PyroBurnWorkers *self)
{
  self->tasks = gst_shared_task_pool_new ();
  gst_shared_task_pool_set_max_threads (GST_SHARED_TASK_POOL (self->tasks),
                                        N_THREADS);
  gst_task_pool_prepare (self->tasks, NULL);
}

static void
start (PyroBurnWorkers *self)
{
  self->started = TRUE;
  switch (self->threads) {
  case THREADS_PTHREADS:
    for (guint i = 0; i < N_THREADS; i++)
      pthread_create (&self->pthreads[i], NULL, run_worker, self);
    break;
  case THREADS_NESTED:
    pthread_create (&self->pthreads[0], NULL, run_first_worker, self);
    break;
  case THREADS_GTHREADS:
    for (guint i = 0; i < N_THREADS; i++)
      self->gthreads[i] = g_thread_new ("worker", run_worker, self);
    break;
  case THREADS_POOL:
    make_pool (self);
    break;
  case THREADS_TASKS:
    make_task_pool (self);
    break;
  case THREADS_TASK:
    gst_task_start (self->task);
    break;
  default:
    break;
  }
}

static void
finish (PyroBurnWorkers *self)
{
  guint n_pthreads = self->threads == THREADS_PTHREADS ? N_THREADS
                     : self->threads == THREADS_NESTED ? 1
                                                       : 0;

  if (!self->started)
    return;
  self->started = FALSE;
  g_mutex_lock (&self->lock);
  self->stop = TRUE;
  g_cond_broadcast (&self->cond);
  g_mutex_unlock (&self->lock);
  for (guint i = 0; i < n_pthreads; i++)
    pthread_join (self->pthreads[i], NULL);
  for (guint i = 0; i < N_THREADS; i++)
    if (self->gthreads[i] != NULL)
      g_thread_join (g_steal_pointer (&self->gthreads[i]));
  if (self->pool != NULL)
    g_thread_pool_free (g_steal_pointer (&self->pool), FALSE, TRUE);
  if (self->tasks != NULL)
    gst_task_pool_cleanup (self->tasks);
  g_clear_pointer (&self->tasks, gst_object_unref);
  if (self->task != NULL)
    gst_task_join (self->task);
  self->stop = FALSE;
}

#if defined(_OPENMP)
static void
do_share (PyroBurnWorkers *self)
{
  pyro_burn_do (&self->burn, PYRO_BURN_DATA);
}
#endif

static void
hand_out (PyroBurnWorkers *self, gpointer ids[N_THREADS])
{
  g_mutex_lock (&self->lock);
  self->done = 0;
  if (self->pool == NULL && self->tasks == NULL) {
    self->wanted = N_THREADS;
    g_cond_broadcast (&self->cond);
  }
  g_mutex_unlock (&self->lock);
#if defined(_OPENMP)
  if (self->threads == THREADS_TEAM) {
#pragma omp parallel num_threads(N_THREADS)
    do_share (self);
    self->done = N_THREADS;
  }
#endif
  for (guint i = 0; i < N_THREADS; i++) {
    if (self->pool != NULL)
      g_thread_pool_push (self->pool, self, NULL);
    if (self->tasks != NULL)
      ids[i] = gst_task_pool_push (self->tasks, run_task, self, NULL);
  }
}

static GstFlowReturn
pyro_burn_workers_chain (GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  PyroBurnWorkers *self = (PyroBurnWorkers *)parent;
  gpointer ids[N_THREADS] = { NULL };

  if (!self->started)
    start (self);
  if (self->threads == THREADS_NEW_POOL)
    self->pool
        = g_thread_pool_new (run_pool_task, self, N_THREADS, FALSE, NULL);
  hand_out (self, ids);
  g_mutex_lock (&self->lock);
  while (self->done < N_THREADS)
    g_cond_wait (&self->cond, &self->lock);
  g_mutex_unlock (&self->lock);
  for (guint i = 0; i < N_THREADS; i++)
    if (ids[i] != NULL)
      gst_task_pool_join (self->tasks, ids[i]);
  if (self->threads == THREADS_NEW_POOL)
    g_thread_pool_free (g_steal_pointer (&self->pool), FALSE, TRUE);
  return gst_pad_push (self->src, buffer);
}

static GstStateChangeReturn
pyro_burn_workers_change_state (GstElement *element, GstStateChange transition)
{
  GstStateChangeReturn result
      = GST_ELEMENT_CLASS (pyro_burn_workers_parent_class)
            ->change_state (element, transition);

  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY)
    finish ((PyroBurnWorkers *)element);
  return result;
}

static void
make_early (PyroBurnWorkers *self)
{
  if (self->threads == THREADS_EARLY_POOL)
    make_pool (self);
  if (self->threads == THREADS_EARLY_TASKS)
    make_task_pool (self);
  if (self->threads == THREADS_TASK) {
    self->task = gst_task_new (loop, self, NULL);
    gst_task_set_lock (self->task, &self->task_lock);
  }
}

static void
set_threads (PyroBurnWorkers *self, const gchar *kind)
{
  for (guint i = 0; kinds[i] != NULL; i++)
    if (g_strcmp0 (kind, kinds[i]) == 0) {
      self->threads = i;
      make_early (self);
      return;
    }
  g_error ("pyroburnworkers: no kind of threads \"%s\"", kind);
}

static void
pyro_burn_workers_set_property (GObject *object, guint id, const GValue *value,
                                GParamSpec *pspec)
{
  PyroBurnWorkers *self = (PyroBurnWorkers *)object;

  if (id == PROP_THREADS)
    set_threads (self, g_value_get_string (value));
  else if (!pyro_burn_set_property (&self->burn, id, value))
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
pyro_burn_workers_get_property (GObject *object, guint id, GValue *value,
                                GParamSpec *pspec)
{
  PyroBurnWorkers *self = (PyroBurnWorkers *)object;

  if (id == PROP_THREADS)
    g_value_set_static_string (value, kinds[self->threads]);
  else if (!pyro_burn_get_property (&self->burn, id, value))
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
pyro_burn_workers_finalize (GObject *object)
{
  PyroBurnWorkers *self = (PyroBurnWorkers *)object;

  g_clear_pointer (&self->task, gst_object_unref);
  g_rec_mutex_clear (&self->task_lock);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->cond);
  G_OBJECT_CLASS (pyro_burn_workers_parent_class)->finalize (object);
}

static void
pyro_burn_workers_class_init (PyroBurnWorkersClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->set_property = pyro_burn_workers_set_property;
  object_class->get_property = pyro_burn_workers_get_property;
  object_class->finalize = pyro_burn_workers_finalize;
  pyro_burn_install_properties (object_class);
  g_object_class_install_property (
      object_class, PROP_THREADS,
      g_param_spec_string ("threads", "threads", "What kind of threads",
                           kinds[THREADS_PTHREADS],
                           G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS));
  klass->change_state = pyro_burn_workers_change_state;
  gst_element_class_add_static_pad_template (klass, &sink_template);
  gst_element_class_add_static_pad_template (klass, &src_template);
  gst_element_class_set_static_metadata (klass, "Burning workers", "Test",
                                         "Uses CPU time in threads of its own",
                                         "gst-pyroscope");
}

static void
pyro_burn_workers_init (PyroBurnWorkers *self)
{
  g_rec_mutex_init (&self->task_lock);
  g_mutex_init (&self->lock);
  g_cond_init (&self->cond);
  self->sink = gst_pad_new_from_static_template (&sink_template, "sink");
  gst_pad_set_chain_function (self->sink, pyro_burn_workers_chain);
  GST_PAD_SET_PROXY_CAPS (self->sink);
  gst_element_add_pad (GST_ELEMENT (self), self->sink);
  self->src = gst_pad_new_from_static_template (&src_template, "src");
  gst_element_add_pad (GST_ELEMENT (self), self->src);
}

static gboolean
plugin_init (GstPlugin *plugin)
{
  return gst_element_register (plugin, "pyroburnworkers", GST_RANK_NONE,
                               pyro_burn_workers_get_type ());
}

#define PACKAGE "gst-pyroscope"
#define GST_PACKAGE_ORIGIN "Unknown package origin"

GST_PLUGIN_DEFINE (GST_VERSION_MAJOR, GST_VERSION_MINOR, pyroburnworkers,
                   "Uses CPU time of a known amount in threads", plugin_init,
                   PYRO_VERSION, "LGPL", "gst-pyroscope", GST_PACKAGE_ORIGIN)
