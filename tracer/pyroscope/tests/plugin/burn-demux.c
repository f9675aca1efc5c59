/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "burn.h"

/* pyroburndemux: pulls buffers and gives them to "streams" pads in turn, which
 * it makes when it begins. Its task is the sink pad's, as in most demuxers, or,
 * with "pad-tasks", each source pad has a task of its own. */

#define MAX_STREAMS 16
#define BLOCK 16

typedef struct {
  GstElement parent;
  PyroBurn burn;
  GstPad *sink;
  guint streams;
  gboolean pad_tasks;

  GMutex lock;
  GstPad *src[MAX_STREAMS];
  guint64 offset;
} PyroBurnDemux;

typedef GstElementClass PyroBurnDemuxClass;

G_DEFINE_TYPE (PyroBurnDemux, pyro_burn_demux, GST_TYPE_ELEMENT)

enum { PROP_STREAMS = PYRO_BURN_N_PROPERTIES + 1, PROP_PAD_TASKS };

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE (
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE (
    "src_%u", GST_PAD_SRC, GST_PAD_SOMETIMES, GST_STATIC_CAPS_ANY);

static void
push_start (GstPad *pad)
{
  g_autofree gchar *name = gst_pad_get_name (pad);
  GstSegment segment;

  gst_pad_push_event (pad, gst_event_new_stream_start (name));
  gst_segment_init (&segment, GST_FORMAT_BYTES);
  gst_pad_push_event (pad, gst_event_new_segment (&segment));
}

/* One buffer, and the time that it costs. */
static GstFlowReturn
pull (PyroBurnDemux *self, GstBuffer **buffer, guint *stream)
{
  guint64 offset;
  GstFlowReturn flow;

  g_mutex_lock (&self->lock);
  offset = self->offset;
  self->offset += BLOCK;
  g_mutex_unlock (&self->lock);

  *buffer = NULL;
  *stream = (guint)(offset / BLOCK % self->streams);
  flow = gst_pad_pull_range (self->sink, offset, BLOCK, buffer);
  if (flow == GST_FLOW_OK)
    pyro_burn_do (&self->burn, PYRO_BURN_DATA);
  return flow;
}

static void
pad_loop (gpointer data)
{
  GstPad *pad = data;
  PyroBurnDemux *self = (PyroBurnDemux *)GST_PAD_PARENT (pad);
  GstBuffer *buffer;
  guint stream;
  GstFlowReturn flow = pull (self, &buffer, &stream);

  if (flow == GST_FLOW_OK)
    flow = gst_pad_push (pad, buffer);
  if (flow == GST_FLOW_OK)
    return;
  if (flow == GST_FLOW_EOS)
    gst_pad_push_event (pad, gst_event_new_eos ());
  gst_pad_pause_task (pad);
}

static void
make_pads (PyroBurnDemux *self)
{
  for (guint i = 0; i < self->streams; i++) {
    g_autofree gchar *name = g_strdup_printf ("src_%u", i);
    GstPad *pad = gst_pad_new_from_static_template (&src_template, name);

    gst_pad_set_active (pad, TRUE);
    self->src[i] = pad;
    gst_element_add_pad (GST_ELEMENT (self), pad);
    push_start (pad);
  }
  gst_element_no_more_pads (GST_ELEMENT (self));
}

static void
sink_loop (gpointer data)
{
  PyroBurnDemux *self = data;
  GstBuffer *buffer;
  guint stream;
  GstFlowReturn flow;

  if (self->src[0] == NULL) {
    make_pads (self);
    if (self->pad_tasks) {
      for (guint i = 0; i < self->streams; i++)
        gst_pad_start_task (self->src[i], pad_loop, self->src[i], NULL);
      gst_pad_pause_task (self->sink);
      return;
    }
  }
  flow = pull (self, &buffer, &stream);
  if (flow == GST_FLOW_OK)
    flow = gst_pad_push (self->src[stream], buffer);
  if (flow == GST_FLOW_OK)
    return;
  if (flow == GST_FLOW_EOS)
    for (guint i = 0; i < self->streams; i++)
      gst_pad_push_event (self->src[i], gst_event_new_eos ());
  gst_pad_pause_task (self->sink);
}

static gboolean
pyro_burn_demux_activate (GstPad *pad, GstObject *parent)
{
  return gst_pad_activate_mode (pad, GST_PAD_MODE_PULL, TRUE);
}

static gboolean
pyro_burn_demux_activate_mode (GstPad *pad, GstObject *parent, GstPadMode mode,
                               gboolean active)
{
  if (mode != GST_PAD_MODE_PULL)
    return FALSE;
  return active ? gst_pad_start_task (pad, sink_loop, parent, NULL)
                : gst_pad_stop_task (pad);
}

static GstStateChangeReturn
pyro_burn_demux_change_state (GstElement *element, GstStateChange transition)
{
  PyroBurnDemux *self = (PyroBurnDemux *)element;
  GstStateChangeReturn result;

  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY)
    for (guint i = 0; i < MAX_STREAMS && self->src[i] != NULL; i++) {
      gst_pad_set_active (self->src[i], FALSE);
      gst_pad_stop_task (self->src[i]);
    }
  result = GST_ELEMENT_CLASS (pyro_burn_demux_parent_class)
               ->change_state (element, transition);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) {
    for (guint i = 0; i < MAX_STREAMS && self->src[i] != NULL; i++) {
      gst_element_remove_pad (element, self->src[i]);
      self->src[i] = NULL;
    }
    self->offset = 0;
  }
  return result;
}

