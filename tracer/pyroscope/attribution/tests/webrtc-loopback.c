/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Plays two webrtcbin, one of which sends a video that "enc" encodes to the
 * other one, behind which it is decoded. Without the headers of the plugins:
 * descriptions are handed on as they come.
 */

#include <gst/gst.h>

#define PLAYING_TIME (6 * GST_SECOND)

static GstElement *pipeline, *from, *to;

static GstElement *
get (const gchar *name)
{
  GstElement *element = gst_bin_get_by_name (GST_BIN (pipeline), name);

  g_assert (element != NULL);
  return element;
}

/* KIND is "offer" or "answer": both ends are told of it. */
static void
on_created (GstPromise *promise, gpointer data)
{
  const gchar *kind = data;
  gboolean is_offer = g_str_equal (kind, "offer");
  const GValue *value
      = gst_structure_get_value (gst_promise_get_reply (promise), kind);
  gpointer description;

  g_assert (value != NULL);
  description = g_value_get_boxed (value);
  g_signal_emit_by_name (is_offer ? from : to, "set-local-description",
                         description, NULL);
  g_signal_emit_by_name (is_offer ? to : from, "set-remote-description",
                         description, NULL);
  gst_promise_unref (promise);
  if (is_offer)
    g_signal_emit_by_name (
        to, "create-answer", NULL,
        gst_promise_new_with_change_func (on_created, "answer", NULL));
}

static void
on_negotiation_needed (GstElement *webrtc, gpointer data)
{
  g_signal_emit_by_name (
      webrtc, "create-offer", NULL,
      gst_promise_new_with_change_func (on_created, "offer", NULL));
}

static void
on_ice_candidate (GstElement *webrtc, guint line, const gchar *candidate,
                  gpointer data)
{
  g_signal_emit_by_name (webrtc == from ? to : from, "add-ice-candidate", line,
                         candidate);
}

static void
on_pad_added (GstElement *webrtc, GstPad *pad, gpointer data)
{
  g_autoptr (GError) error = NULL;
  GstElement *decoder;

  if (GST_PAD_DIRECTION (pad) != GST_PAD_SRC)
    return;
  decoder = gst_parse_bin_from_description (
      "rtpvp8depay ! vp8dec ! fakesink async=false", TRUE, &error);
  g_assert_no_error (error);
  gst_bin_add (GST_BIN (pipeline), decoder);
  gst_element_sync_state_with_parent (decoder);
  gst_pad_link (pad, decoder->sinkpads->data);
}

int
main (int argc, char **argv)
{
  GstMessage *message;

  gst_init (&argc, &argv);
  pipeline = gst_parse_launch (
      "videotestsrc is-live=true pattern=snow "
      "! video/x-raw,width=640,height=360,framerate=30/1 ! queue "
      "! vp8enc name=enc deadline=1 threads=2 cpu-used=4 ! rtpvp8pay "
      "! application/x-rtp,media=video,encoding-name=VP8,payload=96 "
      "! webrtcbin name=webrtc-from webrtcbin name=webrtc-to",
      NULL);
  g_assert (pipeline != NULL);
  from = get ("webrtc-from");
  to = get ("webrtc-to");
  g_signal_connect (from, "on-negotiation-needed",
                    G_CALLBACK (on_negotiation_needed), NULL);
  g_signal_connect (from, "on-ice-candidate", G_CALLBACK (on_ice_candidate),
                    NULL);
  g_signal_connect (to, "on-ice-candidate", G_CALLBACK (on_ice_candidate),
                    NULL);
  g_signal_connect (to, "pad-added", G_CALLBACK (on_pad_added), NULL);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  message = gst_bus_timed_pop_filtered (gst_element_get_bus (pipeline),
                                        PLAYING_TIME, GST_MESSAGE_ERROR);
  if (message != NULL)
    gst_object_default_error (GST_MESSAGE_SRC (message), NULL, NULL);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  return message != NULL;
}
