/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bench-owners [ROUNDS]: what the wrappers of thread-owners add to the calls
 * that make threads and tasks, inside an element of a running pipeline under
 * the tracer. Calls that go through the wrappers and calls to the functions
 * themselves take turns; printed are medians over the rounds.
 */

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include <gst/base/gstadapter.h>
#include <gst/gst.h>

#define N_CALLS 400

typedef int (*CreateFunc) (pthread_t *, const pthread_attr_t *,
                           void *(*)(void *), void *);
typedef GThreadPool *(*PoolNewFunc) (GFunc, gpointer, gint, gboolean,
                                     GError **);
typedef gboolean (*PoolPushFunc) (GThreadPool *, gpointer, GError **);
typedef void (*PoolFreeFunc) (GThreadPool *, gboolean, gboolean);

/* The ones that this program calls by name: the tracer leads them through its
 * wrappers. By dlsym() they are the functions themselves. */
typedef struct {
  CreateFunc create;
  PoolNewFunc pool_new;
  PoolPushFunc pool_push;
  PoolFreeFunc pool_free;
} Functions;

static guint rounds = 31;

static guint64
clock_ns (clockid_t clock)
{
  struct timespec time;

  clock_gettime (clock, &time);
  return (guint64)time.tv_sec * GST_SECOND + (guint64)time.tv_nsec;
}

static void *
do_nothing (void *data)
{
  return data;
}

static void
make_threads (const Functions *functions, void *(*start) (void *))
{
  for (guint i = 0; i < N_CALLS; i++) {
    pthread_t thread;

    if (functions->create (&thread, NULL, start, NULL) != 0)
      g_error ("no thread can be made");
    pthread_join (thread, NULL);
  }
}

static void
threads_of_the_program (const Functions *functions)
{
  make_threads (functions, do_nothing);
}

/* Its library is linked by the plugin of all elements here: which one made the
 * thread is searched on the stack. */
static void
threads_of_a_library (const Functions *functions)
{
  make_threads (functions,
                (void *(*)(void *))G_CALLBACK (gst_adapter_get_type));
}

/* Of a library that the elements' plugin links: the program's own function
 * would be the application's, and nobody's. */
static void
tasks (const Functions *functions)
{
  GThreadPool *pool = functions->pool_new (
      (GFunc)G_CALLBACK (gst_adapter_get_type), NULL, 1, FALSE, NULL);

  for (guint i = 0; i < N_CALLS; i++)
    functions->pool_push (pool, GUINT_TO_POINTER (i + 1), NULL);
  functions->pool_free (pool, FALSE, TRUE);
}

static void
cpu_clocks (const Functions *functions)
{
  if (functions->create != pthread_create)
    return;
  for (guint i = 0; i < N_CALLS; i++)
    clock_ns (CLOCK_THREAD_CPUTIME_ID);
}

static const struct {
  const gchar *name;
  void (*run) (const Functions *functions);
} rows[] = {
  { "pthread_create() and join, routine of the program: nobody's",
    threads_of_the_program },
  { "the same, routine of a library: stack is searched", threads_of_a_library },
  { "task of a GThreadPool, pushed and run", tasks },
  { "CPU clock, read at each turn to another owner", cpu_clocks },
};

typedef struct {
  gdouble process, caller;
} Cost;

static Cost
measure (void (*run) (const Functions *functions), const Functions *functions)
{
  guint64 process = clock_ns (CLOCK_PROCESS_CPUTIME_ID);
  guint64 caller = clock_ns (CLOCK_THREAD_CPUTIME_ID);

  run (functions);
  caller = clock_ns (CLOCK_THREAD_CPUTIME_ID) - caller;
  process = clock_ns (CLOCK_PROCESS_CPUTIME_ID) - process;
  return (Cost){ (gdouble)process / N_CALLS, (gdouble)caller / N_CALLS };
}

static int
compare (const void *a, const void *b)
{
  const gdouble *first = a, *second = b;

  return (*first > *second) - (*first < *second);
}

static gdouble
median (gdouble *values)
{
  qsort (values, rounds, sizeof *values, compare);
  return values[rounds / 2];
}

static gpointer
find (const gchar *name)
{
  gpointer function = dlsym (RTLD_DEFAULT, name);

  g_assert (function != NULL);
  return function;
}

static void
on_handoff (GstElement *element, GstBuffer *buffer, GstPad *pad, gpointer data)
{
  const Functions wrapped = { pthread_create, g_thread_pool_new,
                              g_thread_pool_push, g_thread_pool_free };
  const Functions themselves = { (CreateFunc)find ("pthread_create"),
                                 (PoolNewFunc)find ("g_thread_pool_new"),
                                 (PoolPushFunc)find ("g_thread_pool_push"),
                                 (PoolFreeFunc)find ("g_thread_pool_free") };
  g_autofree gdouble *costs = g_new (gdouble, 4 * rounds);

  if (wrapped.create == themselves.create)
    g_error ("the tracer is not there, or thread-owners is off");
  g_print ("%-52s %22s %22s\n", "", "process, CPU ns/call",
           "caller, CPU ns/call");
  g_print ("%-52s %10s %11s %10s %11s\n", "", "itself", "wrapper +", "itself",
           "wrapper +");
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
    for (guint round = 0; round < rounds; round++) {
      Cost with, without;

      if (round % 2)
        with = measure (rows[i].run, &wrapped);
      without = measure (rows[i].run, &themselves);
      if (round % 2 == 0)
        with = measure (rows[i].run, &wrapped);
      costs[round] = without.process;
      costs[rounds + round] = with.process - without.process;
      costs[2 * rounds + round] = without.caller;
      costs[3 * rounds + round] = with.caller - without.caller;
    }
    g_print ("%-52s %10.0f %11.0f %10.0f %11.0f\n", rows[i].name,
             median (costs), median (costs + rounds),
             median (costs + 2 * rounds), median (costs + 3 * rounds));
  }
}

int
main (int argc, char **argv)
{
  GstElement *pipeline;
  GstMessage *end;

  g_setenv ("GST_TRACERS", "pyroscope(server-url=)", FALSE);
  gst_init (&argc, &argv);
  if (argc > 1)
    rounds = MAX (1, (guint)strtoul (argv[1], NULL, 10));
  pipeline = gst_parse_launch ("fakesrc num-buffers=1 ! identity ! fakesink "
                               "name=sink signal-handoffs=true",
                               NULL);
  g_assert (pipeline != NULL);
  g_signal_connect (gst_bin_get_by_name (GST_BIN (pipeline), "sink"), "handoff",
                    G_CALLBACK (on_handoff), NULL);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  end = gst_bus_timed_pop_filtered (gst_element_get_bus (pipeline),
                                    GST_CLOCK_TIME_NONE, GST_MESSAGE_EOS);
  gst_message_unref (end);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  return 0;
}
