/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Real pipelines under the hooks: whatever an element does, its thread is said
 * to execute that element, from the first instruction to the last. No sampling:
 * every function of every element looks (witness.h).
 */

#include "witness.h"

#define N_EXCHANGES 300

static void
test_chain (void)
{
  g_autoptr (GstElement) pipeline = gst_pipeline_new ("chain");
  GstElement *source
      = pyro_add_witness (pipeline, PYRO_WITNESS_SOURCE, "source");
  GstElement *one = pyro_add_witness (pipeline, PYRO_WITNESS_FILTER, "one");
  GstElement *two = pyro_add_witness (pipeline, PYRO_WITNESS_FILTER, "two");
  GstElement *sink = pyro_add_witness (pipeline, PYRO_WITNESS_SINK, "sink");

  g_assert_true (gst_element_link_many (source, one, two, sink, NULL));
  pyro_play_to_the_end (pipeline);
  pyro_assert_saw (source, PYRO_WITNESS_TASK, PYRO_WITNESS_BUFFERS);
  pyro_assert_saw (one, PYRO_WITNESS_CHAIN, PYRO_WITNESS_BUFFERS / 2);
  pyro_assert_saw (two, PYRO_WITNESS_CHAIN_LIST, PYRO_WITNESS_BUFFERS / 2);
  pyro_assert_saw (sink, PYRO_WITNESS_CHAIN_LIST, PYRO_WITNESS_BUFFERS / 2);
  pyro_assert_saw (sink, PYRO_WITNESS_EVENT, 3);
  pyro_assert_saw (two, PYRO_WITNESS_STATE, 6);
}

static void
test_pull (void)
{
  g_autoptr (GstElement) pipeline = gst_pipeline_new ("pull");
  GstElement *provider
      = pyro_add_witness (pipeline, PYRO_WITNESS_PROVIDER, "provider");
  GstElement *filter
      = pyro_add_witness (pipeline, PYRO_WITNESS_FILTER, "filter");
  GstElement *puller
      = pyro_add_witness (pipeline, PYRO_WITNESS_PULLER, "puller");

  g_assert_true (gst_element_link_many (provider, filter, puller, NULL));
  pyro_play_to_the_end (pipeline);
  pyro_assert_saw (provider, PYRO_WITNESS_GET_RANGE, PYRO_WITNESS_BUFFERS);
  pyro_assert_saw (filter, PYRO_WITNESS_GET_RANGE, PYRO_WITNESS_BUFFERS);
  pyro_assert_saw (puller, PYRO_WITNESS_TASK, PYRO_WITNESS_BUFFERS);
}

static void
test_events_and_queries (void)
{
  g_autoptr (GstElement) pipeline = gst_pipeline_new ("calls");
  GstElement *one = pyro_add_witness (pipeline, PYRO_WITNESS_FILTER, "one");
  GstElement *two = pyro_add_witness (pipeline, PYRO_WITNESS_FILTER, "two");
  GstElement *three = pyro_add_witness (pipeline, PYRO_WITNESS_FILTER, "three");
  g_autoptr (GstPad) first = gst_element_get_static_pad (one, "src");
  g_autoptr (GstPad) last = gst_element_get_static_pad (three, "sink");
  g_autoptr (GstQuery) custom = gst_query_new_custom (
      GST_QUERY_CUSTOM, gst_structure_new_empty ("test"));
  gint64 position;

  g_assert_true (gst_element_link_many (one, two, three, NULL));
  pyro_play (pipeline);
  for (guint i = 0; i < PYRO_WITNESS_BUFFERS; i++) {
    gst_pad_push_event (first,
                        pyro_custom_event (GST_EVENT_CUSTOM_DOWNSTREAM_OOB));
    pyro_assert_executing (NULL);
    gst_pad_push_event (last, pyro_custom_event (GST_EVENT_CUSTOM_UPSTREAM));
    pyro_assert_executing (NULL);
    gst_pad_query (last, custom);
    pyro_assert_executing (NULL);
    gst_pad_peer_query (last, custom);
    pyro_assert_executing (NULL);
    /* No element answers: GStreamer asks the pads. */
    gst_element_query_position (three, GST_FORMAT_TIME, &position);
    pyro_assert_executing (NULL);
    gst_element_query (pipeline, custom);
    pyro_assert_executing (NULL);
  }
  pyro_assert_saw (one, PYRO_WITNESS_EVENT, PYRO_WITNESS_BUFFERS);
  pyro_assert_saw (two, PYRO_WITNESS_EVENT, 2 * PYRO_WITNESS_BUFFERS);
  pyro_assert_saw (three, PYRO_WITNESS_EVENT, PYRO_WITNESS_BUFFERS);
  pyro_assert_saw (one, PYRO_WITNESS_QUERY, PYRO_WITNESS_BUFFERS);
  pyro_assert_saw (two, PYRO_WITNESS_QUERY, 2 * PYRO_WITNESS_BUFFERS);
  pyro_assert_saw (three, PYRO_WITNESS_QUERY, 2 * PYRO_WITNESS_BUFFERS);
  pyro_stop (pipeline);
}

