/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pyroopener: an element that opens a library when it leaves the NULL state, as
 * libGLX opens Mesa's drivers. */

#include <dlfcn.h>

#include <gst/gst.h>

typedef struct {
  GstElement parent;
  gboolean open;
} PyroOpener;

typedef GstElementClass PyroOpenerClass;

GType pyro_opener_get_type (void);

G_DEFINE_TYPE (PyroOpener, pyro_opener, GST_TYPE_ELEMENT)

static GstStateChangeReturn
change_state (GstElement *element, GstStateChange transition)
{
  PyroOpener *self = (PyroOpener *)element;

  if (transition == GST_STATE_CHANGE_NULL_TO_READY && self->open
      && dlopen (g_getenv ("LIBRARY_TO_OPEN"), RTLD_NOW | RTLD_LOCAL) == NULL)
    g_error ("%s", dlerror ());
  return GST_ELEMENT_CLASS (pyro_opener_parent_class)
      ->change_state (element, transition);
}

static void
set_property (GObject *object, guint id, const GValue *value, GParamSpec *spec)
{
  ((PyroOpener *)object)->open = g_value_get_boolean (value);
}

static void
pyro_opener_class_init (PyroOpenerClass *klass)
{
  G_OBJECT_CLASS (klass)->set_property = set_property;
  GST_ELEMENT_CLASS (klass)->change_state = change_state;
  g_object_class_install_property (
      G_OBJECT_CLASS (klass), 1,
      g_param_spec_boolean ("open", "open", "Open the library", FALSE,
                            G_PARAM_WRITABLE | G_PARAM_STATIC_STRINGS));
  gst_element_class_set_static_metadata (GST_ELEMENT_CLASS (klass), "Opener",
                                         "Test", "Opens a library",
                                         "gst-pyroscope");
}

static void
pyro_opener_init (PyroOpener *self)
{
}

static gboolean
plugin_init (GstPlugin *plugin)
{
  return gst_element_register (plugin, "pyroopener", GST_RANK_NONE,
                               pyro_opener_get_type ());
}

#define PACKAGE "gst-pyroscope"
GST_PLUGIN_DEFINE (GST_VERSION_MAJOR, GST_VERSION_MINOR, pyroopener,
                   "Opens a library", plugin_init, PYRO_VERSION, "LGPL",
                   "gst-pyroscope", "gst-pyroscope")
