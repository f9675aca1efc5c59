/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "delivery-fixture.h"
#include "kernel-clock.h"
#include "profile/push.pb-c.h"
#include "spool.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static guint
n_files (Fixture *f)
{
  g_autoptr (GPtrArray) names = fixture_dir_list (f->spool);

  return names->len;
}

/* The ids of what the server got, without repeats. */
static GHashTable *
ids_of_requests (HttpServer *server)
{
  GHashTable *ids
      = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (guint i = 0; i < http_server_get_n_requests (server); i++) {
    GBytes *body = http_server_get_request (server, i)->body;
    Push__V1__PushRequest *message = push__v1__push_request__unpack (
        NULL, g_bytes_get_size (body), g_bytes_get_data (body, NULL));

    g_assert_nonnull (message);
    g_hash_table_add (ids, g_strdup (message->series[0]->samples[0]->id));
    push__v1__push_request__free_unpacked (message, NULL);
  }
  return ids;
}

/* Leaves N profiles in the spool, for a server at the fixture's port. TOTAL:
 * with those that were there. */
static void
leave (Fixture *f, guint n, guint total)
{
  PyroDeliveryStats stats;

  start (f);
  for (guint i = 0; i < n; i++)
    submit_small (f->delivery);
  g_assert_true (stop_within (f, 5000, &stats));
  g_assert_cmpuint (stats.spooled, ==, total);
  g_assert_cmpuint (stats.discarded + stats.dropped + stats.failed, ==, 0);
}

/* A server at the same address, from now on. */
static void
revive (Fixture *f)
{
  guint port = http_server_get_port (f->server);

  http_server_free (f->server);
  f->server = http_server_new_at (port);
}

static void
init_with_busy_server (Fixture *f)
{
  static const HttpReply busy = { HTTP_ANSWER, 503, "Retry-After: 100\r\n" };

  fixture_init (f);
  with_server (f, &busy, 1);
  with_spool (f);
}

static void
test_kept (void)
{
  Fixture f;
  PyroDeliveryStats stats;
  g_autoptr (GHashTable) ids = NULL;

  init_with_busy_server (&f);
  leave (&f, 5, 5);
  g_assert_cmpuint (n_files (&f), ==, 5);
  leave (&f, 1, 6);
  g_assert_cmpuint (n_files (&f), ==, 6);

  revive (&f);
  start (&f);
  WAIT_FOR (&f, pushed, 6);
  g_assert_cmpuint (n_files (&f), ==, 0);
  submit_small (f.delivery);
  g_assert_true (stop_within (&f, 5000, &stats));
  g_assert_cmpuint (stats.found, ==, 6);
  g_assert_cmpuint (stats.pushed, ==, 7);
  g_assert_cmpuint (stats.spooled, ==, 0);
  ids = ids_of_requests (f.server);
  g_assert_cmpuint (g_hash_table_size (ids), ==, 7);
  g_assert_cmpuint (http_server_get_n_requests (f.server), ==, 7);
  g_assert_cmpuint (n_files (&f), ==, 0);
  fixture_clear (&f);
}

static void
put_file (Fixture *f, const gchar *name, const gchar *content)
{
  g_autofree gchar *path = g_build_filename (f->spool, name, NULL);

  g_assert_true (g_file_set_contents (path, content, -1, NULL));
}

static void
test_others (void)
{
  Fixture f;
  PyroDeliveryStats stats;
  g_autoptr (GPtrArray) names = NULL;

  init_with_busy_server (&f);
  leave (&f, 2, 2);
  fixture_set (&f.settings->tracer_name, "another");
  leave (&f, 0, 0);
  put_file (&f, "notes.txt", "mine");
  g_assert_cmpuint (n_files (&f), ==, 3);

  /* Another service, and the same one with another server. */
  revive (&f);
  start (&f);
  g_usleep (100000);
  g_assert_true (stop_within (&f, 5000, &stats));
  g_assert_cmpuint (stats.found + stats.pushed, ==, 0);
  g_assert_cmpuint (n_files (&f), ==, 3);
  fixture_set (&f.settings->tracer_name, "gst.pyroscope");
  fixture_set (&f.settings->server_url, "http://127.0.0.1:1");
  start (&f);
  g_assert_true (stop_within (&f, 5000, &stats));
  g_assert_cmpuint (stats.found, ==, 0);
  g_assert_cmpuint (n_files (&f), ==, 3);
  fixture_clear (&f);
}