/* The application's handler runs in whoever posts the message last: a message
 * goes through all bins, and comes back. */
static GstBusSyncReply
on_message (GstBus *bus, GstMessage *message, gpointer data)
{
  guint *n = data;

  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_APPLICATION) {
    pyro_assert_executing ("messages");
    ++*n;
  }
  return GST_BUS_PASS;
}

static void
post (GstElement *element, PyroWitnessWork work, gpointer data)
{
  if (work != PYRO_WITNESS_CHAIN && work != PYRO_WITNESS_TASK)
    return;
  gst_element_post_message (
      element, gst_message_new_application (GST_OBJECT (element),
                                            gst_structure_new_empty ("test")));
}

static void
test_messages (void)
{
  g_autoptr (GstElement) pipeline = gst_pipeline_new ("messages");
  GstElement *source
      = pyro_add_witness (pipeline, PYRO_WITNESS_SOURCE, "source");
  GstElement *bin = gst_bin_new ("bin");
  GstElement *sink = pyro_witness_new (PYRO_WITNESS_SINK, "sink");
  g_autoptr (GstPad) pad = gst_element_get_static_pad (sink, "sink");
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  guint n = 0, pauses = pyro_witness_get_pauses ();

  pyro_add (pipeline, bin);
  pyro_add (bin, sink);
  gst_element_add_pad (bin, gst_ghost_pad_new ("sink", pad));
  pyro_link (source, bin);
  pyro_witness_set_func (source, post, NULL);
  pyro_witness_set_func (sink, post, NULL);
  gst_bus_set_sync_handler (bus, on_message, &n, NULL);
  pyro_play_to_the_end (pipeline);
  g_assert_cmpuint (n, >=, PYRO_WITNESS_BUFFERS * 3 / 2);
  /* The end of the stream, and NULL. */
  g_assert_cmpuint (pyro_witness_get_pauses () - pauses, ==, 2);
}

static void
test_tee (void)
{
  g_autoptr (GstElement) pipeline = gst_pipeline_new ("tee");
  GstElement *source
      = pyro_add_witness (pipeline, PYRO_WITNESS_SOURCE, "source");
  GstElement *before
      = pyro_add_witness (pipeline, PYRO_WITNESS_FILTER, "before");
  GstElement *tee = gst_element_factory_make ("tee", "tee");
  GstElement *left = pyro_add_witness (pipeline, PYRO_WITNESS_SINK, "left");
  GstElement *right = pyro_add_witness (pipeline, PYRO_WITNESS_FILTER, "right");
  GstElement *behind
      = pyro_add_witness (pipeline, PYRO_WITNESS_FILTER, "behind");
  GstElement *end = pyro_add_witness (pipeline, PYRO_WITNESS_SINK, "end");
  GstElement *queue = gst_element_factory_make ("queue", "queue");
  GstElement *apart = pyro_add_witness (pipeline, PYRO_WITNESS_SINK, "apart");

  pyro_add (pipeline, tee);
  pyro_add (pipeline, queue);
  g_assert_true (gst_element_link_many (source, before, tee, left, NULL));
  g_assert_true (gst_element_link_many (tee, right, behind, end, NULL));
  g_assert_true (gst_element_link_many (tee, queue, apart, NULL));
  pyro_play_to_the_end (pipeline);
  pyro_assert_saw (left, PYRO_WITNESS_CHAIN, PYRO_WITNESS_BUFFERS / 2);
  pyro_assert_saw (behind, PYRO_WITNESS_CHAIN_LIST, PYRO_WITNESS_BUFFERS / 2);
  pyro_assert_saw (apart, PYRO_WITNESS_CHAIN_LIST, PYRO_WITNESS_BUFFERS / 2);
}

