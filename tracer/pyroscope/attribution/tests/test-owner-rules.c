/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The rules by which a thread gets its owner, one by one, and the table of
 * libraries that they read. GStreamer's own libraries play the parts: the
 * plugin of identity links libgstbase, the program does not.
 */

#include <dlfcn.h>
#if defined(HAVE_OPENMP)
#include <omp.h>
#endif
#include <link.h>
#include <string.h>
#include <time.h>

#include "attribution/label-word.h"
#include "attribution/late-owners.h"
#include "attribution/libraries.h"
#include "attribution/live-elements.h"
#include "attribution/node-stack.h"
#include "attribution/nodes.h"
#include "attribution/owners.h"
#include "attribution/pools.h"
#include "attribution/teams.h"
#include "attribution/workers.h"
#include "unwinding/modules.h"
#include "witness.h"

#define PLUGIN "libgstcoreelements.so"

static GstElement *identity, *witness;
static guint32 identity_node, witness_node;
#if defined(HAVE_OPENMP)
static gpointer gomp_function;
#endif
static gpointer base_start;        /* in libgstbase */
static void *(*base_new) (void *); /* a start routine that returns at once */
static void (*base_free) (void *);

#define EXACT(node) pyro_label_word (node, PYRO_ATTRIBUTION_EXACT)
#define INHERITED(node) pyro_label_word (node, PYRO_ATTRIBUTION_INHERITED)

static guint32
node_of (GstElement *element)
{
  return pyro_label_word_node (pyro_nodes_resolve_element (element));
}

static gpointer
start_of_the_program (gpointer data)
{
  return data;
}

/* libraries */

static const PyroLibrary *
library_at (gconstpointer address)
{
  static PyroLibrary copy;
  const PyroLibrary *library
      = pyro_libraries_find (pyro_libraries_enter (), (guintptr)address);

  if (library != NULL)
    copy = *library;
  pyro_libraries_leave ();
  return library != NULL ? &copy : NULL;
}

static void
test_kinds (void)
{
  GstElement *pipeline = NULL;

  g_assert_cmpstr (pyro_library_name ("/usr/lib/liba.so.1"), ==, "liba.so.1");
  g_assert_cmpstr (pyro_library_name ("liba.so"), ==, "liba.so");
  g_assert_true (pyro_library_name ("/a/liba.so")
                 == pyro_library_name ("/b/liba.so"));
  g_assert_cmpint (library_at (start_of_the_program)->kind, ==,
                   PYRO_LIBRARY_PROGRAM);
  g_assert_cmpstr (library_at (start_of_the_program)->name, ==, "");
  g_assert_cmpint (library_at (dlsym (RTLD_DEFAULT, "g_malloc"))->kind, ==,
                   PYRO_LIBRARY_GLIB);
  g_assert_cmpint (library_at (dlsym (RTLD_DEFAULT, "gst_init"))->kind, ==,
                   PYRO_LIBRARY_PROCESS_WIDE);
  g_assert_cmpint (library_at (dlsym (RTLD_DEFAULT, "strlen"))->kind, ==,
                   PYRO_LIBRARY_PROCESS_WIDE);
  g_assert_cmpint (library_at (base_start)->kind, ==, PYRO_LIBRARY_PLAIN);
  g_assert_null (library_at (NULL));
  g_assert_null (library_at (&pipeline)); /* the stack */
  g_assert_null (library_at ((gconstpointer)G_MAXSIZE));
}

static gboolean
links (const gchar *name, gconstpointer address, gboolean directly)
{
  const PyroLibraries *libraries = pyro_libraries_enter ();
  const PyroLibrary *one
      = pyro_libraries_find_name (libraries, pyro_library_name (name));
  const PyroLibrary *other = pyro_libraries_find (libraries, (guintptr)address);
  gboolean result;

  g_assert_nonnull (one);
  g_assert_nonnull (other);
  result = pyro_libraries_links (libraries, one, other, directly);
  pyro_libraries_leave ();
  return result;
}

static void
test_links (void)
{
  gpointer gmodule = dlsym (RTLD_DEFAULT, "g_module_open");

  g_assert_true (links (PLUGIN, base_start, TRUE));
  g_assert_true (links (PLUGIN, base_start, FALSE));
  g_assert_false (links ("", base_start, FALSE));
  g_assert_true (links ("", start_of_the_program, TRUE)); /* itself */
  /* Through libgstreamer alone. */
  g_assert_false (links (PLUGIN, gmodule, TRUE));
  g_assert_true (links (PLUGIN, gmodule, FALSE));
}

