/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* As test-hooks.c, for pads that are not simply those of two elements: ghosts,
 * pads without a parent or a peer, hooks that GStreamer leaves out. */

#include "witness.h"

/* A bin with ghost pads in a bin with ghost pads, around a filter "same". */
static GstElement *
make_bin (const gchar *name, guint depth, GstElement **filter)
{
  GstElement *bin = gst_bin_new (name), *inside;
  g_autoptr (GstPad) sink = NULL;
  g_autoptr (GstPad) src = NULL;

  if (depth > 1)
    inside = make_bin ("inner", depth - 1, filter);
  else
    inside = *filter = pyro_witness_new (PYRO_WITNESS_FILTER, "same");
  pyro_add (bin, inside);
  sink = gst_element_get_static_pad (inside, "sink");
  src = gst_element_get_static_pad (inside, "src");
  gst_element_add_pad (bin, gst_ghost_pad_new ("sink", sink));
  gst_element_add_pad (bin, gst_ghost_pad_new ("src", src));
  return bin;
}

static void
test_ghost_pads (void)
{
  g_autoptr (GstElement) pipeline = gst_pipeline_new ("ghosts");
  GstElement *source
      = pyro_add_witness (pipeline, PYRO_WITNESS_SOURCE, "source");
  GstElement *one, *two;
  GstElement *first = make_bin ("first", 1, &one);
  GstElement *second = make_bin ("second", 3, &two);
  GstElement *sink = pyro_add_witness (pipeline, PYRO_WITNESS_SINK, "sink");

  pyro_add (pipeline, first);
  pyro_add (pipeline, second);
  g_assert_true (gst_element_link_many (source, first, second, sink, NULL));
  pyro_play_to_the_end (pipeline);
  pyro_assert_saw (one, PYRO_WITNESS_CHAIN, PYRO_WITNESS_BUFFERS / 2);
  pyro_assert_saw (two, PYRO_WITNESS_CHAIN_LIST, PYRO_WITNESS_BUFFERS / 2);
}

static void
test_ghost_pads_pulled_through (void)
{
  g_autoptr (GstElement) pipeline = gst_pipeline_new ("pulled-ghosts");
  GstElement *provider
      = pyro_add_witness (pipeline, PYRO_WITNESS_PROVIDER, "provider");
  GstElement *filter;
  GstElement *bin = make_bin ("bin", 2, &filter);
  GstElement *puller
      = pyro_add_witness (pipeline, PYRO_WITNESS_PULLER, "puller");

  pyro_add (pipeline, bin);
  g_assert_true (gst_element_link_many (provider, bin, puller, NULL));
  pyro_play_to_the_end (pipeline);
  pyro_assert_saw (filter, PYRO_WITNESS_GET_RANGE, PYRO_WITNESS_BUFFERS);
}

/* A ghost pad that gets another target while data flows. */
static void
retarget (GstElement *element, PyroWitnessWork work, gpointer data)
{
  GstElement *bin = data;
  static const gchar *const names[] = { "even", "odd" };
  static guint n;
  g_autoptr (GstElement) target = NULL;
  g_autoptr (GstPad) pad = NULL;
  g_autoptr (GstPad) ghost = NULL;

  if (work != PYRO_WITNESS_TASK)
    return;
  target = gst_bin_get_by_name (GST_BIN (bin), names[n++ % 2]);
  pad = gst_element_get_static_pad (target, "sink");
  ghost = gst_element_get_static_pad (bin, "sink");
  g_assert_true (gst_ghost_pad_set_target (GST_GHOST_PAD (ghost), pad));
}

