/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The registry and the stacks under ThreadSanitizer: threads that stream, make
 * and free pipelines, make workers and push tasks, beside a collector that
 * reads. What the room's own files do is instrumented; GLib and GStreamer are
 * not, so their locks are told to the sanitizer (race-locks.h).
 *
 * usage: test-races [ROUNDS]; run-races.py starts it.
 */

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attribution/imports.h"
#include "attribution/late-owners.h"
#include "attribution/libraries.h"
#include "attribution/live-elements.h"
#include "attribution/node-stack.h"
#include "attribution/owners.h"
#include "attribution/pools.h"
#include "attribution/workers.h"
#include "unwinding/loader.h"

#define N_STREAMS 3
#define N_SHARED 4
#define MAX_ANNOUNCED 64
#define SANITIZER_FAILED 66

const char *race_hidden_file;

/* The uninstrumented libraries' own accesses are not ours to judge. */
const char *__tsan_default_options (void);

__attribute__ ((visibility ("default"))) const char *
__tsan_default_options (void)
{
  return "ignore_noninstrumented_modules=1:exitcode=66:halt_on_error=1";
}

/* That a pool was made before its tasks run is GLib's queue to thank for, which
 * the sanitizer does not see either. */
const char *__tsan_default_suppressions (void);

__attribute__ ((visibility ("default"))) const char *
__tsan_default_suppressions (void)
{
  return "race:^run_task$";
}

static guint rounds = 4000;
static guint session = 1;
static gint n_running;

/* Elements that all threads know. */
static GstElement *shared_pipeline;
static GstPad *shared_pads[N_SHARED];
static GThreadPool *shared_pool;
static guint n_shared_tasks, n_shared_run;

#define FRAME ((guintptr)__builtin_frame_address (0))

static void
enter_and_leave (GstPad *pad, gboolean peer, guint depth)
{
  PyroNodeStack *stack
      = pyro_node_stack_get (__atomic_load_n (&session, __ATOMIC_RELAXED));

  if (depth > 4)
    return;
  pyro_node_stack_push_pad (stack, pad, peer,
                            peer ? PYRO_HOOK_PUSH : PYRO_HOOK_CHAIN,
                            FRAME - depth * 256);
  if (depth % 2 == 0)
    enter_and_leave (pad, !peer, depth + 1);
  else
    enter_and_leave (shared_pads[depth % N_SHARED], peer, depth + 1);
  pyro_node_stack_pop (stack, pad, peer ? PYRO_HOOK_PUSH : PYRO_HOOK_CHAIN);
}

/* workers and tasks */

static void *
work (void *data)
{
  for (guint i = 0; i < 3; i++)
    enter_and_leave (shared_pads[i], FALSE, 0);
  return NULL;
}

static void
make_workers (void)
{
  pthread_t threads[2];

  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_assert_cmpint (pyro_workers_create (&threads[i], NULL, work, NULL), ==,
                     0);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    pthread_join (threads[i], NULL);
}

/* What comes before a push comes before its task: GLib's queue is to thank for
 * that, which the sanitizer does not see. */
static guint n_handed_over;

static void
hand_over (GThreadPool *pool, gpointer data)
{
  __atomic_add_fetch (&n_handed_over, 1, __ATOMIC_RELEASE);
  pyro_pools_push (pool, data, NULL);
}

static void
enter_shared (gpointer data, gpointer user_data)
{
  g_assert_cmpuint (__atomic_load_n (&n_handed_over, __ATOMIC_ACQUIRE), >, 0);
  enter_and_leave (data, TRUE, 0);
  __atomic_add_fetch ((guint *)user_data, 1, __ATOMIC_RELEASE);
}

/* Likewise, what a task did happened before its pool was freed. */
static void
free_pool (GThreadPool *pool, const guint *n_run, guint n)
{
  while (__atomic_load_n (n_run, __ATOMIC_ACQUIRE) < n)
    g_usleep (100);
  pyro_pools_free (pool, FALSE, TRUE);
}