static void
test_damaged (void)
{
  Fixture f;
  PyroDeliveryStats stats;
  g_autoptr (GPtrArray) names = NULL;

  init_with_busy_server (&f);
  leave (&f, 3, 3);
  names = fixture_dir_list (f.spool);
  /* As after a crash of the machine. */
  put_file (&f, names->pdata[0], "");
  {
    g_autofree gchar *path = g_build_filename (f.spool, names->pdata[1], NULL);

    g_assert_cmpint (truncate (path, 100), ==, 0);
  }
  revive (&f);
  start (&f);
  WAIT_FOR (&f, pushed, 1);
  g_assert_true (stop_within (&f, 5000, &stats));
  g_assert_cmpuint (stats.failed, ==, 2);
  g_assert_cmpuint (http_server_get_n_requests (f.server), ==, 1);
  g_assert_cmpuint (n_files (&f), ==, 0);
  fixture_clear (&f);
}

static void
test_bound (void)
{
  Fixture f;
  PyroDeliveryStats stats;
  g_autoptr (GPtrArray) names = NULL;

  init_with_busy_server (&f);
  f.settings->spool_max_bytes = 3000;
  start (&f);
  for (guint i = 0; i < 40; i++)
    submit_small (f.delivery);
  g_assert_true (stop_within (&f, 5000, &stats));
  g_assert_cmpuint (stats.spooled, >, 2);
  g_assert_cmpuint (stats.dropped, >, 20);
  g_assert_cmpuint (stats.spooled + stats.dropped, ==, 40);
  g_assert_cmpuint (n_files (&f), ==, stats.spooled);
  fixture_clear (&f);
}

/* Two at once: each request is sent by one of them. */
static void
test_two_processes (void)
{
  Fixture f;
  PyroDeliveryStats stats, others;
  PyroDelivery *other;
  g_autoptr (GHashTable) ids = NULL;

  init_with_busy_server (&f);
  leave (&f, 40, 40);
  revive (&f);
  start (&f);
  other = pyro_delivery_new (f.settings);
  pyro_delivery_start (other);
  g_assert_true (stop_within (&f, 8000, &stats));
  g_assert_true (pyro_delivery_stop (
      other, g_get_monotonic_time () + 8 * G_USEC_PER_SEC, &others));
  /* What one had under way at its end waits for the next. */
  start (&f);
  g_assert_true (stop_within (&f, 8000, NULL));
  ids = ids_of_requests (f.server);
  g_assert_cmpuint (g_hash_table_size (ids), ==, 40);
  g_assert_cmpuint (http_server_get_n_requests (f.server), ==, 40);
  g_assert_cmpuint (n_files (&f), ==, 0);
  fixture_clear (&f);
}

static guint
n_files_of (const gchar *dir, pid_t pid)
{
  g_autoptr (GPtrArray) names = fixture_dir_list (dir);
  g_autofree gchar *part = g_strdup_printf ("-%d-", (int)pid);
  guint n = 0;

  for (guint i = 0; i < names->len; i++) {
    const gchar *name = names->pdata[i];

    n += name[0] != '.' && strstr (name, part) != NULL;
  }
  return n;
}

/* In a child: one profile after another, each reported by a byte once it is in
 * the spool or with the server. */
static void
profile_for_ever (PyroSettings *settings, int report)
{
  PyroDelivery *delivery = pyro_delivery_new (settings);

  for (gint64 n = 1;; n++) {
    PyroDeliveryStats stats;
    gint64 n_safe;

    submit_small (delivery);
    do {
      g_usleep (500);
      pyro_delivery_get_stats (delivery, &stats);
      /* At least so many of its own were sent. */
      n_safe = (gint64)stats.pushed - (gint64)stats.found
               + n_files_of (settings->spool_dir, getpid ());
    } while (n_safe < n);
    if (write (report, "p", 1) != 1)
      _exit (1);
  }
}