static void
test_ghost_pads_retargeted (void)
{
  g_autoptr (GstElement) pipeline = gst_pipeline_new ("retargeted");
  GstElement *source
      = pyro_add_witness (pipeline, PYRO_WITNESS_SOURCE, "source");
  GstElement *bin = gst_bin_new ("bin");
  GstElement *even = pyro_witness_new (PYRO_WITNESS_SINK, "even");
  GstElement *odd = pyro_witness_new (PYRO_WITNESS_SINK, "odd");
  g_autoptr (GstPad) pad = gst_element_get_static_pad (even, "sink");

  pyro_add (pipeline, bin);
  pyro_add (bin, even);
  pyro_add (bin, odd);
  gst_element_add_pad (bin, gst_ghost_pad_new ("sink", pad));
  pyro_link (source, bin);
  pyro_witness_set_func (source, retarget, bin);
  pyro_play (pipeline);
  while (pyro_witness_get_seen (source, PYRO_WITNESS_TASK)
         <= PYRO_WITNESS_BUFFERS)
    g_usleep (1000);
  pyro_stop (pipeline);
  pyro_assert_saw (even, PYRO_WITNESS_CHAIN, PYRO_WITNESS_BUFFERS / 4);
  pyro_assert_saw (odd, PYRO_WITNESS_CHAIN_LIST, PYRO_WITNESS_BUFFERS / 4);
}

/* Pads of no element, as rtspsrc has them: what they do is done by whoever
 * calls them. */

static GstFlowReturn
chain_of_nobody (GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  pyro_assert_executing (gst_pad_get_element_private (pad));
  gst_buffer_unref (buffer);
  return GST_FLOW_OK;
}

static void
test_parentless_pads (void)
{
  GstElement *filter
      = gst_object_ref_sink (pyro_witness_new (PYRO_WITNESS_FILTER, "filter"));
  GstPad *sink = gst_object_ref_sink (gst_pad_new ("sink", GST_PAD_SINK));
  g_autoptr (GstPad) filter_sink = gst_element_get_static_pad (filter, "sink");
  g_autoptr (GstPad) filter_src = gst_element_get_static_pad (filter, "src");
  GstPad *feeder;

  gst_pad_set_chain_function (sink, chain_of_nobody);
  gst_pad_set_element_private (sink, (gpointer) "filter");
  gst_pad_set_active (sink, TRUE);
  g_assert_cmpint (gst_pad_link (filter_src, sink), ==, GST_PAD_LINK_OK);
  pyro_play (filter);
  feeder = pyro_feeder_new (filter_sink);
  for (guint i = 0; i < PYRO_WITNESS_BUFFERS; i++) {
    g_assert_cmpint (gst_pad_push (feeder, gst_buffer_new ()), ==, GST_FLOW_OK);
    pyro_assert_executing (NULL);
  }
  pyro_assert_saw (filter, PYRO_WITNESS_CHAIN, PYRO_WITNESS_BUFFERS);
  pyro_feeder_free (feeder);

  /* Nobody on either side. */
  gst_pad_unlink (filter_src, sink);
  gst_pad_set_element_private (sink, NULL);
  feeder = pyro_feeder_new (sink);
  g_assert_cmpint (gst_pad_push (feeder, gst_buffer_new ()), ==, GST_FLOW_OK);
  pyro_assert_executing (NULL);
  pyro_feeder_free (feeder);

  pyro_stop (filter);
  gst_pad_set_active (sink, FALSE);
  gst_object_unref (sink);
  gst_object_unref (filter);
}

static void
push_into_nothing (GstElement *element, PyroWitnessWork work, gpointer data)
{
  g_autoptr (GstPad) pad = NULL;
  g_autoptr (GstQuery) custom = NULL;

  if (work != PYRO_WITNESS_CHAIN)
    return;
  pad = gst_element_get_static_pad (element, "src");
  custom = gst_query_new_custom (GST_QUERY_CUSTOM,
                                 gst_structure_new_empty ("test"));
  g_assert_cmpint (gst_pad_push (pad, gst_buffer_new ()), ==,
                   GST_FLOW_NOT_LINKED);
  pyro_assert_executing ("unlinked/filter");
  gst_pad_push_event (pad, pyro_custom_event (GST_EVENT_CUSTOM_DOWNSTREAM_OOB));
  pyro_assert_executing ("unlinked/filter");
  gst_pad_peer_query (pad, custom);
}