static void
push_tasks (void)
{
  guint64 before = pyro_node_stack_rebase (
      pyro_own_node_stack, pyro_label_word (1, PYRO_ATTRIBUTION_EXACT));
  guint n_run = 0;
  GThreadPool *pool = pyro_pools_new (enter_shared, &n_run, 2, FALSE, NULL);

  for (guint i = 0; i < N_SHARED; i++) {
    hand_over (pool, shared_pads[i]);
    hand_over (shared_pool, shared_pads[i]);
    __atomic_add_fetch (&n_shared_tasks, 1, __ATOMIC_RELAXED);
  }
  free_pool (pool, &n_run, N_SHARED);
  pyro_node_stack_rebase (pyro_own_node_stack, before);
}

/* streams */

typedef struct {
  GstElement *pipeline, *bin, *first, *second;
  GstPad *src, *sink;
} Stream;

/* What the hook object-destroyed would report. */
static void
on_gone (gpointer data, GObject *object)
{
  pyro_nodes_object_freed ((GstObject *)object);
}

static GstElement *
make (const gchar *factory, const gchar *name)
{
  GstElement *element = gst_element_factory_make (factory, name);

  g_object_weak_ref (G_OBJECT (element), on_gone, NULL);
  for (GList *item = element->pads; item != NULL; item = item->next)
    g_object_weak_ref (item->data, on_gone, NULL);
  return element;
}

static void
stream_link (Stream *stream)
{
  gst_pad_link_full (stream->src, stream->sink, GST_PAD_LINK_CHECK_NOTHING);
  pyro_nodes_links_changed (stream->src, stream->sink);
}

static void
put_into (GstElement *bin, GstElement *element)
{
  gst_bin_add (GST_BIN (bin), element);
  pyro_nodes_element_added (bin, element);
}

static void
stream_make (Stream *stream, guint number)
{
  g_autofree gchar *name = g_strdup_printf ("stream%u", number);

  stream->pipeline = gst_object_ref_sink (make ("pipeline", name));
  stream->bin = make ("bin", "bin");
  stream->first = make ("identity", "first");
  stream->second = make ("identity", "second");
  stream->src = gst_element_get_static_pad (stream->first, "src");
  stream->sink = gst_element_get_static_pad (stream->second, "sink");
  put_into (stream->pipeline, stream->bin);
  put_into (stream->bin, stream->first);
  put_into (stream->bin, stream->second);
  pyro_nodes_use_element (stream->second);
  stream_link (stream);
}

static void
stream_clear (Stream *stream)
{
  gst_object_unref (stream->src);
  gst_object_unref (stream->sink);
  gst_object_unref (stream->pipeline);
}

static void
stream_move (Stream *stream)
{
  gst_object_ref (stream->second);
  pyro_nodes_element_removed (stream->bin, stream->second);
  gst_bin_remove (GST_BIN (stream->bin), stream->second);
  put_into (stream->bin, stream->second);
  pyro_nodes_element_rests (stream->second);
  gst_object_unref (stream->second);
  gst_pad_unlink (stream->src, stream->sink);
  pyro_nodes_links_changed (stream->src, stream->sink);
  stream_link (stream);
}

static void *
run_stream (void *data)
{
  guint number = GPOINTER_TO_UINT (data);
  Stream stream;

  stream_make (&stream, number);
  for (guint i = 0; i < rounds; i++) {
    enter_and_leave (stream.src, TRUE, 0);
    enter_and_leave (stream.sink, FALSE, 0);
    enter_and_leave (shared_pads[i % N_SHARED], FALSE, 0);
    if (i % 7 == 0)
      stream_move (&stream);
    if (i % 13 == 0)
      pyro_node_stack_enter_task (pyro_nodes_resolve_element (stream.first));
    if (i % 13 == 6)
      pyro_node_stack_leave_task ();
    if (i % 31 == 0)
      push_tasks ();
    if (i % 53 == 0)
      make_workers ();
    if (i % 23 == 22) {
      stream_clear (&stream);
      /* Names of other threads, too. */
      stream_make (&stream, (number + i) % (2 * N_STREAMS));
    }
  }
  stream_clear (&stream);
  __atomic_sub_fetch (&n_running, 1, __ATOMIC_RELEASE);
  return NULL;
}