static void
pyro_burn_demux_set_property (GObject *object, guint id, const GValue *value,
                              GParamSpec *pspec)
{
  PyroBurnDemux *self = (PyroBurnDemux *)object;

  if (id == PROP_STREAMS)
    self->streams = g_value_get_uint (value);
  else if (id == PROP_PAD_TASKS)
    self->pad_tasks = g_value_get_boolean (value);
  else if (!pyro_burn_set_property (&self->burn, id, value))
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
pyro_burn_demux_get_property (GObject *object, guint id, GValue *value,
                              GParamSpec *pspec)
{
  PyroBurnDemux *self = (PyroBurnDemux *)object;

  if (id == PROP_STREAMS)
    g_value_set_uint (value, self->streams);
  else if (id == PROP_PAD_TASKS)
    g_value_set_boolean (value, self->pad_tasks);
  else if (!pyro_burn_get_property (&self->burn, id, value))
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
pyro_burn_demux_finalize (GObject *object)
{
  g_mutex_clear (&((PyroBurnDemux *)object)->lock);
  G_OBJECT_CLASS (pyro_burn_demux_parent_class)->finalize (object);
}

static void
pyro_burn_demux_class_init (PyroBurnDemuxClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->set_property = pyro_burn_demux_set_property;
  object_class->get_property = pyro_burn_demux_get_property;
  object_class->finalize = pyro_burn_demux_finalize;
  pyro_burn_install_properties (object_class);
  g_object_class_install_property (
      object_class, PROP_STREAMS,
      g_param_spec_uint ("streams", "streams", "Pads that it makes", 1,
                         MAX_STREAMS, 1,
                         G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS));
  g_object_class_install_property (
      object_class, PROP_PAD_TASKS,
      g_param_spec_boolean ("pad-tasks", "pad-tasks",
                            "Whether each source pad has a task of its own",
                            FALSE, G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS));
  klass->change_state = pyro_burn_demux_change_state;
  gst_element_class_add_static_pad_template (klass, &sink_template);
  gst_element_class_add_static_pad_template (klass, &src_template);
  gst_element_class_set_static_metadata (klass, "Burning demuxer", "Test",
                                         "Uses CPU time", "gst-pyroscope");
}

static void
pyro_burn_demux_init (PyroBurnDemux *self)
{
  g_mutex_init (&self->lock);
  self->streams = 1;
  self->sink = gst_pad_new_from_static_template (&sink_template, "sink");
  gst_pad_set_activate_function (self->sink, pyro_burn_demux_activate);
  gst_pad_set_activatemode_function (self->sink, pyro_burn_demux_activate_mode);
  gst_element_add_pad (GST_ELEMENT (self), self->sink);
}