static void
test_unlinked_pads (void)
{
  g_autoptr (GstElement) pipeline = gst_pipeline_new ("unlinked");
  GstElement *filter
      = pyro_add_witness (pipeline, PYRO_WITNESS_FILTER, "filter");
  g_autoptr (GstPad) pad = gst_element_get_static_pad (filter, "sink");
  GstPad *feeder;

  pyro_witness_set_func (filter, push_into_nothing, NULL);
  pyro_play (pipeline);
  feeder = pyro_feeder_new (pad);
  for (guint i = 0; i < PYRO_WITNESS_BUFFERS; i++) {
    gst_pad_push (feeder, gst_buffer_new ());
    pyro_assert_executing (NULL);
  }
  pyro_assert_saw (filter, PYRO_WITNESS_CHAIN, PYRO_WITNESS_BUFFERS);
  pyro_feeder_free (feeder);
  pyro_stop (pipeline);
}

/* GStreamer 1.22 leaves some pre hooks without their post hook: whatever was
 * called, the caller is the one that executes when it goes on. */
static void
call_what_fails (GstElement *element, PyroWitnessWork work, gpointer data)
{
  g_autoptr (GstPad) src = NULL;
  g_autoptr (GstPad) peer = NULL;
  GstPad *mute = data;
  g_autoptr (GstQuery) custom = NULL;

  if (work != PYRO_WITNESS_CHAIN)
    return;
  src = gst_element_get_static_pad (element, "src");
  peer = gst_pad_get_peer (src);
  custom = gst_query_new_custom (GST_QUERY_CUSTOM,
                                 gst_structure_new_empty ("test"));
  for (guint i = 0; i < 100; i++) {
    gst_pad_query (mute, custom);
    gst_pad_query (src, custom);
  }
  /* The next hook puts it right at the latest. */
  gst_pad_push_event (src, pyro_custom_event (GST_EVENT_CUSTOM_DOWNSTREAM_OOB));
}

static void
test_missing_post_hooks (void)
{
  g_autoptr (GstElement) pipeline = gst_pipeline_new ("missing");
  GstElement *source
      = pyro_add_witness (pipeline, PYRO_WITNESS_SOURCE, "source");
  GstElement *filter
      = pyro_add_witness (pipeline, PYRO_WITNESS_FILTER, "filter");
  GstElement *sink = pyro_add_witness (pipeline, PYRO_WITNESS_SINK, "sink");
  GstElement *other = pyro_add_witness (pipeline, PYRO_WITNESS_FILTER, "other");
  g_autoptr (GstPad) mute = gst_element_get_static_pad (other, "src");

  gst_pad_set_query_function (mute, NULL);
  g_assert_true (gst_element_link_many (source, filter, sink, NULL));
  pyro_witness_set_func (filter, call_what_fails, mute);
  pyro_play (pipeline);
  while (pyro_witness_get_seen (sink, PYRO_WITNESS_CHAIN_LIST)
         < PYRO_WITNESS_BUFFERS / 2)
    g_usleep (1000);
  pyro_stop (pipeline);
}

int
main (int argc, char **argv)
{
  gst_init (&argc, &argv);
  g_test_init (&argc, &argv, NULL);
  pyro_witness_start_hooks ();
  g_test_add_func ("/hooks-of-pads/ghost-pads-and-equal-names-in-bins",
                   test_ghost_pads);
  g_test_add_func ("/hooks-of-pads/ghost-pads-that-are-pulled-through",
                   test_ghost_pads_pulled_through);
  g_test_add_func ("/hooks-of-pads/ghost-pads-with-a-new-target",
                   test_ghost_pads_retargeted);
  g_test_add_func ("/hooks-of-pads/pads-without-a-parent-hide-nobody",
                   test_parentless_pads);
  g_test_add_func ("/hooks-of-pads/unlinked-pads-leave-nothing-behind",
                   test_unlinked_pads);
  g_test_add_func ("/hooks-of-pads/missing-post-hooks-repair-themselves",
                   test_missing_post_hooks);
  return g_test_run ();
}