static void
test_loaded_and_unloaded (void)
{
  GHashTable *places = g_hash_table_new (NULL, NULL);
  gconstpointer address;
  guint n = 0;

  for (guint i = 0; i < 12; i++) {
    const gchar *file = g_getenv (i % 3 ? "IMPORTER_LAZY" : "IMPORTER_NOW");
    void *handle = dlopen (file, RTLD_NOW);

    g_assert_nonnull (handle);
    address = dlsym (handle, "importer_call");
    g_assert_null (library_at (address));
    pyro_libraries_refresh (FALSE);
    g_assert_cmpstr (library_at (address)->name, ==, pyro_library_name (file));
    g_assert_true (links (PLUGIN, base_start, TRUE));
    dlclose (handle);
    n += !g_hash_table_add (places, (gpointer)address);
    pyro_libraries_refresh (i % 2);
    g_assert_null (library_at (address));
  }
  g_assert_cmpuint (n, >, 0);
  g_hash_table_unref (places);
}

/* Whoever loads a library adds it alone. */
static void
test_added (void)
{
  gconstpointer strlen_at = dlsym (RTLD_DEFAULT, "strlen");

  for (guint i = 0; i < 10; i++) {
    const gchar *file = g_getenv (i % 3 ? "IMPORTER_LAZY" : "IMPORTER_NOW");
    const gchar *name = pyro_library_name (file);
    guint64 begin = pyro_module_selection_begin ();
    void *handle = dlopen (file, RTLD_NOW);
    gconstpointer address = dlsym (handle, "importer_call");
    const PyroLibraries *libraries;
    const PyroLibrary *library, *libc;
    PyroModuleSelection set;

    g_assert_true (pyro_module_selection_newest (&set, begin));
    pyro_libraries_add (&set);
    g_assert_true (library_at (address)->name == name);
    g_assert_true (links (name, strlen_at, TRUE));
    g_assert_true (links (PLUGIN, base_start, TRUE));

    /* Whose its constructor's threads are. */
    pyro_libraries_set_loader ((guintptr)address, begin, INHERITED (7));
    libraries = pyro_libraries_enter ();
    library = pyro_libraries_find (libraries, (guintptr)address);
    libc = pyro_libraries_find (libraries, (guintptr)strlen_at);
    g_assert_cmphex (pyro_libraries_get_loader (library), ==, INHERITED (7));
    g_assert_cmphex (pyro_libraries_get_loader (libc), ==, 0);
    pyro_libraries_note_owner (library, INHERITED (7));
    g_assert_cmphex (pyro_libraries_get_loader (library), ==, INHERITED (7));
    pyro_libraries_note_owner (library, INHERITED (8));
    g_assert_cmphex (pyro_libraries_get_loader (library), ==, 0);
    pyro_libraries_leave ();

    if (i % 2)
      pyro_libraries_refresh (FALSE);
    pyro_libraries_add (&set);
    g_assert_true (library_at (address)->name == name);
    dlclose (handle);
  }
  pyro_libraries_refresh (FALSE);
}

/* One file after the other at the same place, and nobody has looked between. */
static void
test_exchanged (void)
{
  const gchar *files[]
      = { g_getenv ("IMPORTER_LAZY"), g_getenv ("IMPORTER_NOW") };
  void *handle = dlopen (files[0], RTLD_NOW);

  for (guint i = 1; i < 10; i++) {
    pyro_libraries_refresh (FALSE);
    dlclose (handle);
    handle = dlopen (files[i % 2], RTLD_NOW);
    pyro_libraries_refresh (FALSE);
    g_assert_cmpstr (library_at (dlsym (handle, "importer_call"))->name, ==,
                     pyro_library_name (files[i % 2]));
  }
  dlclose (handle);
  pyro_libraries_refresh (FALSE);
}

/* rules */

static void
test_nobody (void)
{
  GThread thread = { 0 };

  /* Nobody made it, or it is the process's. */
  g_assert_cmphex (pyro_owners_find (0, start_of_the_program, NULL), ==, 0);
  g_assert_cmphex (pyro_owners_find (EXACT (identity_node),
                                     dlsym (RTLD_DEFAULT, "gst_init"), NULL),
                   ==, 0);
  thread.func = (GThreadFunc)dlsym (RTLD_DEFAULT, "g_thread_pool_new");
  g_assert_cmphex (pyro_owners_find (EXACT (identity_node),
                                     dlsym (RTLD_DEFAULT, "g_malloc"), &thread),
                   ==, 0);
}

