/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "delivery-fixture.h"
#include "log.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SECRET "s3cr3t"

static gint n_slow_lookups;

/* In the place of the C library's, also for libcurl. */
__attribute__ ((visibility ("default"))) int
getaddrinfo (const char *name, const char *service,
             const struct addrinfo *hints, struct addrinfo **result)
{
  static int (*real) (const char *, const char *, const struct addrinfo *,
                      struct addrinfo **);

  if (strcmp (name, "slow.invalid") == 0) {
    g_atomic_int_inc (&n_slow_lookups);
    g_usleep (2 * G_USEC_PER_SEC);
    return EAI_AGAIN;
  }
  if (real == NULL)
    *(void **)&real = dlsym (RTLD_NEXT, "getaddrinfo");
  return real (name, service, hints, result);
}

static gboolean
is_the_same (HttpServer *server, guint one, guint other)
{
  return g_bytes_equal (http_server_get_request (server, one)->body,
                        http_server_get_request (server, other)->body);
}

/* A restart: first nobody, then one that is not ready, then one that is. */
static void
test_outage (void)
{
  static const HttpReply replies[]
      = { { HTTP_ANSWER, 200 },
          { HTTP_CUT },
          { HTTP_RAW, 0, NULL,
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{" },
          { HTTP_ANSWER, 504 },
          { HTTP_ANSWER, 500, NULL,
            "{\"code\":\"unknown\",\"message\":\"rpc error: code = "
            "Unavailable\"}" },
          { HTTP_ANSWER, 200 } };
  Fixture f;
  PyroDeliveryStats stats;
  g_autofree gchar *log = NULL;

  fixture_init (&f);
  with_server (&f, replies, G_N_ELEMENTS (replies));
  start (&f);
  submit_small (f.delivery);
  WAIT_FOR (&f, pushed, 1);
  submit_small (f.delivery);
  submit_small (f.delivery);
  submit_small (f.delivery);
  WAIT_FOR (&f, pushed, 4);
  g_assert_true (stop_within (&f, 5000, &stats));
  g_assert_cmpuint (stats.pushed, ==, 4);
  g_assert_cmpuint (stats.failed + stats.dropped + stats.discarded, ==, 0);
  /* libcurl itself repeats what died on a kept connection without an answer. */
  g_assert_cmpuint (stats.sent_again, ==, 3);

  /* Whether the server had taken it was not known: the same bytes again. */
  g_assert_cmpuint (http_server_get_n_requests (f.server), ==, 8);
  for (guint i = 2; i <= 5; i++)
    g_assert_true (is_the_same (f.server, 1, i));
  g_assert_false (is_the_same (f.server, 1, 6));

  log = fixture_log_take ();
  g_test_message ("%s", log);
  g_assert_cmpuint (fixture_count (log, "WARN "), ==, 2);
  g_assert_nonnull (strstr (log, "output-dir to keep captures"));
  g_assert_nonnull (strstr (log, "WARN server at http://127.0.0.1:"));
  g_assert_nonnull (strstr (log, "takes profiles again, after "));
  g_assert_nonnull (strstr (log, "and 3 failed pushes"));
  fixture_clear (&f);
}

/* It comes back while the process ends. */
static void
test_back_in_a_stop (void)
{
  static const HttpReply replies[]
      = { { HTTP_ANSWER, 200 }, { HTTP_CUT }, { HTTP_ANSWER, 503 },
          { HTTP_CUT },         { HTTP_CUT }, { HTTP_ANSWER, 200 } };
  Fixture f;
  PyroDeliveryStats stats;

  fixture_init (&f);
  with_server (&f, replies, G_N_ELEMENTS (replies));
  start (&f);
  submit_small (f.delivery);
  WAIT_FOR (&f, pushed, 1);
  submit_small (f.delivery);
  submit_small (f.delivery);
  g_assert_true (stop_within (&f, 5000, &stats));
  g_assert_cmpuint (stats.pushed, ==, 3);
  g_assert_cmpuint (stats.discarded, ==, 0);
  fixture_clear (&f);
}

static void
test_failing_profile (void)
{
  static const HttpReply replies[] = { { HTTP_ANSWER, 500 },
                                       { HTTP_ANSWER, 500 },
                                       { HTTP_ANSWER, 500 },
                                       { HTTP_ANSWER, 500 },
                                       { HTTP_ANSWER, 200 } };
  Fixture f;
  PyroDeliveryStats stats;

  fixture_init (&f);
  with_server (&f, replies, G_N_ELEMENTS (replies));
  start (&f);
  submit_small (f.delivery);
  g_assert_true (http_server_wait (f.server, 1));
  submit_small (f.delivery);
  WAIT_FOR (&f, pushed, 2);
  g_assert_true (stop_within (&f, 5000, &stats));
  g_assert_cmpuint (http_server_get_n_requests (f.server), ==, 6);
  g_assert_true (is_the_same (f.server, 0, 3));
  g_assert_false (is_the_same (f.server, 0, 4));
  g_assert_true (is_the_same (f.server, 0, 5));
  fixture_clear (&f);
}

static void
test_bounds (void)
{
  static const HttpReply reply = { HTTP_ANSWER, 503, "Retry-After: 60\r\n" };
  Fixture f;
  PyroDeliveryStats stats;
  g_autoptr (GBytes) pprof = fixture_pprof_new (3, 10);
  g_autofree gchar *log = NULL;

  fixture_init (&f);
  f.settings->queue_max_bytes = 4000;
  with_server (&f, &reply, 1);
  start (&f);
  submit_small (f.delivery);
  g_assert_true (http_server_wait (f.server, 1));
  for (gint i = 2; i <= 101; i++) {
    submit_small (f.delivery);
    while (g_atomic_int_get (&n_destroyed) < i)
      g_usleep (500);
  }
  g_assert_true (stop_within (&f, 1000, &stats));
  g_assert_cmpuint (stats.dropped, >, 80);
  g_assert_cmpuint (stats.discarded, >, 3);
  g_assert_cmpuint (stats.dropped + stats.discarded, ==, 101);
  fixture_clear (&f);

  /* What a server would refuse for its age is not sent at all. */
  fixture_init (&f);
  with_server (&f, NULL, 0);
  start (&f);
  job_time_offset = -G_GINT64_CONSTANT (3605000000000);
  submit_small (f.delivery);
  job_time_offset = -G_GINT64_CONSTANT (3500000000000);
  submit_small (f.delivery);
  WAIT_FOR (&f, pushed, 1);
  g_assert_true (stop_within (&f, 1000, &stats));
  g_assert_cmpuint (stats.dropped, ==, 1);
  g_assert_cmpuint (http_server_get_n_requests (f.server), ==, 1);
  fixture_clear (&f);
}

static void
test_no_server (void)
{
  Fixture f;
  PyroDeliveryStats stats;
  g_autofree gchar *log = NULL;
  gint64 begin;

  fixture_init (&f);
  fixture_set (&f.settings->server_url, "http://u:" SECRET "@127.0.0.1:1");
  start (&f);
  submit_small (f.delivery);
  begin = g_get_monotonic_time ();
  g_assert_true (stop_within (&f, 5000, &stats));
  g_assert_cmpint (g_get_monotonic_time () - begin, <, 1000000);
  g_assert_cmpuint (stats.discarded, ==, 1);
  log = fixture_log_take ();
  g_assert_nonnull (
      strstr (log, "WARN no server at http://***@127.0.0.1:1: connection "
                   "refused; profiles wait in memory, for an hour at most, "
                   "and are lost if the process ends before; set server-url= "
                   "(empty) to push nowhere, spool-dir to keep what waits, or "
                   "output-dir to keep captures\n"));
  g_assert_cmpuint (fixture_count (log, "WARN "), ==, 1);
  g_assert_cmpuint (fixture_count (log, "DEBUG push of "), ==, 1);
  fixture_clear (&f);
}

static void
test_slow_name_server (void)
{
  Fixture f;
  PyroDeliveryStats stats;

  if (LIBCURL_VERSION_NUM < 0x075700) {
    g_test_skip ("CURLOPT_QUICK_EXIT came with libcurl 7.87");
    return;
  }
  fixture_init (&f);
  fixture_set (&f.settings->server_url, "http://slow.invalid:4040");
  start (&f);
  submit_small (f.delivery);
  while (g_atomic_int_get (&n_slow_lookups) == 0)
    g_usleep (1000);
  g_assert_true (stop_within (&f, 500, &stats));
  g_assert_cmpuint (stats.discarded, ==, 1);
  fixture_clear (&f);
}

/* The server refuses once, with a time to wait, and takes it then: after more
 * than a second. Microseconds. */
static gint64
push_after_refusal (Fixture *f, const HttpReply replies[2])
{
  gint64 begin, time;

  fixture_init (f);
  with_server (f, replies, 2);
  start (f);
  begin = g_get_monotonic_time ();
  submit_small (f->delivery);
  WAIT_FOR (f, pushed, 1);
  time = g_get_monotonic_time () - begin;
  g_assert_cmpint (time, >, 1000000);
  return time;
}

static void
test_retry_after (void)
{
  static const HttpReply replies[]
      = { { HTTP_ANSWER, 429, "Retry-After: 1\r\n" }, { HTTP_ANSWER, 200 } };
  Fixture f;
  PyroDeliveryStats stats;
  gint64 push_time;

  push_time = push_after_refusal (&f, replies);
  g_assert_cmpint (push_time, <, 4000000);
  g_assert_true (stop_within (&f, 1000, &stats));
  g_assert_cmpuint (stats.failed, ==, 0);
  fixture_clear (&f);
}

static void
test_retry_after_a_date (void)
{
  g_autoptr (GDateTime) now = g_date_time_new_now_utc ();
  g_autoptr (GDateTime) then = g_date_time_add_seconds (now, 3);
  g_autofree gchar *date
      = g_date_time_format (then, "Retry-After: %a, %d %b %Y %H:%M:%S GMT\r\n");
  const HttpReply replies[]
      = { { HTTP_ANSWER, 503, date }, { HTTP_ANSWER, 200 } };
  Fixture f;
  PyroDeliveryStats stats;

  push_after_refusal (&f, replies);
  g_assert_true (stop_within (&f, 1000, &stats));
  fixture_clear (&f);
}

static void
test_long_retry_after (void)
{
  static const HttpReply reply = { HTTP_ANSWER, 503, "Retry-After: 3600\r\n" };
  Fixture f;
  PyroDeliveryStats stats;

  fixture_init (&f);
  with_server (&f, &reply, 1);
  start (&f);
  submit_small (f.delivery);
  g_assert_true (http_server_wait (f.server, 1));
  submit_small (f.delivery);
  g_usleep (200000);
  g_assert_true (stop_within (&f, 1000, &stats));
  g_assert_cmpuint (stats.discarded, ==, 2);
  g_assert_cmpuint (http_server_get_n_requests (f.server), ==, 1);
  fixture_clear (&f);
}

static void
test_futile (void)
{
  static const struct {
    guint status;
    const gchar *message;
  } cases[] = {
    { 401, "check basic-auth-user and basic-auth-password, auth-token" },
    { 404, "server-url=http://127.0.0.1:" },
    { 301, "server-url=http://127.0.0.1:" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    HttpReply reply = { HTTP_ANSWER, cases[i].status };
    Fixture f;
    PyroDeliveryStats stats;
    g_autofree gchar *log = NULL;

    fixture_init (&f);
    with_server (&f, &reply, 1);
    start (&f);
    for (guint n = 1; n <= 3; n++) {
      submit_small (f.delivery);
      WAIT_FOR (&f, failed, 1);
    }
    g_assert_true (stop_within (&f, 1000, &stats));
    g_assert_cmpuint (stats.failed, ==, 1);
    g_assert_cmpuint (stats.discarded, ==, 2);
    g_assert_cmpuint (http_server_get_n_requests (f.server), ==, 1);
    log = fixture_log_take ();
    g_assert_cmpuint (fixture_count (log, "WARN "), ==, 1);
    g_assert_nonnull (strstr (log, cases[i].message));
    fixture_clear (&f);
  }
}

static void
test_rejected (void)
{
  static const HttpReply replies[]
      = { { HTTP_ANSWER, 400, NULL, "{\"message\":\"too deep\"}" },
          { HTTP_ANSWER, 400, NULL, "{\"message\":\"too wide\"}" },
          { HTTP_ANSWER, 200 } };
  Fixture f;
  PyroDeliveryStats stats;
  g_autofree gchar *log = NULL;

  fixture_init (&f);
  with_server (&f, replies, G_N_ELEMENTS (replies));
  start (&f);
  submit_small (f.delivery);
  submit_small (f.delivery);
  submit_small (f.delivery);
  g_assert_true (stop_within (&f, 5000, &stats));
  g_assert_cmpuint (stats.pushed, ==, 1);
  g_assert_cmpuint (stats.failed, ==, 2);
  g_assert_cmpuint (http_server_get_n_requests (f.server), ==, 3);
  log = fixture_log_take ();
  g_assert_cmpuint (fixture_count (log, "WARN "), ==, 1);
  g_assert_nonnull (strstr (log, "which is dropped: 400 too deep; raise"));
  fixture_clear (&f);
}

static void
test_hanging_server_and_captures (void)
{
  static const HttpReply hang = { HTTP_HANG };
  Fixture f;
  PyroDeliveryStats stats;
  g_autofree gchar *log = NULL;

  fixture_init (&f);
  with_server (&f, &hang, 1);
  with_dir (&f);
  start (&f);
  submit_small (f.delivery);
  g_assert_true (http_server_wait (f.server, 1));
  for (guint n = 2; n <= 40; n++) {
    submit_small (f.delivery);
    WAIT_FOR (&f, captured, n);
  }
  g_assert_true (stop_within (&f, 1000, &stats));
  g_assert_cmpuint (stats.captured, ==, 40);
  g_assert_cmpuint (stats.discarded, ==, 40);
  log = fixture_log_take ();
  g_assert_cmpuint (fixture_count (log, "WARN "), ==, 1);
  g_assert_nonnull (strstr (log, "raise stop-timeout"));
  fixture_clear (&f);
}

static gdouble
cpu_seconds (void)
{
  struct timespec used;

  clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &used);
  return used.tv_sec + used.tv_nsec / 1e9;
}

/* Also while a push waits on its socket: then it is over soon, without
 * spinning on a descriptor that is gone. */
static void
test_closed_socket (void)
{
  if (g_test_subprocess ()) {
    static const HttpReply hang = { HTTP_HANG };
    Fixture f;
    PyroDeliveryStats stats;
    gdouble before;

    fixture_init (&f);
    with_server (&f, &hang, 1);
    start (&f);
    submit_small (f.delivery);
    g_assert_true (http_server_wait (f.server, 1));
    g_usleep (50000);
    for (int fd = 3; fd < 256; fd++)
      close (fd);
    before = cpu_seconds ();
    g_usleep (500000);
    g_assert_cmpfloat (cpu_seconds () - before, <, 0.1);
    g_assert_true (stop_within (&f, 1000, &stats));
    g_assert_cmpuint (stats.discarded, ==, 1);
    /* The server has lost its own, too. */
    _exit (0);
  }
  g_test_trap_subprocess (NULL, 30 * G_USEC_PER_SEC, 0);
  g_test_trap_assert_passed ();
}

static void
set_secrets (PyroSettings *settings)
{
  fixture_set (&settings->basic_auth_user, "user-" SECRET);
  fixture_set (&settings->basic_auth_password, "password-" SECRET);
  fixture_set (&settings->tenant_id, "tenant-" SECRET);
  fixture_add_label (settings->header_list, "X-Key", "key-" SECRET);
}

static void
run_with_secrets (void)
{
  static const HttpReply replies[]
      = { { HTTP_ANSWER, 200 },
          { HTTP_ANSWER, 400, NULL, "bad key-" SECRET },
          { HTTP_CUT },
          { HTTP_ANSWER, 503, NULL, "tenant-" SECRET " is busy" },
          { HTTP_ANSWER, 302,
            "Location: http://user-" SECRET ":x@127.0.0.1/?" SECRET "\r\n" } };
  Fixture f;
  PyroDeliveryStats stats;
  g_autofree gchar *url = NULL;

  fixture_init (&f);
  with_server (&f, replies, G_N_ELEMENTS (replies));
  url = g_strdup_printf ("http://u:" SECRET "@127.0.0.1:%u/?token=" SECRET,
                         http_server_get_port (f.server));
  fixture_set (&f.settings->server_url, url);
  set_secrets (f.settings);
  start (&f);
  for (guint i = 0; i < 6; i++) {
    submit_small (f.delivery);
    g_usleep (20000);
  }
  g_assert_true (stop_within (&f, 3000, &stats));
  g_assert_cmpuint (stats.pushed, ==, 1);
  g_assert_cmpuint (stats.pushed + stats.failed + stats.discarded, ==, 6);
  fixture_clear (&f);

  fixture_init (&f);
  fixture_set (&f.settings->server_url, "http://u:" SECRET "@no host/");
  set_secrets (f.settings);
  start (&f);
  g_assert_true (stop_within (&f, 1000, &stats));
  fixture_clear (&f);
}

static void
test_secrets (void)
{
  g_autofree gchar *log = NULL;

  if (g_test_subprocess ()) {
    /* As most users run it: the warnings go to stderr. */
    gst_debug_category_set_threshold (pyro_debug, GST_LEVEL_NONE);
    run_with_secrets ();
    return;
  }
  g_test_trap_subprocess (NULL, 30 * G_USEC_PER_SEC, 0);
  g_test_trap_assert_passed ();
  g_test_trap_assert_stderr ("*gst-pyroscope: warning: *");
  g_test_trap_assert_stderr_unmatched ("*" SECRET "*");
  g_test_trap_assert_stdout_unmatched ("*" SECRET "*");

  fixture_clear (&(Fixture){ .settings = fixture_settings_new () });
  {
    g_autofree gchar *before = fixture_log_take ();
  }
  run_with_secrets ();
  log = fixture_log_take ();
  g_assert_null (strstr (log, SECRET));
}

int
main (int argc, char **argv)
{
  fixture_main_init (&argc, &argv);
  g_test_add_func ("/delivery/an outage is one warning and one recovery",
                   test_outage);
  g_test_add_func ("/delivery/a server that comes back in a stop gets the rest",
                   test_back_in_a_stop);
  g_test_add_func ("/delivery/what a server always fails for holds up nobody",
                   test_failing_profile);
  g_test_add_func ("/delivery/what waits is bounded in bytes and age",
                   test_bounds);
  g_test_add_func ("/delivery/no server is one warning and a quick stop",
                   test_no_server);
  g_test_add_func ("/delivery/a name server that hangs holds no stop",
                   test_slow_name_server);
  g_test_add_func ("/delivery/a short Retry-After is waited for",
                   test_retry_after);
  g_test_add_func ("/delivery/a Retry-After may be a date",
                   test_retry_after_a_date);
  g_test_add_func ("/delivery/a long Retry-After is left alone",
                   test_long_retry_after);
  g_test_add_func ("/delivery/an answer that stays the same is not asked for",
                   test_futile);
  g_test_add_func ("/delivery/a rejected profile is dropped with its reason",
                   test_rejected);
  g_test_add_func ("/delivery/a hanging server costs no capture",
                   test_hanging_server_and_captures);
  g_test_add_func ("/delivery/a socket closed under a push ends it quietly",
                   test_closed_socket);
  g_test_add_func ("/delivery/no credential is ever said", test_secrets);
  return g_test_run ();
}