/* How many it made. */
static guint
run_until_killed (PyroSettings *settings)
{
  guint n_made = 0;
  int ends[2], status;
  pid_t child;
  gchar unused;

  g_assert_cmpint (pipe (ends), ==, 0);
  child = fork ();
  if (child == 0) {
    close (ends[0]);
    profile_for_ever (settings, ends[1]);
  }
  close (ends[1]);
  g_usleep ((gulong)g_random_int_range (5000, 150000));
  kill (child, SIGKILL);
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  while (read (ends[0], &unused, 1) == 1)
    n_made++;
  close (ends[0]);
  return n_made;
}

static void
test_killed (void)
{
  static const HttpReply replies[]
      = { { HTTP_ANSWER, 200 }, { HTTP_ANSWER, 200 }, { HTTP_CUT },
          { HTTP_ANSWER, 200 }, { HTTP_ANSWER, 503 }, { HTTP_ANSWER, 200 } };
  Fixture f;
  PyroDeliveryStats stats;
  g_autoptr (GHashTable) ids = NULL;
  guint n_runs = g_test_slow () ? 100 : 15, n_made = 0;

  fixture_init (&f);
  with_server (&f, replies, G_N_ELEMENTS (replies));
  with_spool (&f);
  for (guint run = 0; run < n_runs; run++)
    n_made += run_until_killed (f.settings);
  start (&f);
  do {
    g_usleep (5000);
    pyro_delivery_get_stats (f.delivery, &stats);
  } while (n_files (&f) > 0 || stats.pushed < stats.found);
  g_assert_true (stop_within (&f, 8000, &stats));
  g_assert_cmpuint (stats.failed + stats.dropped, ==, 0);

  /* All but one of each run, the open one; what came twice has one id. */
  ids = ids_of_requests (f.server);
  g_test_message ("%u made, %u with the server, %" G_GUINT64_FORMAT " found",
                  n_made, g_hash_table_size (ids), stats.found);
  g_assert_cmpuint (n_made, >, n_runs);
  g_assert_cmpuint (g_hash_table_size (ids), >=, n_made);
  g_assert_cmpuint (g_hash_table_size (ids), <=, n_made + n_runs);
  fixture_clear (&f);
}

static void
test_no_spool_dir (void)
{
  Fixture f;
  PyroDeliveryStats stats;
  g_autofree gchar *in_the_way = NULL;
  g_autofree gchar *log = NULL;

  fixture_init (&f);
  with_server (&f, NULL, 0);
  with_spool (&f);
  in_the_way = g_build_filename (f.spool, "file", NULL);
  put_file (&f, "file", "");
  fixture_set (&f.settings->spool_dir, in_the_way);
  start (&f);
  submit_small (f.delivery);
  submit_small (f.delivery);
  WAIT_FOR (&f, pushed, 2);
  g_assert_true (stop_within (&f, 5000, &stats));
  log = fixture_log_take ();
  g_assert_cmpuint (fixture_count (log, "WARN spool-dir="), ==, 1);
  fixture_clear (&f);
}

int
main (int argc, char **argv)
{
  fixture_main_init (&argc, &argv);
  g_test_add_func ("/spool/what was not sent is sent by the next process",
                   test_kept);
  g_test_add_func ("/spool/files of others are left alone", test_others);
  g_test_add_func ("/spool/what a crash has damaged is not sent", test_damaged);
  g_test_add_func ("/spool/the oldest leave first, counted", test_bound);
  g_test_add_func ("/spool/two processes never send one file",
                   test_two_processes);
  g_test_add_func ("/spool/a kill at any instant loses no finished profile",
                   test_killed);
  g_test_add_func (
      "/spool/without the directory profiles are sent all the same",
      test_no_spool_dir);
  return g_test_run ();
}