static void
test_says_nothing (void)
{
  GThread thread = { .func = start_of_the_program };

  g_assert_cmphex (
      pyro_owners_find (EXACT (witness_node), start_of_the_program, NULL), ==,
      INHERITED (witness_node));
  /* A GThread's own function counts, not GLib's that calls it. */
  g_assert_cmphex (pyro_owners_find (EXACT (witness_node),
                                     dlsym (RTLD_DEFAULT, "g_malloc"), &thread),
                   ==, INHERITED (witness_node));
  /* An application makes a thread of its own in a callback of an element's. */
  g_assert_cmphex (
      pyro_owners_find (EXACT (identity_node), start_of_the_program, NULL), ==,
      0);
  /* Code that is in no file. */
  g_assert_cmphex (pyro_owners_find (EXACT (witness_node), &thread, NULL), ==,
                   INHERITED (witness_node));
}

static void
test_library_allows (void)
{
  /* The plugin of the one links the library, that of the other does not. */
  g_assert_cmphex (pyro_owners_find (EXACT (identity_node), base_start, NULL),
                   ==, INHERITED (identity_node));
  g_assert_cmphex (pyro_owners_find (EXACT (witness_node), base_start, NULL),
                   ==, 0);
  /* A worker's own threads are its owner's, whatever they run. */
  g_assert_cmphex (
      pyro_owners_find (INHERITED (witness_node), base_start, NULL), ==,
      INHERITED (witness_node));
}

/* Of a thread that this one makes while whose it is itself is not settled. */
static guint64
owner_of_new_thread (void)
{
  PyroNodeStack *stack = pyro_own_node_stack;
  guint64 label = stack->label, owner = 0;
  PyroAnnouncement *item;
  pthread_t thread;
  void *result;

  for (item = pyro_announcements_take (); item != NULL;
       item = item->next_queued)
    __atomic_store_n (&item->queued, 0, __ATOMIC_RELEASE);
  stack->label = PYRO_LABEL_QUESTION | G_MAXUINT32;
  pyro_workers_set_generation (stack->generation);
  g_assert_cmpint (pyro_workers_create (&thread, NULL, base_new, NULL), ==, 0);
  pyro_workers_set_generation (0);
  stack->label = label;
  pthread_join (thread, &result);
  base_free (result);
  for (item = pyro_announcements_take (); item != NULL;
       item = item->next_queued) {
    __atomic_store_n (&item->queued, 0, __ATOMIC_RELEASE);
    if (item->ended_ns != 0)
      owner = pyro_announcement_get_label (item);
  }
  return owner;
}

/* In the middle of what an identity does. */
static void
on_handoff (GstElement *element, GstBuffer *buffer, gpointer data)
{
  guint64 *found = data;

  /* Upstream is current, as where a decoder is opened by a caps event; or which
   * element is, is not known yet. */
  *found = pyro_owners_find (EXACT (witness_node), base_start, NULL);
  g_assert_cmphex (
      pyro_owners_find (PYRO_LABEL_QUESTION | G_MAXUINT32, base_start, NULL),
      ==, *found);
  g_assert_cmphex (owner_of_new_thread (), ==, *found);
}

static void
test_stack_tells (void)
{
  GstElement *pipeline = gst_object_ref_sink (gst_pipeline_new ("tells"));
  GstElement *source = gst_element_factory_make ("fakesrc", NULL);
  GstElement *one = gst_element_factory_make ("identity", "one");
  GstElement *two = gst_element_factory_make ("identity", "two");
  GstElement *sink = gst_element_factory_make ("fakesink", NULL);
  GstBus *bus = gst_element_get_bus (pipeline);
  guint64 found_one = 0, found_two = 0;

  g_object_set (source, "num-buffers", 3, NULL);
  g_signal_connect (one, "handoff", G_CALLBACK (on_handoff), &found_one);
  g_signal_connect (two, "handoff", G_CALLBACK (on_handoff), &found_two);
  gst_bin_add_many (GST_BIN (pipeline), source, one, two, sink, NULL);
  g_assert_true (gst_element_link_many (source, one, two, sink, NULL));
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  gst_message_unref (
      gst_bus_timed_pop_filtered (bus, 30 * GST_SECOND, GST_MESSAGE_EOS));
  g_assert_cmphex (found_one, ==, INHERITED (node_of (one)));
  g_assert_cmphex (found_two, ==, INHERITED (node_of (two)));
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (bus);
  gst_object_unref (pipeline);
}

