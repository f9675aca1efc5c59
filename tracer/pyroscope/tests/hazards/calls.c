/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Applications that wait, allocate and throw under fire. */

#define GST_USE_UNSTABLE_API
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <gst/gst.h>
#include <gst/gsttracer.h>

#include "hazard.h"
#ifdef HAVE_CPP
#include "unwinding/tests/throw.h"
#endif

static int n_interrupted;

static void
count (long result)
{
  if (result < 0 && errno == EINTR)
    __atomic_fetch_add (&n_interrupted, 1, __ATOMIC_RELAXED);
}

static void *
wait_in_all_ways (void *data)
{
  int sockets[2], epoll = epoll_create1 (EPOLL_CLOEXEC);
  struct timeval timeout = { 0, 1000 };
  struct pollfd poll_fd;
  struct epoll_event event = { .events = EPOLLIN };

  REQUIRE (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) == 0);
  REQUIRE (
      setsockopt (sockets[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout)
      == 0);
  REQUIRE (epoll_ctl (epoll, EPOLL_CTL_ADD, sockets[0], &event) == 0);
  poll_fd = (struct pollfd){ .fd = sockets[0], .events = POLLIN };
  while (time_is_left ()) {
    struct timespec wait = { 0, 1000000 };
    char byte;
    int word = 0;

    /* Time enough for each wait to be the one that a tick falls upon. */
    count (poll (&poll_fd, 1, 1));
    spin (300000);
    count (epoll_wait (epoll, &event, 1, 1));
    spin (300000);
    count (syscall (SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &wait, NULL, 0));
    spin (300000);
    count (nanosleep (&wait, NULL));
    spin (300000);
    count (recv (sockets[0], &byte, 1, 0));
    spin (300000);
  }
  close (sockets[0]);
  close (sockets[1]);
  close (epoll);
  return NULL;
}

static void
waits (void)
{
  pthread_t threads[4];

  load_start ();
  for (size_t i = 0; i < G_N_ELEMENTS (threads); i++)
    REQUIRE (pthread_create (&threads[i], NULL, wait_in_all_ways, NULL) == 0);
  for (size_t i = 0; i < G_N_ELEMENTS (threads); i++)
    pthread_join (threads[i], NULL);
  load_stop ();
  printf ("%d interrupted\n", n_interrupted);
}

static void *
allocate (void *data)
{
  void *blocks[64] = { NULL };
  unsigned seed = 1;

  while (time_is_left ()) {
    for (int i = 0; i < 2000; i++) {
      unsigned at = (seed = seed * 1103515245 + 12345) >> 16 & 63;

      free (blocks[at]);
      blocks[at] = malloc (1 + (seed >> 8 & 0x3fff));
      REQUIRE (blocks[at] != NULL);
    }
  }
  for (int i = 0; i < 64; i++)
    free (blocks[i]);
  return NULL;
}

static void
allocates (void)
{
  pthread_t thread;

  load_start ();
  REQUIRE (pthread_create (&thread, NULL, allocate, NULL) == 0);
  allocate (NULL);
  pthread_join (thread, NULL);
  load_stop ();
}

#ifdef HAVE_CPP
static void *throw (void *data)
{
  for (unsigned round = 0; time_is_left (); round++)
    REQUIRE (pyro_test_throw (round % 32) == round % 32 + 1);
  return NULL;
}

static void
throws (void)
{
  pthread_t thread;

  load_start ();
  REQUIRE (pthread_create (&thread, NULL, throw, NULL) == 0);
  throw (NULL);
  pthread_join (thread, NULL);
  load_stop ();
}
#else
static void
throws (void)
{
  hazard_skip ("there is no C++ compiler");
}
#endif

static void
starts_and_stops (void)
{
  GList *tracers = gst_tracing_get_active_tracers ();

  load_start ();
  while (time_is_left ()) {
    for (GList *at = tracers; at != NULL; at = at->next)
      g_signal_emit_by_name (at->data, "stop");
    burn_ms (2);
    for (GList *at = tracers; at != NULL; at = at->next)
      g_signal_emit_by_name (at->data, "start");
    burn_ms (2);
  }
  g_list_free_full (tracers, gst_object_unref);
  load_stop ();
}

static void *
play_short_pipelines (void *data)
{
  while (time_is_left ()) {
    GstElement *pipeline = gst_parse_launch (
        "videotestsrc num-buffers=3 ! queue ! fakesink", NULL);
    GstBus *bus = gst_element_get_bus (pipeline);

    gst_element_set_state (pipeline, GST_STATE_PLAYING);
    gst_message_unref (gst_bus_timed_pop_filtered (
        bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_EOS | GST_MESSAGE_ERROR));
    gst_element_set_state (pipeline, GST_STATE_NULL);
    gst_object_unref (bus);
    gst_object_unref (pipeline);
  }
  return NULL;
}

/* Streaming threads come and go while the tracer starts and stops: each
 * announces itself again and again. */
static void
starts_and_stops_pipelines (void)
{
  pthread_t thread;

  REQUIRE (pthread_create (&thread, NULL, play_short_pipelines, NULL) == 0);
  starts_and_stops ();
  pthread_join (thread, NULL);
}

const Hazard call_hazards[] = {
  { "waits", waits, NULL },
  { "allocates", allocates, NULL },
  { "throws", throws, NULL },
  { "starts-and-stops", starts_and_stops, NULL },
  { "starts-and-stops-pipelines", starts_and_stops_pipelines, NULL },
  { NULL, NULL, NULL },
};
