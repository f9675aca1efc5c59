/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "burn.h"

#include <time.h>

typedef struct {
  GstElement parent;
  GstPad *sink; /* NULL: a source */
  GstPad *src;
  guint cost;
  guint64 used;
  guint num_buffers, made;
  gboolean began;
} Burn;

typedef struct {
  GstElementClass parent_class;
} BurnClass;

typedef Burn BurnSrc;
typedef BurnClass BurnSrcClass;

static GType burn_get_type (void);
static GType burn_src_get_type (void);
G_DEFINE_TYPE (Burn, burn, GST_TYPE_ELEMENT)
G_DEFINE_TYPE (BurnSrc, burn_src, GST_TYPE_ELEMENT)

enum { PROP_0, PROP_COST, PROP_USED, PROP_NUM_BUFFERS };

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE (
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE (
    "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

static guint64
thread_cpu_time (void)
{
  struct timespec ts;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &ts);
  return (guint64)ts.tv_sec * GST_SECOND + (guint64)ts.tv_nsec;
}

guint64
burn_cpu (guint64 ns)
{
  guint64 start = thread_cpu_time ();
  guint64 now = start;

  while (now - start < ns) {
    /* Clock reads are system calls here: most of the time is user's. */
    for (volatile guint i = 0; i < 2000; i++)
      ;
    now = thread_cpu_time ();
  }
  return now - start;
}

guint64
burn_used (GstBin *bin, const gchar *name)
{
  g_autoptr (GstElement) element = gst_bin_get_by_name (bin, name);
  guint64 used;

  g_assert_nonnull (element);
  g_object_get (element, "used", &used, NULL);
  return used;
}

static GstFlowReturn
burn_chain (GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  Burn *self = (Burn *)parent;

  self->used += burn_cpu ((guint64)self->cost * GST_USECOND);
  return gst_pad_push (self->src, buffer);
}

static void
burn_src_loop (gpointer data)
{
  BurnSrc *self = data;
  GstFlowReturn flow = GST_FLOW_EOS;

  if (!self->began) {
    GstSegment segment;

    self->began = TRUE;
    gst_pad_push_event (self->src, gst_event_new_stream_start ("burn"));
    gst_segment_init (&segment, GST_FORMAT_TIME);
    gst_pad_push_event (self->src, gst_event_new_segment (&segment));
  }
  if (self->made++ < self->num_buffers) {
    self->used += burn_cpu ((guint64)self->cost * GST_USECOND);
    flow = gst_pad_push (self->src, gst_buffer_new ());
  }
  if (flow != GST_FLOW_OK) {
    if (flow == GST_FLOW_EOS)
      gst_pad_push_event (self->src, gst_event_new_eos ());
    gst_pad_pause_task (self->src);
  }
}

static gboolean
burn_src_activate (GstPad *pad, GstObject *parent, GstPadMode mode,
                   gboolean active)
{
  BurnSrc *self = (BurnSrc *)parent;

  if (!active)
    return gst_pad_stop_task (pad);
  self->began = FALSE;
  self->made = 0;
  return gst_pad_start_task (pad, burn_src_loop, self, NULL);
}

static void
burn_set_property (GObject *object, guint id, const GValue *value,
                   GParamSpec *pspec)
{
  Burn *self = (Burn *)object;

  if (id == PROP_COST)
    self->cost = g_value_get_uint (value);
  else
    self->num_buffers = g_value_get_uint (value);
}

static void
burn_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  Burn *self = (Burn *)object;

  if (id == PROP_COST)
    g_value_set_uint (value, self->cost);
  else if (id == PROP_USED)
    g_value_set_uint64 (value, self->used);
  else
    g_value_set_uint (value, self->num_buffers);
}

static void
class_init_common (GstElementClass *klass, const gchar *name)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->set_property = burn_set_property;
  object_class->get_property = burn_get_property;
  g_object_class_install_property (
      object_class, PROP_COST,
      g_param_spec_uint ("cost", "Cost", "Microseconds of CPU for each buffer",
                         0, G_MAXUINT, 0, G_PARAM_READWRITE));
  g_object_class_install_property (
      object_class, PROP_USED,
      g_param_spec_uint64 ("used", "Used", "Nanoseconds of CPU so far", 0,
                           G_MAXUINT64, 0, G_PARAM_READABLE));
  gst_element_class_add_static_pad_template (klass, &src_template);
  gst_element_class_set_static_metadata (klass, name, "Test", "Uses CPU time",
                                         "gst-pyroscope");
}

static void
burn_class_init (BurnClass *klass)
{
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);

  class_init_common (element_class, "Burn");
  gst_element_class_add_static_pad_template (element_class, &sink_template);
}

static void
burn_src_class_init (BurnSrcClass *klass)
{
  class_init_common (GST_ELEMENT_CLASS (klass), "Burning source");
  g_object_class_install_property (
      G_OBJECT_CLASS (klass), PROP_NUM_BUFFERS,
      g_param_spec_uint ("num-buffers", "Buffers", "Buffers until EOS", 0,
                         G_MAXUINT, G_MAXUINT, G_PARAM_READWRITE));
}

static void
burn_init (Burn *self)
{
  self->sink = gst_pad_new_from_static_template (&sink_template, "sink");
  gst_pad_set_chain_function (self->sink, burn_chain);
  GST_PAD_SET_PROXY_CAPS (self->sink);
  gst_element_add_pad (GST_ELEMENT (self), self->sink);
  self->src = gst_pad_new_from_static_template (&src_template, "src");
  gst_element_add_pad (GST_ELEMENT (self), self->src);
}

static void
burn_src_init (BurnSrc *self)
{
  self->num_buffers = G_MAXUINT;
  self->src = gst_pad_new_from_static_template (&src_template, "src");
  gst_pad_set_activatemode_function (self->src, burn_src_activate);
  gst_element_add_pad (GST_ELEMENT (self), self->src);
  GST_OBJECT_FLAG_SET (self, GST_ELEMENT_FLAG_SOURCE);
}

void
burn_register (void)
{
  gst_element_register (NULL, "burn", GST_RANK_NONE, burn_get_type ());
  gst_element_register (NULL, "burnsrc", GST_RANK_NONE, burn_src_get_type ());
}
