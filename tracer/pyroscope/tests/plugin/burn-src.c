/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <gst/base/gstbasesrc.h>

#include "burn.h"

/* pyroburnsrc: buffers of "blocksize" bytes, pushed from its own task or, for
 * a demuxer, pulled by the other side; CPU time is used in create. */

typedef struct {
  GstBaseSrc parent;
  PyroBurn burn;
  guint buffers; /* until the end */
} PyroBurnSrc;

typedef GstBaseSrcClass PyroBurnSrcClass;

G_DEFINE_TYPE (PyroBurnSrc, pyro_burn_src, GST_TYPE_BASE_SRC)

enum { PROP_BUFFERS = PYRO_BURN_N_PROPERTIES + 1 };

static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE (
    "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

static GstFlowReturn
pyro_burn_src_create (GstBaseSrc *src, guint64 offset, guint size,
                      GstBuffer **buffer)
{
  pyro_burn_do (&((PyroBurnSrc *)src)->burn, PYRO_BURN_DATA);
  if (*buffer == NULL)
    *buffer = gst_buffer_new_allocate (NULL, size, NULL);
  return GST_FLOW_OK;
}

static gboolean
pyro_burn_src_get_size (GstBaseSrc *src, guint64 *size)
{
  *size = (guint64)((PyroBurnSrc *)src)->buffers
          * gst_base_src_get_blocksize (src);
  return TRUE;
}

static gboolean
pyro_burn_src_is_seekable (GstBaseSrc *src)
{
  return TRUE;
}

static void
pyro_burn_src_set_property (GObject *object, guint id, const GValue *value,
                            GParamSpec *pspec)
{
  PyroBurnSrc *self = (PyroBurnSrc *)object;

  if (id == PROP_BUFFERS)
    self->buffers = g_value_get_uint (value);
  else if (!pyro_burn_set_property (&self->burn, id, value))
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
pyro_burn_src_get_property (GObject *object, guint id, GValue *value,
                            GParamSpec *pspec)
{
  PyroBurnSrc *self = (PyroBurnSrc *)object;

  if (id == PROP_BUFFERS)
    g_value_set_uint (value, self->buffers);
  else if (!pyro_burn_get_property (&self->burn, id, value))
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
pyro_burn_src_class_init (PyroBurnSrcClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);

  object_class->set_property = pyro_burn_src_set_property;
  object_class->get_property = pyro_burn_src_get_property;
  pyro_burn_install_properties (object_class);
  g_object_class_install_property (
      object_class, PROP_BUFFERS,
      g_param_spec_uint ("buffers", "buffers", "Buffers until the end", 0,
                         G_MAXUINT, G_MAXUINT,
                         G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS));
  klass->create = pyro_burn_src_create;
  klass->get_size = pyro_burn_src_get_size;
  klass->is_seekable = pyro_burn_src_is_seekable;
  gst_element_class_add_static_pad_template (element_class, &src_template);
  gst_element_class_set_static_metadata (element_class, "Burning source",
                                         "Test", "Uses CPU time",
                                         "gst-pyroscope");
}

static void
pyro_burn_src_init (PyroBurnSrc *self)
{
  self->buffers = G_MAXUINT;
  gst_base_src_set_blocksize (GST_BASE_SRC (self), 16);
}
