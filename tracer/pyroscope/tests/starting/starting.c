/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Applications whose elements make threads, open libraries or load plugins at
 * awkward times: starting CASE (see run-starting.py). */

#include <stdlib.h>
#include <string.h>

#include <gst/gst.h>

#define N_PIPELINES 3

static GstElement *
launch (const gchar *name, const gchar *description)
{
  GError *error = NULL;
  GstElement *pipeline = gst_parse_launch (description, &error);

  if (error != NULL)
    g_error ("%s", error->message);
  gst_object_set_name (GST_OBJECT (pipeline), name);
  return pipeline;
}

static void
play_to_the_end (GstElement *pipeline)
{
  GstBus *bus = gst_element_get_bus (pipeline);
  GstMessage *message;

  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  message = gst_bus_timed_pop_filtered (bus, GST_CLOCK_TIME_NONE,
                                        GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  if (GST_MESSAGE_TYPE (message) != GST_MESSAGE_EOS)
    g_error ("no end of stream");
  gst_message_unref (message);
  gst_object_unref (bus);
  gst_element_set_state (pipeline, GST_STATE_NULL);
}

static gint n_ready;

static gpointer
run_pipeline (gpointer data)
{
  g_atomic_int_inc (&n_ready);
  while (g_atomic_int_get (&n_ready) < N_PIPELINES)
    ;
  play_to_the_end (data);
  return NULL;
}

/* The first change of state of each comes at the same moment. */
static void
play_together (guint n_buffers)
{
  g_autofree gchar *description
      = g_strdup_printf ("pyroburnsrc num-buffers=%u ! pyroburnworkers "
                         "threads=pthreads data-cost=5000 ! fakesink",
                         n_buffers);
  GThread *threads[N_PIPELINES];

  for (guint i = 0; i < N_PIPELINES; i++) {
    gchar *name = g_strdup_printf ("pipeline-%u", i);

    threads[i] = g_thread_new (name, run_pipeline, launch (name, description));
    g_free (name);
  }
  for (guint i = 0; i < N_PIPELINES; i++)
    g_thread_join (threads[i]);
}

static void
together (void)
{
  play_together (40);
}

static void
together_for_long (void)
{
  play_together (200);
}

/* LEFT opens a library whose constructor makes threads. */
static void
opens (void)
{
  GstElement *pipeline = launch ("opens", "pyroopener name=right "
                                          "pyroopener name=left open=true");

  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  g_usleep (3 * G_USEC_PER_SEC);
  gst_element_set_state (pipeline, GST_STATE_NULL);
}

static void
on_handoff (GstElement *element, GstBuffer *buffer, gpointer data)
{
  static gboolean is_loaded;

  if (!is_loaded)
    gst_object_unref (gst_element_factory_make ("pyroslow", NULL));
  is_loaded = TRUE;
}

/* A plugin is loaded while identity works. */
static void
loads (void)
{
  GstElement *pipeline
      = launch ("loads", "pyroburnsrc num-buffers=20 data-cost=5000 ! "
                         "identity name=innocent signal-handoffs=true ! "
                         "fakesink");
  GstElement *innocent = gst_bin_get_by_name (GST_BIN (pipeline), "innocent");

  g_signal_connect (innocent, "handoff", G_CALLBACK (on_handoff), NULL);
  gst_object_unref (innocent);
  play_to_the_end (pipeline);
}

int
main (int argc, char **argv)
{
  static const struct {
    const gchar *name;
    void (*run) (void);
  } cases[] = { { "together", together },
                { "together-for-long", together_for_long },
                { "opens", opens },
                { "loads", loads } };

  gst_init (NULL, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    if (argc > 1 && strcmp (argv[1], cases[i].name) == 0) {
      cases[i].run ();
      return EXIT_SUCCESS;
    }
  return EXIT_FAILURE;
}