/* A buffer makes the filter send an event upstream, and the event makes the
 * element there send a buffer, into the same filter. */

static guint level, reentered;
static gboolean asked;

static void
send_upstream (GstElement *element, PyroWitnessWork work, gpointer data)
{
  g_autoptr (GstPad) pad = NULL;

  if (work != PYRO_WITNESS_CHAIN || level == 3)
    return;
  pad = gst_element_get_static_pad (element, "sink");
  asked = TRUE;
  gst_pad_push_event (pad, pyro_custom_event (GST_EVENT_CUSTOM_UPSTREAM));
}

static void
send_a_buffer (GstElement *element, PyroWitnessWork work, gpointer data)
{
  g_autoptr (GstPad) pad = NULL;

  if (work != PYRO_WITNESS_EVENT || !asked)
    return;
  asked = FALSE;
  pad = gst_element_get_static_pad (element, "src");
  level++;
  reentered++;
  gst_pad_push (pad, gst_buffer_new ());
  level--;
}

static void
test_reentrance (void)
{
  g_autoptr (GstElement) pipeline = gst_pipeline_new ("again");
  GstElement *source
      = pyro_add_witness (pipeline, PYRO_WITNESS_SOURCE, "source");
  GstElement *outer = pyro_add_witness (pipeline, PYRO_WITNESS_FILTER, "outer");
  GstElement *inner = pyro_add_witness (pipeline, PYRO_WITNESS_FILTER, "inner");
  GstElement *sink = pyro_add_witness (pipeline, PYRO_WITNESS_SINK, "sink");

  g_assert_true (gst_element_link_many (source, outer, inner, sink, NULL));
  pyro_witness_set_func (inner, send_upstream, NULL);
  pyro_witness_set_func (outer, send_a_buffer, NULL);
  pyro_play_to_the_end (pipeline);
  g_assert_cmpuint (reentered, ==, 3 * PYRO_WITNESS_BUFFERS / 2);
  pyro_assert_saw (inner, PYRO_WITNESS_CHAIN, PYRO_WITNESS_BUFFERS);
}

/* As an element does that was given a buffer in another way than by a push. */
static void
test_chained_by_hand (void)
{
  g_autoptr (GstElement) pipeline = gst_pipeline_new ("by-hand");
  GstElement *filter
      = pyro_add_witness (pipeline, PYRO_WITNESS_FILTER, "filter");
  GstElement *sink = pyro_add_witness (pipeline, PYRO_WITNESS_SINK, "sink");
  g_autoptr (GstPad) pad = gst_element_get_static_pad (filter, "sink");
  GstPad *feeder;

  pyro_link (filter, sink);
  pyro_play (pipeline);
  feeder = pyro_feeder_new (pad);
  for (guint i = 0; i < PYRO_WITNESS_BUFFERS; i++) {
    GstBufferList *list = gst_buffer_list_new ();

    gst_buffer_list_add (list, gst_buffer_new ());
    gst_pad_chain_list (pad, list);
    pyro_assert_executing (NULL);
    gst_pad_chain (pad, gst_buffer_new ());
    pyro_assert_executing (NULL);
  }
  pyro_assert_saw (filter, PYRO_WITNESS_CHAIN, PYRO_WITNESS_BUFFERS);
  pyro_assert_saw (sink, PYRO_WITNESS_CHAIN_LIST, PYRO_WITNESS_BUFFERS);
  pyro_feeder_free (feeder);
  pyro_stop (pipeline);
}

static void
test_renamed_while_playing (void)
{
  g_autoptr (GstElement) pipeline = gst_pipeline_new ("renamed");
  GstElement *filter
      = pyro_add_witness (pipeline, PYRO_WITNESS_FILTER, "filter");
  GstElement *sink = pyro_add_witness (pipeline, PYRO_WITNESS_SINK, "sink");
  g_autoptr (GstPad) pad = gst_element_get_static_pad (filter, "sink");
  GstPad *feeder;

  pyro_link (filter, sink);
  pyro_play (pipeline);
  feeder = pyro_feeder_new (pad);
  for (guint i = 0; i < PYRO_WITNESS_BUFFERS; i++) {
    g_autofree gchar *name = g_strdup_printf ("renamed-%u", i);

    gst_pad_push (feeder, gst_buffer_new ());
    gst_object_set_name (GST_OBJECT (pipeline), name);
    /* There is no hook for it; the next of the pipeline's own tells. */
    gst_element_post_message (
        filter, gst_message_new_application (GST_OBJECT (filter),
                                             gst_structure_new_empty ("test")));
  }
  pyro_assert_saw (sink, PYRO_WITNESS_CHAIN, PYRO_WITNESS_BUFFERS);
  pyro_feeder_free (feeder);
  pyro_stop (pipeline);
}

