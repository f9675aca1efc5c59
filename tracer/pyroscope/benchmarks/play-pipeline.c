/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Plays one of the test pipelines until its standard input ends, for profilers
 * that look from outside. Once it plays, it says where threads begin: the
 * return addresses in _start and in clone3.
 *
 * usage: play-pipeline PIPELINE    (the name's place in pipelines.h, from 0)
 *        play-pipeline             lists the names
 */

#include <errno.h>
#include <gst/gst.h>
#include <unistd.h>

#include "unwinding/tests/pipelines.h"
#include "unwinding/tests/thread-start.h"

int
main (int argc, char **argv)
{
  GError *error = NULL;
  GstElement *element;
  gchar byte;
  gsize i;

  if (argc < 2) {
    for (i = 0; i < G_N_ELEMENTS (pyro_test_pipelines); i++)
      g_print ("%s\n", pyro_test_pipelines[i].name);
    return 0;
  }
  gst_init (NULL, NULL);
  pyro_test_learn_thread_starts ();
  i = g_ascii_strtoull (argv[1], NULL, 10);
  if (i >= G_N_ELEMENTS (pyro_test_pipelines)) {
    g_printerr ("there is no pipeline %s\n", argv[1]);
    return 1;
  }
  element = gst_parse_launch (pyro_test_pipelines[i].description, &error);
  if (element == NULL || error != NULL) {
    g_printerr ("the pipeline cannot be built: %s\n",
                error != NULL ? error->message : "unknown reason");
    return 1;
  }
  gst_element_set_state (element, GST_STATE_PLAYING);
  if (gst_element_get_state (element, NULL, NULL, 20 * GST_SECOND)
      != GST_STATE_CHANGE_SUCCESS) {
    g_printerr ("the pipeline does not play\n");
    return 1;
  }
  g_print ("playing %" G_GINTPTR_MODIFIER "x %" G_GINTPTR_MODIFIER "x\n",
           pyro_test_main_start, pyro_test_thread_start);
  while (read (0, &byte, 1) > 0 || errno == EINTR)
    errno = 0;
  gst_element_set_state (element, GST_STATE_NULL);
  gst_object_unref (element);
  return 0;
}
