/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* usage: hazard CASE DIRECTORY [SECONDS] */

#include "hazard.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define EXIT_SKIPPED 77

double hazard_seconds = 0.3;
const char *hazard_directory;
const char *hazard_program;

static GstElement *load;

static double
clock_seconds (clockid_t clock)
{
  struct timespec ts;

  clock_gettime (clock, &ts);
  return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

void
load_start (void)
{
  GstState state = GST_STATE_NULL;

  load = gst_parse_launch ("videotestsrc ! video/x-raw,width=160,height=120 !"
                           " videoconvert ! video/x-raw,format=RGB !"
                           " fakesink",
                           NULL);
  REQUIRE (load != NULL);
  gst_element_set_state (load, GST_STATE_PLAYING);
  /* A signal of the application's own makes GStreamer's wait fail: GLib's
   * conditions wake up for no reason then. */
  for (int i = 0; i < 100 && state != GST_STATE_PLAYING; i++)
    gst_element_get_state (load, &state, NULL, 50 * GST_MSECOND);
  REQUIRE (state == GST_STATE_PLAYING);
}

void
load_start_without_threads (void)
{
  load = gst_element_factory_make ("identity", NULL);
  REQUIRE (load != NULL);
  gst_element_set_state (load, GST_STATE_PLAYING);
}

void
load_stop (void)
{
  gst_element_set_state (load, GST_STATE_NULL);
  gst_clear_object (&load);
}

bool
time_is_left (void)
{
  static double end;

  if (end == 0)
    end = clock_seconds (CLOCK_MONOTONIC) + hazard_seconds;
  return clock_seconds (CLOCK_MONOTONIC) < end;
}

void
burn_ms (unsigned ms)
{
  double end = clock_seconds (CLOCK_THREAD_CPUTIME_ID) + ms / 1000.0;

  while (clock_seconds (CLOCK_THREAD_CPUTIME_ID) < end)
    spin (10000);
}

__attribute__ ((noinline, optimize ("no-stack-protector"))) void
spin (unsigned long rounds)
{
  for (unsigned long i = 0; i < rounds; i++)
    __asm__ volatile("" : : "r"(i));
}

void
hazard_fail (const char *file, int line, const char *condition)
{
  printf ("%s:%d: not so: %s (%s)\n", file, line, condition, strerror (errno));
  fflush (stdout);
  _exit (1);
}

void
hazard_skip (const char *why)
{
  printf ("%s\n", why);
  fflush (stdout);
  _exit (EXIT_SKIPPED);
}

static const Hazard *
find (const char *name)
{
  static const Hazard *const all[]
      = { signal_hazards, thread_hazards,     stack_hazards,  memory_hazards,
          limit_hazards,  process_hazards,    module_hazards, end_hazards,
          call_hazards,   scheduling_hazards, mask_hazards };

  for (size_t i = 0; i < G_N_ELEMENTS (all); i++)
    for (const Hazard *hazard = all[i]; hazard->name != NULL; hazard++)
      if (strcmp (hazard->name, name) == 0)
        return hazard;
  return NULL;
}

int
main (int argc, char **argv)
{
  const Hazard *hazard;

  hazard_program = argv[0];
  if (argc == 2 && strcmp (argv[1], "--mask") == 0)
    return hazard_has_full_mask () ? 0 : 1;
  if (argc < 3 || (hazard = find (argv[1])) == NULL) {
    fprintf (stderr, "usage: %s CASE DIRECTORY [SECONDS]\n", argv[0]);
    return 2;
  }
  hazard_directory = argv[2];
  if (argc > 3)
    hazard_seconds = atof (argv[3]);
  if (hazard->before != NULL)
    hazard->before ();
  gst_init (NULL, NULL);
  if (hazard->run != NULL)
    hazard->run ();
  return 0;
}
