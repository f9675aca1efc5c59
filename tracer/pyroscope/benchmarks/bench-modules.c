/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the looks at loaded modules cost a thread of the application's, in a
 * process that has loaded many. Run it with the tracer and without.
 *
 * usage: bench-modules LIST LIBRARY [FACTORY...]. The libraries of LIST, a file
 * with one path a line, are loaded and stay; LIBRARY is loaded and closed again
 * and again; an element of each FACTORY is made.
 */

#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <gst/gst.h>

#define N_CHANGES 50

static gdouble
used_ms (void)
{
  struct timespec used;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &used);
  return (gdouble)used.tv_sec * 1e3 + (gdouble)used.tv_nsec / 1e6;
}

static void
report (const gchar *what, gdouble begin)
{
  g_print ("%-36s %8.3f ms\n", what, used_ms () - begin);
}

static int
count (struct dl_phdr_info *info, size_t size, void *data)
{
  ++*(guint *)data;
  return 0;
}

static guint
load_all (const gchar *list)
{
  g_autofree gchar *text = NULL;
  g_auto (GStrv) paths = NULL;
  guint n = 0;

  if (!g_file_get_contents (list, &text, NULL, NULL))
    g_error ("%s cannot be read", list);
  paths = g_strsplit (text, "\n", -1);
  for (guint i = 0; paths[i] != NULL; i++)
    if (paths[i][0] != '\0')
      dlopen (paths[i], RTLD_LAZY | RTLD_LOCAL);
  dl_iterate_phdr (count, &n);
  return n;
}

static void
load_and_close (const gchar *library)
{
  void *handle = dlopen (library, RTLD_NOW | RTLD_LOCAL);

  if (handle == NULL)
    g_error ("%s", dlerror ());
  dlclose (handle);
}

static int
compare (const void *a, const void *b)
{
  gdouble one = *(const gdouble *)a, other = *(const gdouble *)b;

  return one < other ? -1 : one > other;
}

static void
change_states (const gchar *what, const gchar *library)
{
  GstElement *element = gst_element_factory_make ("identity", NULL);
  gdouble ms[N_CHANGES];

  for (guint i = 0; i < N_CHANGES; i++) {
    gdouble begin;

    if (library != NULL)
      load_and_close (library);
    begin = used_ms ();
    gst_element_set_state (element, GST_STATE_READY);
    ms[i] = used_ms () - begin;
    gst_element_set_state (element, GST_STATE_NULL);
    g_usleep (30000);
  }
  qsort (ms, N_CHANGES, sizeof *ms, compare);
  g_print ("%-36s %8.3f ms, at most %.3f\n", what, ms[N_CHANGES / 2],
           ms[N_CHANGES - 1]);
  gst_object_unref (element);
}

int
main (int argc, char **argv)
{
  GstElement *pipeline;
  gdouble begin;

  if (argc < 3)
    return EXIT_FAILURE;
  g_print ("%u modules\n", load_all (argv[1]));
  begin = used_ms ();
  gst_init (NULL, NULL);
  report ("gst_init()", begin);
  pipeline = gst_parse_launch ("fakesrc ! identity ! fakesink", NULL);
  begin = used_ms ();
  gst_element_set_state (pipeline, GST_STATE_PAUSED);
  report ("first change of state", begin);
  gst_element_get_state (pipeline, NULL, NULL, GST_CLOCK_TIME_NONE);
  g_usleep (500000);
  change_states ("change of state", NULL);
  change_states ("change of state after a dlclose()", argv[2]);
  for (gint i = 3; i < argc; i++) {
    GstElement *element;

    load_and_close (argv[2]);
    begin = used_ms ();
    element = gst_element_factory_make (argv[i], NULL);
    report (argv[i], begin);
    g_clear_object (&element);
  }
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
  return EXIT_SUCCESS;
}