static void
test_tasks_of_pools (void)
{
  guint64 exact = EXACT (identity_node);

  g_assert_cmphex (pyro_owners_check_task (exact, base_start), ==, exact);
  g_assert_cmphex (
      pyro_owners_check_task (exact, dlsym (RTLD_DEFAULT, "gst_init")), ==,
      exact);
  g_assert_cmphex (pyro_owners_check_task (0, base_start), ==, 0);
  /* The application pushed it, in a callback. */
  g_assert_cmphex (
      pyro_owners_check_task (exact, (gpointer)start_of_the_program), ==, 0);
  /* An element of the program may do so. */
  exact = EXACT (witness_node);
  g_assert_cmphex (
      pyro_owners_check_task (exact, (gpointer)start_of_the_program), ==,
      exact);
}

static void
run_of_the_program (gpointer data, gpointer user_data)
{
}

/* What the fields of a pool are once the thread, whose label word is CREATOR,
 * has made it and pushed a task. */
static void
assert_own_fields (guint64 creator, GFunc func, gboolean are_its_own)
{
  PyroNodeStack *stack = pyro_node_stack_renew (1);
  GThreadPool *pool;

  pyro_workers_set_generation (1);
  pyro_node_stack_rebase (stack, creator);
  pool = pyro_pools_new (func, &pool, 1, TRUE, NULL);
  g_assert_true (pyro_pools_push (pool, (gpointer)g_free, NULL));
  g_assert_cmpint (pool->func == func && pool->user_data == &pool, ==,
                   are_its_own);
  pyro_pools_free (pool, FALSE, TRUE);
  pyro_node_stack_rebase (stack, 0);
  pyro_workers_set_generation (0);
}

/* An application may read them. */
static void
test_fields_of_pools (void)
{
  GFunc everybodys = (GFunc)dlsym (RTLD_DEFAULT, "g_direct_hash");

  assert_own_fields (0, run_of_the_program, TRUE);
  assert_own_fields (EXACT (identity_node), run_of_the_program, TRUE);
  assert_own_fields (EXACT (witness_node), run_of_the_program, FALSE);
  assert_own_fields (EXACT (identity_node), everybodys, FALSE);
  assert_own_fields (0, everybodys, FALSE);
}

static guint64
guess (gconstpointer outermost)
{
  const guintptr pcs[] = {
    (guintptr)dlsym (RTLD_DEFAULT, "memcpy") + 1,
    (guintptr)outermost + 1,
    /* What starts threads for others says nothing. */
    (guintptr)dlsym (RTLD_DEFAULT, "gst_task_new") + 1,
    (guintptr)dlsym (RTLD_DEFAULT, "g_malloc") + 1,
    (guintptr)dlsym (RTLD_DEFAULT, "pthread_create") + 1,
  };

  return pyro_late_owners_guess (pcs, G_N_ELEMENTS (pcs));
}

/* Threads of a library that works for everybody in the process: the program
 * links it where there is one. */
static void
test_teams (void)
{
  guint team = pyro_teams_find ("libgomp.so.1");
#if defined(HAVE_OPENMP)
  const gchar *program = pyro_library_name ("");
  guint64 own = pyro_label_word_set_team (INHERITED (witness_node), team);
  guint64 identitys
      = pyro_label_word_set_team (INHERITED (identity_node), team);
  gconstpointer one = &one, two = &two;
#endif

  g_assert_cmpuint (team, !=, 0);
  g_assert_cmpuint (pyro_teams_find ("libgstgl-1.0.so.0"), !=, 0);
  g_assert_cmpuint (pyro_teams_find (PLUGIN), ==, 0);
  g_assert_true (pyro_teams_is_way_to (pyro_teams_find ("radeonsi_dri.so"),
                                       "libgstgl-1.0.so.0"));
  /* What has no team stays what it is. */
  g_assert_cmphex (pyro_late_owners_settle (INHERITED (identity_node)), ==,
                   INHERITED (identity_node));
  g_assert_cmphex (pyro_late_owners_settle (PYRO_LABEL_SHARED), ==,
                   PYRO_LABEL_SHARED);
  g_assert_cmphex (pyro_late_owners_settle (0), ==, 0);
#if defined(HAVE_OPENMP)
  /* Nobody uses it: its maker has, until now. */
  g_assert_cmphex (pyro_late_owners_settle (own), ==, INHERITED (witness_node));
  pyro_live_elements_add (&one, witness_node, program);
  g_assert_cmphex (pyro_late_owners_settle (own), ==, INHERITED (witness_node));
  /* Another element than the maker does. */
  g_assert_cmphex (pyro_late_owners_settle (identitys), ==, PYRO_LABEL_SHARED);
  pyro_live_elements_add (&two, 1000, program);
  g_assert_cmphex (pyro_late_owners_settle (own), ==, PYRO_LABEL_SHARED);
  /* From then on. */
  pyro_live_elements_remove (&two);
  g_assert_cmphex (pyro_late_owners_settle (own), ==, PYRO_LABEL_SHARED);
  g_assert_cmphex (guess (gomp_function), ==, PYRO_LABEL_SHARED);
  pyro_live_elements_remove (&one);
  g_assert_cmphex (guess (gomp_function), ==, 0);
#else
  g_test_skip ("no OpenMP");
#endif
}

