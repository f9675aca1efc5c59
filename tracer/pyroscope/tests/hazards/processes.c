/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Applications that make other processes. */

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hazard.h"

extern char **environ;

static void
play_to_the_end (void)
{
  GstElement *pipeline
      = gst_parse_launch ("videotestsrc num-buffers=200 ! videoconvert !"
                          " video/x-raw,format=RGB ! fakesink",
                          NULL);
  GstBus *bus = gst_element_get_bus (pipeline);
  GstMessage *message;

  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  message = gst_bus_timed_pop_filtered (bus, 5 * GST_SECOND,
                                        GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  REQUIRE (message != NULL && GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS);
  gst_message_unref (message);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (bus);
  gst_object_unref (pipeline);
}

static void
wait_for (pid_t child, int expected)
{
  int status = -1;
  pid_t result;

  REQUIRE (child > 0);
  do
    result = waitpid (child, &status, 0);
  while (result < 0 && errno == EINTR);
  REQUIRE (result == child);
  REQUIRE (WIFEXITED (status) && WEXITSTATUS (status) == expected);
}

/* Forks before it has threads of its own, which would be missing in the child:
 * GLib's pools do not survive that. */
static void
child_plays (void)
{
  pid_t child;

  load_start_without_threads ();
  burn_ms (100);
  child = fork ();
  if (child == 0) {
    play_to_the_end ();
    exit (5);
  }
  wait_for (child, 5);
  while (time_is_left ())
    burn_ms (10);
  load_stop ();
}

static void
child_quits (void)
{
  load_start ();
  usleep (50000);
  while (time_is_left ()) {
    pid_t child = fork ();

    if (child == 0)
      _exit (6);
    wait_for (child, 6);
  }
  load_stop ();
}

static void
child_exits (void)
{
  load_start ();
  usleep (50000);
  while (time_is_left ()) {
    pid_t child = fork ();

    if (child == 0)
      exit (6);
    wait_for (child, 6);
  }
  load_stop ();
}

static void
child_deinits (void)
{
  pid_t child;

  load_start_without_threads ();
  burn_ms (100);
  child = fork ();
  if (child == 0) {
    load_stop ();
    gst_deinit ();
    _exit (7);
  }
  wait_for (child, 7);
  load_stop ();
}

static void
daemon_plays (void)
{
  int ends[2];
  char result = 0;
  pid_t child;

  REQUIRE (pipe (ends) == 0);
  child = fork ();
  if (child == 0) {
    setsid ();
    if (fork () != 0)
      _exit (0);
    play_to_the_end ();
    gst_deinit ();
    REQUIRE (write (ends[1], "d", 1) == 1);
    _exit (0);
  }
  wait_for (child, 0);
  close (ends[1]);
  REQUIRE (read (ends[0], &result, 1) == 1);
  REQUIRE (result == 'd');
}

static void
spawn (void)
{
  char *arguments[] = { (char *)"true", NULL };
  pid_t child;

  REQUIRE (posix_spawnp (&child, "true", NULL, NULL, arguments, environ) == 0);
  wait_for (child, 0);
}

static void
fork_by_vfork (void)
{
  pid_t child = vfork ();

  if (child == 0) {
    execl ("/bin/sh", "sh", "-c", "exit 3", NULL);
    _exit (127);
  }
  wait_for (child, 3);
}

static void *
keep_burning (void *data)
{
  while (!__atomic_load_n ((int *)data, __ATOMIC_RELAXED))
    burn_ms (1);
  return NULL;
}

static void
makes_children (void)
{
  int quit = 0;
  pthread_t thread;

  load_start ();
  REQUIRE (pthread_create (&thread, NULL, keep_burning, &quit) == 0);
  while (time_is_left ()) {
    spawn ();
    fork_by_vfork ();
    REQUIRE (system ("exit 4") == 4 << 8);
  }
  __atomic_store_n (&quit, 1, __ATOMIC_RELAXED);
  pthread_join (thread, NULL);
  load_stop ();
}

/* A signal that is still on its way must not kill the new program. */
static void
becomes_another (void)
{
  int quit = 0;
  pthread_t threads[3];

  load_start ();
  for (int i = 0; i < 3; i++)
    REQUIRE (pthread_create (&threads[i], NULL, keep_burning, &quit) == 0);
  while (time_is_left ())
    burn_ms (10);
  fflush (stdout);
  execl ("/bin/sh", "sh", "-c",
         "i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done; echo there", NULL);
  REQUIRE (!"exec");
}

static int storm_is_over;

static void *
fork_again_and_again (void *data)
{
  while (!__atomic_load_n (&storm_is_over, __ATOMIC_RELAXED)) {
    pid_t child = fork ();

    if (child == 0)
      _exit (0);
    wait_for (child, 0);
  }
  return NULL;
}

static void
fork_storm (void)
{
  const char *module = getenv ("HAZARD_MODULE");
  pthread_t threads[4];

  load_start ();
  for (int i = 0; i < 4; i++)
    REQUIRE (pthread_create (&threads[i], NULL, fork_again_and_again, NULL)
             == 0);
  while (time_is_left ()) {
    void *handle = dlopen (module, RTLD_NOW | RTLD_LOCAL);

    REQUIRE (handle != NULL);
    REQUIRE (dlclose (handle) == 0);
  }
  __atomic_store_n (&storm_is_over, 1, __ATOMIC_RELAXED);
  for (int i = 0; i < 4; i++)
    pthread_join (threads[i], NULL);
  load_stop ();
}

/* Like the lock of a language's interpreter: whoever forks has it, and so has
 * the function that GStreamer's log goes to. */
static GMutex interpreter;
static pthread_t player;
static int player_logs;

static void
log_in_interpreter (GstDebugCategory *category, GstDebugLevel level,
                    const gchar *file, const gchar *function, gint line,
                    GObject *object, GstDebugMessage *message, gpointer data)
{
  if (strcmp (gst_debug_category_get_name (category), "pyroscope") != 0)
    return;
  if (pthread_equal (pthread_self (), player))
    __atomic_store_n (&player_logs, 1, __ATOMIC_RELEASE);
  g_mutex_lock (&interpreter);
  g_mutex_unlock (&interpreter);
}

static void *
start_playing (void *data)
{
  player = pthread_self ();
  load_start ();
  return NULL;
}

static void
forks_in_an_interpreter (void)
{
  pthread_t thread;
  pid_t child;
  int status;

  gst_debug_remove_log_function (NULL);
  gst_debug_add_log_function (log_in_interpreter, NULL, NULL);
  gst_debug_set_threshold_for_name ("pyroscope", GST_LEVEL_LOG);
  g_mutex_lock (&interpreter);
  REQUIRE (pthread_create (&thread, NULL, start_playing, NULL) == 0);
  for (int i = 0; i < 50 && !__atomic_load_n (&player_logs, __ATOMIC_ACQUIRE);
       i++)
    usleep (10000);
  child = fork ();
  REQUIRE (child >= 0);
  if (child == 0)
    _exit (0);
  REQUIRE (waitpid (child, &status, 0) == child && status == 0);
  g_mutex_unlock (&interpreter);
  pthread_join (thread, NULL);
  while (time_is_left ())
    burn_ms (10);
  load_stop ();
}

const Hazard process_hazards[] = {
  { "child-plays", child_plays, NULL },
  { "child-quits", child_quits, NULL },
  { "child-exits", child_exits, NULL },
  { "child-deinits", child_deinits, NULL },
  { "daemon-plays", daemon_plays, NULL },
  { "makes-children", makes_children, NULL },
  { "becomes-another", becomes_another, NULL },
  { "fork-storm", fork_storm, NULL },
  { "forks-in-an-interpreter", forks_in_an_interpreter, NULL },
  { NULL, NULL, NULL },
};