/* the application's other threads */

static void *
run_renamer (void *data)
{
  for (guint i = 0; __atomic_load_n (&n_running, __ATOMIC_ACQUIRE) > 0; i++) {
    g_autofree gchar *name = g_strdup_printf ("shared%u", i % 10);

    gst_object_set_name (GST_OBJECT (shared_pipeline), name);
    pyro_nodes_resolve_element (shared_pipeline);
    pyro_nodes_links_changed (shared_pads[i % N_SHARED],
                              shared_pads[(i + 1) % N_SHARED]);
    /* Another session. */
    if (i % 8 == 0)
      pyro_workers_set_generation (
          __atomic_add_fetch (&session, 1, __ATOMIC_RELAXED));
    g_usleep (500);
  }
  return NULL;
}

/* Where a race is to be seen, nobody else is in the loader: the report asks it
 * for the modules, and until then keeps locks of the sanitizer's that a thread
 * with the loader's lock waits for at its next access. */
static gboolean
uses_loader (void)
{
  return race_hidden_file == NULL;
}

static const PyroImport nothing[] = {
  { "getppid", (gpointer)getppid, (gpointer)getppid, NULL },
};

static void
rewrite (guint budget)
{
  PyroImportsResult result = { 0 };

  pyro_imports_rewrite (nothing, G_N_ELEMENTS (nothing), budget, &result);
}

static void *
run_loader (void *data)
{
  while (uses_loader () && __atomic_load_n (&n_running, __ATOMIC_ACQUIRE) > 0) {
    guint64 begin = pyro_module_selection_begin ();
    void *handle = dlopen (g_getenv ("IMPORTER_LAZY"), RTLD_NOW);
    PyroImportsResult result = { 0 };
    PyroModuleSelection set;

    if (pyro_module_selection_newest (&set, begin)) {
      pyro_imports_rewrite_set (nothing, G_N_ELEMENTS (nothing), &set, &result);
      pyro_libraries_add (&set);
      pyro_libraries_set_loader ((guintptr)dlsym (handle, "importer_call"),
                                 begin, 1);
    }
    rewrite (PYRO_IMPORTS_BRIEFLY);
    dlclose (handle);
    pyro_libraries_refresh (TRUE);
    g_usleep (1000);
  }
  return NULL;
}

static gsize
read_node (guint32 id)
{
  const PyroNode *node = pyro_nodes_ref (id);
  gsize length;

  if (node == NULL)
    return 0;
  length = strlen (node->path) + strlen (node->element);
  pyro_node_unref (node);
  return length;
}

static gboolean
count_element (const PyroLiveElement *element, gpointer data)
{
  *(gsize *)data += element->node;
  return TRUE;
}

/* As the collector does, but for the samples. */
static void *
run_collector (void *data)
{
  const guintptr pcs[] = { (guintptr)run_collector + 4, (guintptr)work + 4 };
  PyroAnnouncement *announced[MAX_ANNOUNCED];
  guint64 interval = pyro_nodes_begin_interval ();
  gsize sum = 0;
  guint n = 0;

  while (__atomic_load_n (&n_running, __ATOMIC_ACQUIRE) > 0) {
    PyroAnnouncement *item = pyro_announcements_take (), *next;

    for (; item != NULL; item = next) {
      guint i = 0;

      next = item->next_queued;
      __atomic_store_n (&item->queued, 0, __ATOMIC_RELEASE);
      while (i < n && announced[i] != item)
        i++;
      if (i == n && n < MAX_ANNOUNCED)
        announced[n++] = item;
    }
    for (guint i = 0; i < n; i++) {
      guint64 label
          = pyro_nodes_settle (pyro_announcement_get_label (announced[i]));

      sum += read_node (pyro_label_word_node (label));
      if (__atomic_load_n (&announced[i]->ended_ns, __ATOMIC_ACQUIRE) != 0
          && !__atomic_load_n (&announced[i]->queued, __ATOMIC_ACQUIRE)) {
        announced[i]->release (announced[i]);
        announced[i--] = announced[--n];
      }
    }
    if (uses_loader ()) {
      sum += pyro_loader_has_changed ();
      rewrite (0);
      pyro_libraries_refresh (FALSE);
    }
    pyro_live_elements_foreach (count_element, &sum);
    sum += pyro_late_owners_guess (pcs, G_N_ELEMENTS (pcs));
    pyro_nodes_end_interval (interval);
    interval = pyro_nodes_begin_interval ();
    g_usleep (200);
  }
  g_test_message ("the collector has read %" G_GSIZE_FORMAT " bytes", sum);
  return NULL;
}

