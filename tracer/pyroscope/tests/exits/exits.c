/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* usage: exits CASE
 *
 * Applications that use a TLS library, or none, and end by exit() while the
 * profiler pushes over TLS. run-exits.py starts them and looks at what the
 * server got. LIBCURL names the library that the plugin pushes with. */

#include <dlfcn.h>
#include <gst/gst.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static GstElement *pipeline;

static void
play (unsigned ms)
{
  pipeline = gst_parse_launch ("videotestsrc ! video/x-raw,width=160,height=120"
                               " ! videoconvert ! video/x-raw,format=RGB !"
                               " fakesink",
                               NULL);
  if (pipeline == NULL)
    abort ();
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  usleep (ms * 1000);
}

static void *
function (const char *library, const char *name)
{
  void *handle = dlopen (library, RTLD_NOW);
  void *symbol = handle != NULL ? dlsym (handle, name) : NULL;

  if (symbol == NULL) {
    printf ("%s\n", dlerror ());
    exit (77);
  }
  return symbol;
}

static void
use_openssl (void)
{
  int (*init) (uint64_t, const void *);

  *(void **)&init = function ("libssl.so.3", "OPENSSL_init_ssl");
  init (0, NULL);
}

static void
use_curl (void)
{
  int (*init) (long);
  void (*cleanup) (void);

  *(void **)&init = function (getenv ("LIBCURL"), "curl_global_init");
  *(void **)&cleanup = function (getenv ("LIBCURL"), "curl_global_cleanup");
  if (init (3) == 0)
    cleanup ();
}

static void
returns (void)
{
  play (400);
}

/* The first interval is pushed, or is being pushed, at the end. */
static void
returns_later (void)
{
  play (1600);
}

static void
uses_openssl_before (void)
{
  play (400);
}

static void
uses_openssl_after (void)
{
  play (300);
  use_openssl ();
  usleep (100000);
}

static void
uses_curl (void)
{
  use_curl ();
  play (300);
  use_curl ();
}

/* Allowed at the end of a program; what still uses the library fails. */
static void
cleans_openssl_up (void)
{
  void (*cleanup) (void);

  play (400);
  *(void **)&cleanup = function ("libcrypto.so.3", "OPENSSL_cleanup");
  cleanup ();
}

/* Anywhere in the profiler's own beginnings. */
static void
quits_soon (void)
{
  play (0);
  usleep ((useconds_t)atoi (getenv ("DELAY_US")));
}

static void
be_slow (void)
{
  usleep (700000);
}

static gboolean
has_capture (void)
{
  GDir *folder = g_dir_open (getenv ("CAPTURES"), 0, NULL);
  const char *name;
  gboolean found = FALSE;

  while (folder != NULL && (name = g_dir_read_name (folder)) != NULL)
    found |= g_str_has_suffix (name, ".pb.gz");
  if (folder != NULL)
    g_dir_close (folder);
  return found;
}

/* be_slow() runs last, while what was left behind goes on. The first profile
 * has been written and is being pushed: how long that takes, to read symbols
 * above all, is the machine's load's. */
static void
ends_slowly (void)
{
  play (0);
  for (unsigned i = 0; i < 3000 && !has_capture (); i++)
    usleep (10000);
  usleep (300000);
}

static const struct {
  const char *name;
  void (*run) (void);
} cases[] = {
  { "returns", returns },
  { "returns-later", returns_later },
  { "uses-openssl-before", uses_openssl_before },
  { "uses-openssl-after", uses_openssl_after },
  { "uses-curl", uses_curl },
  { "cleans-openssl-up", cleans_openssl_up },
  { "quits-soon", quits_soon },
  { "ends-slowly", ends_slowly },
};

int
main (int argc, char **argv)
{
  for (size_t i = 0; argc == 2 && i < sizeof cases / sizeof *cases; i++) {
    if (strcmp (argv[1], cases[i].name) != 0)
      continue;
    if (cases[i].run == ends_slowly)
      atexit (be_slow);
    if (cases[i].run == uses_openssl_before)
      use_openssl ();
    gst_init (NULL, NULL);
    cases[i].run ();
    exit (0);
  }
  fprintf (stderr, "usage: %s CASE\n", argv[0]);
  return 2;
}
