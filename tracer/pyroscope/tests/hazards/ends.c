/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Applications that end in their own way. */

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hazard.h"

static void
play (void)
{
  load_start ();
  while (time_is_left ())
    burn_ms (10);
}

static void
returns (void)
{
  play ();
}

static void
deinits (void)
{
  play ();
  load_stop ();
  gst_deinit ();
}

static void
deinits_at_exit (void)
{
  atexit (gst_deinit);
  play ();
  load_stop ();
}

static void
aborts (void)
{
  play ();
  abort ();
}

static void
quits_quickly (void)
{
  play ();
  quick_exit (3);
}

static void
is_terminated (void)
{
  play ();
  raise (SIGTERM);
}

/* An application that ends in its own way on SIGTERM, and one that asks what
 * the action is before it sets its own. */
static void
on_term (int signo)
{
  exit (6);
}

static void
handles_sigterm (void)
{
  struct sigaction action = { .sa_handler = on_term }, before;

  load_start ();
  while (time_is_left ())
    burn_ms (10);
  REQUIRE (sigaction (SIGINT, NULL, &before) == 0);
  REQUIRE (before.sa_handler == SIG_DFL && before.sa_flags == 0);
  REQUIRE (signal (SIGINT, SIG_IGN) == SIG_DFL);
  REQUIRE (signal (SIGINT, SIG_DFL) == SIG_IGN);
  REQUIRE (sigaction (SIGTERM, &action, &before) == 0);
  REQUIRE (before.sa_handler == SIG_DFL);
  raise (SIGTERM);
}

static void
ignores_sigterm (void)
{
  signal (SIGTERM, SIG_IGN);
  load_start ();
  while (time_is_left ())
    burn_ms (10);
  raise (SIGTERM);
}

static void
terminate (pid_t child)
{
  int status;

  kill (child, SIGTERM);
  REQUIRE (waitpid (child, &status, 0) == child);
  REQUIRE (WIFSIGNALED (status) && WTERMSIG (status) == SIGTERM);
}

/* A child that plays is terminated as its parent would be, and so is its own
 * child, which does not. */
static void
terminates_children (void)
{
  int ready[2];
  pid_t child, grandchild;

  REQUIRE (pipe (ready) == 0);
  child = fork ();
  if (child == 0) {
    load_start ();
    while (time_is_left ())
      burn_ms (10);
    grandchild = fork ();
    if (grandchild == 0) {
      sleep (60);
      _exit (1);
    }
    terminate (grandchild);
    REQUIRE (write (ready[1], "r", 1) == 1);
    sleep (60);
    _exit (1);
  }
  REQUIRE (read (ready[0], &grandchild, 1) == 1);
  terminate (child);
}

static GstPadProbeReturn
exit_in_stream (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  static int n;

  if (++n == 100)
    exit (4);
  return GST_PAD_PROBE_OK;
}

static void
exits_in_stream (void)
{
  GstElement *pipeline = gst_parse_launch (
      "videotestsrc ! videoconvert ! video/x-raw,format=RGB !"
      " fakesink name=sink",
      NULL);
  GstElement *sink = gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  GstPad *pad = gst_element_get_static_pad (sink, "sink");

  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, exit_in_stream, NULL,
                     NULL);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  sleep (5);
}

static void
on_alarm (int signo)
{
  exit (5);
}

static void
exits_in_handler (void)
{
  sigset_t set;

  signal (SIGUSR1, on_alarm);
  load_start ();
  while (time_is_left ())
    burn_ms (10);
  sigfillset (&set);
  sigdelset (&set, SIGUSR1);
  pthread_kill (pthread_self (), SIGUSR1);
  sigsuspend (&set);
}

static void *
outlive_main (void *data)
{
  pthread_join (*(pthread_t *)data, NULL);
  load_start ();
  while (time_is_left ())
    burn_ms (10);
  load_stop ();
  exit (6);
}

static void
main_thread_ends (void)
{
  static pthread_t self;
  pthread_t thread;

  self = pthread_self ();
  REQUIRE (pthread_create (&thread, NULL, outlive_main, &self) == 0);
  pthread_exit (NULL);
}

static void
main_thread_ends_later (void)
{
  static pthread_t self;
  pthread_t thread;

  self = pthread_self ();
  load_start ();
  usleep (100000);
  REQUIRE (pthread_create (&thread, NULL, outlive_main, &self) == 0);
  pthread_exit (NULL);
}

const Hazard end_hazards[] = {
  { "returns", returns, NULL },
  { "deinits", deinits, NULL },
  { "deinits-at-exit", deinits_at_exit, NULL },
  { "aborts", aborts, NULL },
  { "quits-quickly", quits_quickly, NULL },
  { "is-terminated", is_terminated, NULL },
  { "handles-sigterm", handles_sigterm, NULL },
  { "ignores-sigterm", ignores_sigterm, NULL },
  { "terminates-children", terminates_children, NULL },
  { "exits-in-stream", exits_in_stream, NULL },
  { "exits-in-handler", exits_in_handler, NULL },
  { "main-thread-ends", main_thread_ends, NULL },
  { "main-thread-ends-later", main_thread_ends_later, NULL },
  { NULL, NULL, NULL },
};
