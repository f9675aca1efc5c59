/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "burn.h"

/* pyroburn: passes everything on, and uses CPU time for it. */

typedef struct {
  GstElement parent;
  PyroBurn burn;
  GstPad *sink, *src;
} PyroBurnFilter;

typedef GstElementClass PyroBurnFilterClass;

G_DEFINE_TYPE (PyroBurnFilter, pyro_burn_filter, GST_TYPE_ELEMENT)

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE (
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE (
    "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

static GstFlowReturn
pyro_burn_filter_chain (GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  PyroBurnFilter *self = (PyroBurnFilter *)parent;

  pyro_burn_do (&self->burn, PYRO_BURN_DATA);
  return gst_pad_push (self->src, buffer);
}

static gboolean
pyro_burn_filter_event (GstPad *pad, GstObject *parent, GstEvent *event)
{
  PyroBurnFilter *self = (PyroBurnFilter *)parent;

  pyro_burn_do (&self->burn, PYRO_BURN_EVENT);
  return gst_pad_event_default (pad, parent, event);
}

static gboolean
pyro_burn_filter_query (GstPad *pad, GstObject *parent, GstQuery *query)
{
  PyroBurnFilter *self = (PyroBurnFilter *)parent;

  if (GST_QUERY_TYPE (query) == GST_QUERY_CUSTOM)
    pyro_burn_do (&self->burn, PYRO_BURN_QUERY);
  return gst_pad_query_default (pad, parent, query);
}

static GstStateChangeReturn
pyro_burn_filter_change_state (GstElement *element, GstStateChange transition)
{
  if (GST_STATE_TRANSITION_NEXT (transition)
      > GST_STATE_TRANSITION_CURRENT (transition))
    pyro_burn_do (&((PyroBurnFilter *)element)->burn, PYRO_BURN_STATE);
  return GST_ELEMENT_CLASS (pyro_burn_filter_parent_class)
      ->change_state (element, transition);
}

static void
pyro_burn_filter_set_property (GObject *object, guint id, const GValue *value,
                               GParamSpec *pspec)
{
  if (!pyro_burn_set_property (&((PyroBurnFilter *)object)->burn, id, value))
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
pyro_burn_filter_get_property (GObject *object, guint id, GValue *value,
                               GParamSpec *pspec)
{
  if (!pyro_burn_get_property (&((PyroBurnFilter *)object)->burn, id, value))
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
pyro_burn_filter_class_init (PyroBurnFilterClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->set_property = pyro_burn_filter_set_property;
  object_class->get_property = pyro_burn_filter_get_property;
  pyro_burn_install_properties (object_class);
  klass->change_state = pyro_burn_filter_change_state;
  gst_element_class_add_static_pad_template (klass, &sink_template);
  gst_element_class_add_static_pad_template (klass, &src_template);
  gst_element_class_set_static_metadata (klass, "Burning filter", "Test",
                                         "Uses CPU time", "gst-pyroscope");
}

static void
pyro_burn_filter_init (PyroBurnFilter *self)
{
  self->sink = gst_pad_new_from_static_template (&sink_template, "sink");
  gst_pad_set_chain_function (self->sink, pyro_burn_filter_chain);
  gst_pad_set_event_function (self->sink, pyro_burn_filter_event);
  gst_pad_set_query_function (self->sink, pyro_burn_filter_query);
  GST_PAD_SET_PROXY_CAPS (self->sink);
  gst_element_add_pad (GST_ELEMENT (self), self->sink);
  self->src = gst_pad_new_from_static_template (&src_template, "src");
  gst_pad_set_query_function (self->src, pyro_burn_filter_query);
  gst_element_add_pad (GST_ELEMENT (self), self->src);
}