/* Each time another element is in the middle; the one before is freed, and its
 * address and those of its pads are used again. */
static void
exchange (GstElement *element, PyroWitnessWork work, gpointer data)
{
  static gchar *last;
  gint *n = data;
  GstElement *pipeline = GST_ELEMENT (GST_OBJECT_PARENT (element));
  GstElement *middle, *next;
  g_autoptr (GstElement) sink = NULL;

  /* Not beside the application, which goes through all elements until they
   * play. */
  if (work != PYRO_WITNESS_TASK || g_atomic_int_get (n) < 0
      || g_atomic_int_get (n) == N_EXCHANGES)
    return;
  middle = gst_bin_get_by_name (GST_BIN (pipeline),
                                last != NULL ? last : "middle");
  sink = gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  gst_element_unlink_many (element, middle, sink, NULL);
  gst_bin_remove (GST_BIN (pipeline), middle);
  gst_element_set_state (middle, GST_STATE_NULL);
  gst_object_unref (middle);

  g_free (last);
  last = g_strdup_printf ("middle-%d", *n);
  next = pyro_add_witness (pipeline, PYRO_WITNESS_FILTER, last);
  g_assert_true (gst_element_link_many (element, next, sink, NULL));
  g_assert_true (gst_element_sync_state_with_parent (next));
  g_atomic_int_inc (n);
}

static void
test_exchanged_elements (void)
{
  g_autoptr (GstElement) pipeline = gst_pipeline_new ("exchanged");
  GstElement *source
      = pyro_add_witness (pipeline, PYRO_WITNESS_SOURCE, "source");
  GstElement *middle
      = pyro_add_witness (pipeline, PYRO_WITNESS_FILTER, "middle");
  GstElement *sink = pyro_add_witness (pipeline, PYRO_WITNESS_SINK, "sink");
  gint n = -1;

  g_assert_true (gst_element_link_many (source, middle, sink, NULL));
  pyro_witness_set_buffers (source, G_MAXUINT);
  pyro_witness_set_func (source, exchange, &n);
  pyro_play (pipeline);
  g_assert_cmpint (
      gst_element_get_state (pipeline, NULL, NULL, PYRO_WITNESS_WAIT), ==,
      GST_STATE_CHANGE_SUCCESS);
  g_atomic_int_set (&n, 0);
  while (g_atomic_int_get (&n) < N_EXCHANGES)
    g_usleep (1000);
  pyro_stop (pipeline);
  pyro_assert_saw (sink, PYRO_WITNESS_CHAIN_LIST, N_EXCHANGES / 4);
}

int
main (int argc, char **argv)
{
  gst_init (&argc, &argv);
  g_test_init (&argc, &argv, NULL);
  pyro_witness_start_hooks ();
  g_test_add_func ("/hooks/buffers-and-lists-are-whose-chain-it-is",
                   test_chain);
  g_test_add_func ("/hooks/buffers-that-were-not-pushed", test_chained_by_hand);
  g_test_add_func ("/hooks/what-is-pulled-is-whose-getrange-it-is", test_pull);
  g_test_add_func ("/hooks/events-and-queries-are-the-receivers",
                   test_events_and_queries);
  g_test_add_func ("/hooks/messages-return-to-the-one-that-posted",
                   test_messages);
  g_test_add_func ("/hooks/a-tees-branches-keep-apart", test_tee);
  g_test_add_func ("/hooks/elements-that-are-entered-again", test_reentrance);
  g_test_add_func ("/hooks/a-pipeline-that-is-renamed-while-it-plays",
                   test_renamed_while_playing);
  g_test_add_func ("/hooks/elements-exchanged-at-the-same-address",
                   test_exchanged_elements);
  return g_test_run ();
}