/* A worker of a shared thread's is shared as well. */
static void
test_shared_creator (void)
{
  g_assert_cmphex (pyro_owners_find (PYRO_LABEL_SHARED, base_start, NULL), ==,
                   PYRO_LABEL_SHARED);
  g_assert_cmphex (pyro_owners_check_task (PYRO_LABEL_SHARED, base_start), ==,
                   PYRO_LABEL_SHARED);
  g_assert_cmphex (pyro_owners_find (PYRO_LABEL_SHARED,
                                     dlsym (RTLD_DEFAULT, "strlen"), NULL),
                   ==, 0);
}

static void
test_only_one (void)
{
  const gchar *plugin = pyro_library_name (PLUGIN);
  gconstpointer other = &other;

  g_assert_cmphex (guess (base_start), ==,
                   pyro_label_word (identity_node, PYRO_ATTRIBUTION_LIBRARY));
  g_assert_cmphex (guess (start_of_the_program), ==, 0);
  g_assert_cmphex (guess (dlsym (RTLD_DEFAULT, "gst_init")), ==, 0);
  g_assert_cmphex (guess (&other), ==, 0);
  g_assert_cmphex (pyro_late_owners_guess (NULL, 0), ==, 0);

  /* Another element of the plugin: it may be the one's or the other's. */
  pyro_live_elements_add (other, witness_node, plugin);
  g_assert_cmphex (guess (base_start), ==, 0);
  pyro_live_elements_remove (other);
  g_assert_cmphex (guess (base_start), !=, 0);
  /* And when the one is not in use, nobody's. */
  pyro_live_elements_remove (identity);
  g_assert_cmphex (guess (base_start), ==, 0);
  pyro_live_elements_add (identity, identity_node, plugin);
}

/* CPU time that guesses take beside N elements, when something has changed
 * before each. */
static guint64
time_guesses (guint n)
{
  const gchar *plugin = pyro_library_name (PLUGIN);
  const gchar *other = pyro_library_name ("libother.so");
  guint64 least = G_MAXUINT64;

  for (guint i = 1; i <= n; i++)
    pyro_live_elements_add (GUINT_TO_POINTER (i * 64), 1000 + i, plugin);
  for (guint round = 0; round < 5; round++) {
    struct timespec before, after;

    clock_gettime (CLOCK_THREAD_CPUTIME_ID, &before);
    for (guint i = 0; i < 100; i++) {
      pyro_live_elements_add (&before, witness_node, other);
      guess (base_start);
      pyro_live_elements_remove (&before);
    }
    clock_gettime (CLOCK_THREAD_CPUTIME_ID, &after);
    least = MIN (least, (guint64)((after.tv_sec - before.tv_sec) * 1000000000
                                  + after.tv_nsec - before.tv_nsec));
  }
  for (guint i = 1; i <= n; i++)
    pyro_live_elements_remove (GUINT_TO_POINTER (i * 64));
  return least;
}

static void
test_many_elements (void)
{
  guint64 few = time_guesses (2);
  guint64 many = time_guesses (20000);

  g_test_message ("100 guesses: %" G_GUINT64_FORMAT " ns beside 2 elements, "
                  "%" G_GUINT64_FORMAT " beside 20000",
                  few, many);
  g_assert_cmpuint (many, <, 10 * few);
}

/* the loader */

static struct {
  GMutex lock;
  GCond cond;
  gboolean is_held, is_done, timed_out;
} held;

