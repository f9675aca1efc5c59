/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pyroslow: an element whose plugin takes 300 ms of CPU time to load. */

#include <time.h>

#include <gst/gst.h>

#define BURN_MS 300

typedef GstElement PyroSlow;
typedef GstElementClass PyroSlowClass;

GType pyro_slow_get_type (void);

G_DEFINE_TYPE (PyroSlow, pyro_slow, GST_TYPE_ELEMENT)

static gint64
get_used_ms (void)
{
  struct timespec used;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &used);
  return used.tv_sec * 1000 + used.tv_nsec / 1000000;
}

__attribute__ ((constructor)) static void
construct (void)
{
  gint64 end = get_used_ms () + BURN_MS;

  while (get_used_ms () < end)
    ;
}

static void
pyro_slow_class_init (PyroSlowClass *klass)
{
  gst_element_class_set_static_metadata (klass, "Slow", "Test",
                                         "Is slow to load", "gst-pyroscope");
}

static void
pyro_slow_init (PyroSlow *self)
{
}

static gboolean
plugin_init (GstPlugin *plugin)
{
  return gst_element_register (plugin, "pyroslow", GST_RANK_NONE,
                               pyro_slow_get_type ());
}

#define PACKAGE "gst-pyroscope"
GST_PLUGIN_DEFINE (GST_VERSION_MAJOR, GST_VERSION_MINOR, pyroslow,
                   "Is slow to load", plugin_init, PYRO_VERSION, "LGPL",
                   "gst-pyroscope", "gst-pyroscope")