static void
test_all_at_once (void)
{
  void *(*const others[]) (void *) = { run_renamer, run_loader, run_collector };
  pthread_t streams[N_STREAMS], threads[G_N_ELEMENTS (others)];

  pyro_libraries_refresh (FALSE);
  pyro_workers_set_generation (session);
  shared_pipeline = gst_object_ref_sink (make ("pipeline", "shared"));
  for (guint i = 0; i < N_SHARED; i++) {
    GstElement *element = make ("identity", NULL);

    gst_bin_add (GST_BIN (shared_pipeline), element);
    shared_pads[i] = gst_element_get_static_pad (element, "sink");
  }
  shared_pool = pyro_pools_new (enter_shared, &n_shared_run, 2, FALSE, NULL);

  n_running = N_STREAMS;
  for (guint i = 0; i < G_N_ELEMENTS (others); i++)
    pthread_create (&threads[i], NULL, others[i], NULL);
  for (guint i = 0; i < N_STREAMS; i++)
    pthread_create (&streams[i], NULL, run_stream, GUINT_TO_POINTER (i));
  for (guint i = 0; i < N_STREAMS; i++)
    pthread_join (streams[i], NULL);
  for (guint i = 0; i < G_N_ELEMENTS (others); i++)
    pthread_join (threads[i], NULL);
  free_pool (shared_pool, &n_shared_run, n_shared_tasks);
}

/* Without what is told of one file's locks, the sanitizer must see the races
 * that these locks prevent: otherwise it sees nothing at all. */
static void
test_sees_missing_locks (gconstpointer file)
{
  g_autofree gchar *errors = NULL;
  const gchar *argv[] = { "/proc/self/exe", NULL };
  g_auto (GStrv) environment
      = g_environ_setenv (g_get_environ (), "RACE_HIDDEN_FILE", file, TRUE);
  g_autoptr (GError) error = NULL;
  gint status;

  g_spawn_sync (NULL, (gchar **)argv, environment, G_SPAWN_STDOUT_TO_DEV_NULL,
                NULL, NULL, NULL, &errors, &status, &error);
  g_assert_no_error (error);
  g_assert_true (WIFEXITED (status));
  g_assert_cmpint (WEXITSTATUS (status), ==, SANITIZER_FAILED);
  g_assert_nonnull (strstr (errors, "data race"));
  g_assert_nonnull (strstr (errors, file));
}

int
main (int argc, char **argv)
{
  static const gchar *const files[] = { "nodes.c" };

  race_hidden_file = g_getenv ("RACE_HIDDEN_FILE");
  gst_init (&argc, &argv);
  g_test_init (&argc, &argv, NULL);
  if (argc > 1)
    rounds = (guint)strtoul (argv[1], NULL, 10);
  g_test_add_func ("/races/all-at-once", test_all_at_once);
  for (guint i = 0; race_hidden_file == NULL && i < G_N_ELEMENTS (files); i++) {
    g_autofree gchar *path
        = g_strconcat ("/races/missing-locks-are-seen/", files[i], NULL);

    g_test_add_data_func (path, files[i], test_sees_missing_locks);
  }
  return g_test_run ();
}