static int
hold (struct dl_phdr_info *info, size_t size, void *data)
{
  gint64 until = g_get_monotonic_time () + 20 * G_TIME_SPAN_SECOND;

  g_mutex_lock (&held.lock);
  held.is_held = TRUE;
  g_cond_broadcast (&held.cond);
  while (!held.is_done && !held.timed_out)
    held.timed_out = !g_cond_wait_until (&held.cond, &held.lock, until);
  g_mutex_unlock (&held.lock);
  return 1;
}

static gpointer
hold_loader (gpointer data)
{
  dl_iterate_phdr (hold, NULL);
  return NULL;
}

/* As an unwinder, another profiler or a debugger's library may. */
static void
test_loader_is_held (void)
{
  GThread *thread = g_thread_new ("holder", hold_loader, NULL);
  GstElement *element;

  g_mutex_lock (&held.lock);
  while (!held.is_held)
    g_cond_wait (&held.cond, &held.lock);
  g_mutex_unlock (&held.lock);

  element = pyro_witness_new (PYRO_WITNESS_FILTER, NULL);
  gst_element_set_state (element, GST_STATE_READY);
  g_assert_cmphex (pyro_owners_find (EXACT (witness_node), base_start, NULL),
                   ==, 0);
  gst_element_set_state (element, GST_STATE_NULL);
  gst_object_unref (element);

  g_mutex_lock (&held.lock);
  held.is_done = TRUE;
  g_cond_broadcast (&held.cond);
  g_mutex_unlock (&held.lock);
  g_thread_join (thread);
  g_assert_false (held.timed_out);
}

int
main (int argc, char **argv)
{
  void *base;

  gst_init (&argc, &argv);
  g_test_init (&argc, &argv, NULL);
  pyro_witness_start_hooks ();
  identity = gst_element_factory_make ("identity", "the-one");
  witness = pyro_witness_new (PYRO_WITNESS_FILTER, "witness");
  g_assert_nonnull (identity);
  identity_node = pyro_label_word_node (pyro_nodes_use_element (identity));
  witness_node = node_of (witness);
  base = dlopen ("libgstbase-1.0.so.0", RTLD_NOW | RTLD_NOLOAD);
  g_assert_nonnull (base);
  base_start = dlsym (base, "gst_base_src_wait_playing");
  g_assert_nonnull (base_start);
#if defined(HAVE_OPENMP)
  gomp_function = (gpointer)omp_get_max_threads;
#endif
  base_new = (void *(*)(void *))dlsym (base, "gst_flow_combiner_new");
  g_assert_nonnull (base_new);
  base_free = (void (*) (void *))dlsym (base, "gst_flow_combiner_free");
  g_assert_nonnull (base_free);
  pyro_libraries_refresh (FALSE);
#if !defined(HAVE_DL_FIND_OBJECT)
  pyro_modules_refresh (pyro_modules_new (TRUE));
#endif

#define ADD(name, func) g_test_add_func (name, func)
  ADD ("/libraries/an-address-has-a-library-of-a-kind", test_kinds);
  ADD ("/libraries/direct-and-other-links", test_links);
  ADD ("/libraries/modules-that-come-and-go", test_loaded_and_unloaded);
  ADD ("/libraries/one-takes-the-place-of-another", test_exchanged);
  g_test_add_func ("/libraries/whoever-loads-one-adds-it-alone", test_added);
  ADD ("/owners/threads-of-the-process-are-nobodys", test_nobody);
  ADD ("/owners/where-the-start-says-nothing-the-creator-counts",
       test_says_nothing);
  ADD ("/owners/only-who-links-the-library-owns-its-thread",
       test_library_allows);
  ADD ("/owners/the-creators-stack-tells-which-element", test_stack_tells);
  ADD ("/owners/a-pools-task-is-its-pushers-if-that-can-have-its-function",
       test_tasks_of_pools);
  ADD ("/owners/the-application-finds-in-its-pools-what-it-put-there",
       test_fields_of_pools);
  ADD ("/owners/the-only-element-of-a-library", test_only_one);
  ADD ("/owners/a-team-is-its-makers-until-another-element-uses-it",
       test_teams);
  ADD ("/owners/threads-of-a-shared-thread-are-shared", test_shared_creator);
  ADD ("/owners/many-elements-cost-as-much-as-few", test_many_elements);
  ADD ("/owners/whoever-holds-the-loaders-lock-is-not-waited-for",
       test_loader_is_held);
#undef ADD
  return g_test_run ();
}
