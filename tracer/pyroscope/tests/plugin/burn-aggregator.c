/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <gst/base/gstaggregator.h>

#include "burn.h"

/* pyroburnaggregator: takes a buffer from each pad and makes one of them; CPU
 * time is used in aggregate, on the source pad's task. */

typedef struct {
  GstAggregator parent;
  PyroBurn burn;
} PyroBurnAggregator;

typedef GstAggregatorClass PyroBurnAggregatorClass;

G_DEFINE_TYPE (PyroBurnAggregator, pyro_burn_aggregator, GST_TYPE_AGGREGATOR)

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE (
    "sink_%u", GST_PAD_SINK, GST_PAD_REQUEST, GST_STATIC_CAPS ("test/burn"));
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE (
    "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS ("test/burn"));

static GstFlowReturn
pyro_burn_aggregator_aggregate (GstAggregator *aggregator, gboolean timeout)
{
  gboolean any = FALSE;

  GST_OBJECT_LOCK (aggregator);
  for (GList *item = GST_ELEMENT (aggregator)->sinkpads; item != NULL;
       item = item->next) {
    GstBuffer *buffer = gst_aggregator_pad_pop_buffer (item->data);

    any |= buffer != NULL;
    gst_clear_buffer (&buffer);
  }
  GST_OBJECT_UNLOCK (aggregator);
  if (!any)
    return GST_FLOW_EOS;
  pyro_burn_do (&((PyroBurnAggregator *)aggregator)->burn, PYRO_BURN_DATA);
  return gst_aggregator_finish_buffer (aggregator, gst_buffer_new ());
}

static void
pyro_burn_aggregator_set_property (GObject *object, guint id,
                                   const GValue *value, GParamSpec *pspec)
{
  if (!pyro_burn_set_property (&((PyroBurnAggregator *)object)->burn, id,
                               value))
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
pyro_burn_aggregator_get_property (GObject *object, guint id, GValue *value,
                                   GParamSpec *pspec)
{
  if (!pyro_burn_get_property (&((PyroBurnAggregator *)object)->burn, id,
                               value))
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
pyro_burn_aggregator_class_init (PyroBurnAggregatorClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);

  object_class->set_property = pyro_burn_aggregator_set_property;
  object_class->get_property = pyro_burn_aggregator_get_property;
  pyro_burn_install_properties (object_class);
  klass->aggregate = pyro_burn_aggregator_aggregate;
  gst_element_class_add_static_pad_template_with_gtype (
      element_class, &sink_template, GST_TYPE_AGGREGATOR_PAD);
  gst_element_class_add_static_pad_template_with_gtype (
      element_class, &src_template, GST_TYPE_AGGREGATOR_PAD);
  gst_element_class_set_static_metadata (element_class, "Burning aggregator",
                                         "Test", "Uses CPU time",
                                         "gst-pyroscope");
}

static void
pyro_burn_aggregator_init (PyroBurnAggregator *self)
{
}
