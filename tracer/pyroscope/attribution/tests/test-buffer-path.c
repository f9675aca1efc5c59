/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Once a pad has had its first buffer, the hooks take no lock and allocate
 * nothing for the next ones: with them, a buffer costs as many calls of both
 * as without.
 */

#include <dlfcn.h>
#include <pthread.h>

#include "unwinding/tests/allocator.h"
#include "witness.h"

#define N_BUFFERS 1000

static gulong n_locks;

/* In front of the C library's and GLib's, for all of the process. */
#define COUNTED(result, function, type)                              \
  __attribute__ ((visibility ("default"))) result function (type *); \
  result function (type *lock)                                       \
  {                                                                  \
    static result (*real) (type *);                                  \
                                                                     \
    if (real == NULL)                                                \
      real = (result (*) (type *))dlsym (RTLD_NEXT, #function);      \
    __atomic_fetch_add (&n_locks, 1, __ATOMIC_RELAXED);              \
    return real (lock);                                              \
  }

COUNTED (int, pthread_mutex_lock, pthread_mutex_t)
COUNTED (int, pthread_mutex_trylock, pthread_mutex_t)
COUNTED (int, pthread_rwlock_rdlock, pthread_rwlock_t)
COUNTED (int, pthread_rwlock_wrlock, pthread_rwlock_t)
COUNTED (void, g_mutex_lock, GMutex)
COUNTED (gboolean, g_mutex_trylock, GMutex)
COUNTED (void, g_rec_mutex_lock, GRecMutex)
COUNTED (gboolean, g_rec_mutex_trylock, GRecMutex)
COUNTED (void, g_rw_lock_reader_lock, GRWLock)
COUNTED (void, g_rw_lock_writer_lock, GRWLock)

typedef struct {
  gulong allocations, locks;
} Calls;

static void
push (GstPad *feeder, gboolean list)
{
  GstBuffer *buffer = gst_buffer_new ();
  GstFlowReturn flow;

  if (list) {
    GstBufferList *buffers = gst_buffer_list_new ();

    gst_buffer_list_add (buffers, buffer);
    flow = gst_pad_push_list (feeder, buffers);
  } else {
    flow = gst_pad_push (feeder, buffer);
  }
  g_assert_cmpint (flow, ==, GST_FLOW_OK);
}

static Calls
count (GstPad *feeder, guint n_buffers, gboolean list)
{
  gulong allocations = pyro_test_n_allocations, locks = n_locks;

  for (guint i = 0; i < n_buffers; i++)
    push (feeder, list);
  return (Calls){ pyro_test_n_allocations - allocations, n_locks - locks };
}

/* N identities, then two sinks behind a tee. */
static GstElement *
make_pipeline (guint n, GstPad **feeder)
{
  GstElement *pipeline = gst_pipeline_new ("path");
  GstElement *last = gst_element_factory_make ("tee", "tee");
  g_autoptr (GstPad) first = NULL;

  pyro_add (pipeline, last);
  for (guint i = 0; i < 2; i++) {
    GstElement *sink = gst_element_factory_make ("fakesink", NULL);

    g_object_set (sink, "async", FALSE, NULL);
    pyro_add (pipeline, sink);
    pyro_link (last, sink);
  }
  for (guint i = 0; i < n; i++) {
    GstElement *next = gst_element_factory_make ("identity", NULL);

    pyro_add (pipeline, next);
    g_assert_true (gst_element_link_pads_full (next, "src", last, "sink",
                                               GST_PAD_LINK_CHECK_NOTHING));
    last = next;
  }
  pyro_play (pipeline);
  first = gst_element_get_static_pad (last, "sink");
  *feeder = pyro_feeder_new (first);
  return pipeline;
}

typedef struct {
  guint n_elements;
  gboolean lists;
  Calls without; /* before the process had a tracer */
} Path;

static void
measure_without (Path *path)
{
  GstPad *feeder;
  g_autoptr (GstElement) pipeline = make_pipeline (path->n_elements, &feeder);

  push (feeder, path->lists);
  path->without = count (feeder, N_BUFFERS, path->lists);
  pyro_feeder_free (feeder);
  pyro_stop (pipeline);
}

static void
test_path (gconstpointer data)
{
  const Path *path = data;
  GstPad *feeder;
  g_autoptr (GstElement) pipeline = make_pipeline (path->n_elements, &feeder);
  Calls first = count (feeder, 1, path->lists);
  Calls next = count (feeder, N_BUFFERS, path->lists);

  g_test_message ("first buffer: %lu allocations, %lu locks; then for each: "
                  "%.1f, %.1f; without hooks %.1f, %.1f",
                  first.allocations, first.locks,
                  (gdouble)next.allocations / N_BUFFERS,
                  (gdouble)next.locks / N_BUFFERS,
                  (gdouble)path->without.allocations / N_BUFFERS,
                  (gdouble)path->without.locks / N_BUFFERS);
  /* What is looked for would be seen: each pad is resolved once. */
  g_assert_cmpuint (first.locks, >,
                    path->without.locks / N_BUFFERS + path->n_elements);
  g_assert_cmpuint (next.allocations, ==, path->without.allocations);
  g_assert_cmpuint (next.locks, ==, path->without.locks);
  pyro_feeder_free (feeder);
  pyro_stop (pipeline);
}

int
main (int argc, char **argv)
{
  /* 500 have more pads than the thread's cache holds. */
  Path chain = { 10, FALSE }, lists = { 10, TRUE }, long_chain = { 500, FALSE };

  g_test_init (&argc, &argv, NULL);
  gst_init (&argc, &argv);
  if (!PYRO_TEST_HAS_ALLOCATOR) {
    g_print ("1..0 # SKIP the allocator is a sanitizer's\n");
    return 0;
  }
  measure_without (&chain);
  measure_without (&lists);
  measure_without (&long_chain);
  pyro_witness_start_hooks ();
  g_test_add_data_func ("/buffer path/ten elements and a tee", &chain,
                        test_path);
  g_test_add_data_func ("/buffer path/lists of buffers", &lists, test_path);
  g_test_add_data_func ("/buffer path/500 elements", &long_chain, test_path);
  return g_test_run ();
}
