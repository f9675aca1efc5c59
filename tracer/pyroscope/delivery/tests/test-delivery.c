/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "delivery.h"
#include "fixture.h"
#include "http-server.h"
#include "log.h"
#include "profile/gzip.h"
#include "profile/profile.h"
#include "profile/push.pb-c.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SECRET "s3cr3t"
#define MAX_MESSAGE ((gsize)64 * 1024 * 1024)

/* Linked with --wrap=pthread_create. */
int __real_pthread_create (pthread_t *thread, const pthread_attr_t *attributes,
                           void *(*start) (void *), void *data);
int __wrap_pthread_create (pthread_t *thread, const pthread_attr_t *attributes,
                           void *(*start) (void *), void *data);

static gboolean threads_fail;
static gint n_slow_lookups;

int
__wrap_pthread_create (pthread_t *thread, const pthread_attr_t *attributes,
                       void *(*start) (void *), void *data)
{
  if (threads_fail)
    return EAGAIN;
  return __real_pthread_create (thread, attributes, start, data);
}

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

typedef struct {
  HttpServer *server;
  PyroSettings *settings;
  gchar *dir;
  PyroDelivery *delivery;
} Fixture;

/* What the jobs' functions were called for. */
static gint n_encoded, n_destroyed;

/* One job of the tests. */
typedef struct {
  GBytes *pprof; /* or NULL */
  gulong encode_us;
} Work;

static GBytes *
work_encode (gpointer data)
{
  Work *work = data;

  g_atomic_int_inc (&n_encoded);
  if (work->encode_us > 0)
    g_usleep (work->encode_us);
  return work->pprof ? g_bytes_ref (work->pprof) : NULL;
}

static void
work_destroy (gpointer data)
{
  Work *work = data;

  g_atomic_int_inc (&n_destroyed);
  if (work->pprof != NULL)
    g_bytes_unref (work->pprof);
  g_free (work);
}

static void
submit (PyroDelivery *delivery, GBytes *pprof, gulong encode_us)
{
  Work *work = g_new0 (Work, 1);
  PyroDeliveryJob job = { G_GINT64_CONSTANT (1700000000000000000),
                          G_GINT64_CONSTANT (10000000000),
                          "process_cpu",
                          work,
                          work_encode,
                          work_destroy };

  work->pprof = pprof ? g_bytes_ref (pprof) : NULL;
  work->encode_us = encode_us;
  pyro_delivery_submit (delivery, &job);
}

static void
submit_small (PyroDelivery *delivery)
{
  g_autoptr (GBytes) pprof = fixture_pprof_new (3, 10);

  submit (delivery, pprof, 0);
}

static void
fixture_init (Fixture *f)
{
  g_autofree gchar *old = fixture_log_take ();

  memset (f, 0, sizeof *f);
  f->settings = fixture_settings_new ();
  n_encoded = n_destroyed = 0;
}

static void
with_server (Fixture *f, const HttpReply *replies, guint n_replies)
{
  g_autofree gchar *url = NULL;

  f->server = http_server_new ();
  url = g_strdup_printf ("http://127.0.0.1:%u",
                         http_server_get_port (f->server));
  fixture_set (&f->settings->server_url, url);
  if (n_replies > 0)
    http_server_set_replies (f->server, replies, n_replies);
}

static void
with_dir (Fixture *f)
{
  f->dir = fixture_dir_new ();
  fixture_set (&f->settings->output_dir, f->dir);
}

static void
start (Fixture *f)
{
  f->delivery = pyro_delivery_new (f->settings);
}

static gboolean
stop_within (Fixture *f, gint64 ms, PyroDeliveryStats *stats)
{
  gint64 begin = g_get_monotonic_time ();
  gint64 deadline = begin + ms * 1000;
  gboolean ended = pyro_delivery_stop (f->delivery, deadline, stats);

  /* Some leeway for a loaded machine, none for a second wait. */
  g_assert_cmpint (g_get_monotonic_time () - deadline, <, 200000);
  f->delivery = NULL;
  return ended;
}

static void
fixture_clear (Fixture *f)
{
  g_assert_null (f->delivery);
  if (f->server != NULL)
    http_server_free (f->server);
  if (f->dir != NULL)
    fixture_dir_remove (f->dir);
  fixture_settings_free (f->settings);
}

static void
wait_for_stats (Fixture *f, gsize offset, guint64 n)
{
  gint64 end = g_get_monotonic_time () + 20 * G_TIME_SPAN_SECOND;
  PyroDeliveryStats stats;

  do {
    g_usleep (5000);
    pyro_delivery_get_stats (f->delivery, &stats);
  } while (G_STRUCT_MEMBER (guint64, &stats, offset) < n
           && g_get_monotonic_time () < end);
  g_assert_cmpuint (G_STRUCT_MEMBER (guint64, &stats, offset), ==, n);
}

#define WAIT_FOR(f, field, n) \
  wait_for_stats (f, G_STRUCT_OFFSET (PyroDeliveryStats, field), n)

static Push__V1__PushRequest *
decode_request (const HttpRequest *request)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) plain = pyro_gunzip (request->body, MAX_MESSAGE, &error);
  Push__V1__PushRequest *message;

  g_assert_no_error (error);
  message = push__v1__push_request__unpack (NULL, g_bytes_get_size (plain),
                                            g_bytes_get_data (plain, NULL));
  g_assert_nonnull (message);
  g_assert_cmpuint (message->n_series, ==, 1);
  g_assert_cmpuint (message->series[0]->n_samples, ==, 1);
  return message;
}

static GBytes *
pushed_pprof (const HttpRequest *request)
{
  Push__V1__PushRequest *message = decode_request (request);
  ProtobufCBinaryData *raw = &message->series[0]->samples[0]->raw_profile;
  GBytes *pprof = g_bytes_new (raw->data, raw->len);

  push__v1__push_request__free_unpacked (message, NULL);
  return pprof;
}

static void
test_both_ways (void)
{
  Fixture f;
  PyroDeliveryStats stats;
  g_autoptr (GBytes) pprof = fixture_pprof_new (50, 10);
  g_autoptr (GBytes) pushed = NULL;
  g_autoptr (GPtrArray) names = NULL;
  Push__V1__PushRequest *message;
  gchar *content;
  gsize length;

  fixture_init (&f);
  with_server (&f, NULL, 0);
  with_dir (&f);
  fixture_add_label (f.settings->tag_list, "zone", "b");
  fixture_add_label (f.settings->tag_list, "hostname", "camera-7");
  start (&f);
  submit (f.delivery, pprof, 0);
  g_assert_true (stop_within (&f, 5000, &stats));
  g_assert_cmpuint (stats.captured, ==, 1);
  g_assert_cmpuint (stats.pushed, ==, 1);
  g_assert_cmpuint (stats.failed + stats.write_failed + stats.discarded, ==, 0);
  g_assert_cmpint (n_destroyed, ==, 1);

  /* The capture and what the server got are the profile, to the byte. */
  names = fixture_dir_list (f.dir);
  g_assert_cmpuint (names->len, ==, 1);
  {
    g_autofree gchar *path = g_build_filename (f.dir, names->pdata[0], NULL);
    g_autoptr (GBytes) packed = NULL;
    g_autoptr (GBytes) captured = NULL;

    g_assert_true (g_file_get_contents (path, &content, &length, NULL));
    packed = g_bytes_new_take (content, length);
    captured = pyro_gunzip (packed, MAX_MESSAGE, NULL);
    g_assert_true (g_bytes_equal (captured, pprof));
  }
  pushed = pushed_pprof (http_server_get_request (f.server, 0));
  g_assert_cmpuint (g_bytes_get_size (pushed), ==, g_bytes_get_size (pprof));
  g_assert_true (g_bytes_equal (pushed, pprof));

  message = decode_request (http_server_get_request (f.server, 0));
  g_assert_cmpuint (message->series[0]->n_labels, ==, 8);
  for (guint i = 0; i < 8; i++) {
    static const gchar *const expected[][2] = {
      { "__name__", "process_cpu" },
      { "arch", NULL },
      { "hostname", "camera-7" },
      { "os", "linux" },
      { "service", "gst-pyroscope-tracer" },
      { "service_name", "gst.pyroscope" },
      { "version", PYRO_VERSION },
      { "zone", "b" },
    };

    g_assert_cmpstr (message->series[0]->labels[i]->name, ==, expected[i][0]);
    if (expected[i][1] != NULL)
      g_assert_cmpstr (message->series[0]->labels[i]->value, ==,
                       expected[i][1]);
  }
  g_assert_cmpuint (strlen (message->series[0]->samples[0]->id), ==, 36);
  push__v1__push_request__free_unpacked (message, NULL);
  fixture_clear (&f);
}

static void
test_split (void)
{
  Fixture f;
  PyroDeliveryStats stats;
  g_autoptr (GBytes) pprof = fixture_pprof_new (4000, 1000);
  gint64 total = 0;
  guint n;

  g_assert_cmpuint (g_bytes_get_size (pprof), >, 4000000);
  fixture_init (&f);
  with_server (&f, NULL, 0);
  start (&f);
  submit (f.delivery, pprof, 0);
  g_assert_true (stop_within (&f, 10000, &stats));
  g_assert_cmpuint (stats.pushed, ==, 1);
  n = http_server_get_n_requests (f.server);
  g_assert_cmpuint (n, >=, 3);
  for (guint i = 0; i < n; i++) {
    g_autoptr (GBytes) part
        = pushed_pprof (http_server_get_request (f.server, i));
    g_autoptr (PyroProfile) profile = pyro_profile_decode (part, NULL, NULL);

    g_assert_nonnull (profile);
    g_assert_cmpuint (g_bytes_get_size (part), <, 2 * 1024 * 1024);
    for (gsize j = 0; j < profile->n_samples; j++)
      total += profile->samples[j].values[1];
  }
  g_assert_cmpint (total, ==, 4000 * 7);
  fixture_clear (&f);
}

static void
test_nothing_to_send (void)
{
  Fixture f;
  PyroDeliveryStats stats;

  fixture_init (&f);
  with_server (&f, NULL, 0);
  with_dir (&f);
  start (&f);
  submit (f.delivery, NULL, 0);
  g_assert_true (stop_within (&f, 5000, &stats));
  g_assert_cmpint (n_encoded, ==, 1);
  g_assert_cmpint (n_destroyed, ==, 1);
  g_assert_cmpuint (stats.captured + stats.pushed + stats.failed, ==, 0);
  g_assert_cmpuint (http_server_get_n_requests (f.server), ==, 0);
  fixture_clear (&f);
}

static void
test_no_profile (void)
{
  Fixture f;
  PyroDeliveryStats stats;
  g_autoptr (GBytes) garbage = g_bytes_new_static ("\xff\xff\xff", 3);
  g_autofree gchar *log = NULL;

  fixture_init (&f);
  with_server (&f, NULL, 0);
  start (&f);
  submit (f.delivery, garbage, 0);
  g_assert_true (stop_within (&f, 5000, &stats));
  g_assert_cmpuint (stats.failed, ==, 1);
  log = fixture_log_take ();
  g_assert_cmpuint (fixture_count (log, "WARN "), ==, 1);
  fixture_clear (&f);
}

static void
test_nowhere (void)
{
  Fixture f;
  PyroDeliveryStats stats;
  g_autofree gchar *log = NULL;

  fixture_init (&f);
  start (&f);
  submit_small (f.delivery);
  g_assert_true (stop_within (&f, 1000, &stats));
  g_assert_cmpint (n_encoded, ==, 0);
  g_assert_cmpint (n_destroyed, ==, 1);
  log = fixture_log_take ();
  g_assert_nonnull (strstr (log, "WARN profiles go nowhere"));
  fixture_clear (&f);
}

static void
test_outage (void)
{
  static const HttpReply replies[]
      = { { HTTP_ANSWER, 200 }, { HTTP_CUT },         { HTTP_CUT },
          { HTTP_CUT },         { HTTP_ANSWER, 503 }, { HTTP_ANSWER, 200 } };
  Fixture f;
  PyroDeliveryStats stats;
  g_autofree gchar *log = NULL;

  fixture_init (&f);
  with_server (&f, replies, G_N_ELEMENTS (replies));
  start (&f);
  submit_small (f.delivery);
  WAIT_FOR (&f, pushed, 1);
  /* The first failure is tried twice, those after it once. */
  submit_small (f.delivery);
  WAIT_FOR (&f, failed, 1);
  submit_small (f.delivery);
  WAIT_FOR (&f, failed, 2);
  submit_small (f.delivery);
  WAIT_FOR (&f, failed, 3);
  submit_small (f.delivery);
  WAIT_FOR (&f, pushed, 2);
  submit_small (f.delivery);
  g_assert_true (stop_within (&f, 5000, &stats));
  g_assert_cmpuint (stats.pushed, ==, 3);
  g_assert_cmpuint (stats.failed, ==, 3);

  log = fixture_log_take ();
  g_test_message ("%s", log);
  g_assert_cmpuint (fixture_count (log, "WARN "), ==, 1);
  g_assert_nonnull (strstr (log, "output-dir to keep captures"));
  g_assert_cmpuint (fixture_count (log, "INFO "), ==, 1);
  g_assert_nonnull (strstr (log, "takes profiles again; 3 were not pushed"));
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
  submit_small (f.delivery);
  begin = g_get_monotonic_time ();
  g_assert_true (stop_within (&f, 5000, &stats));
  g_assert_cmpint (g_get_monotonic_time () - begin, <, 1000000);
  g_assert_cmpuint (stats.failed, ==, 2);
  log = fixture_log_take ();
  g_assert_nonnull (
      strstr (log, "WARN no server at http://***@127.0.0.1:1: connection "
                   "refused; profiles of this time are lost; set "
                   "server-url= (empty) to push nowhere or output-dir to "
                   "keep captures\n"));
  g_assert_cmpuint (fixture_count (log, "WARN "), ==, 1);
  fixture_clear (&f);
}

static void
test_slow_name_server (void)
{
  Fixture f;
  PyroDeliveryStats stats;

  fixture_init (&f);
  fixture_set (&f.settings->server_url, "http://slow.invalid:4040");
  start (&f);
  submit_small (f.delivery);
  while (g_atomic_int_get (&n_slow_lookups) == 0)
    g_usleep (1000);
  g_assert_true (stop_within (&f, 500, &stats));
  g_assert_cmpuint (stats.failed, ==, 1);
  fixture_clear (&f);
}

static void
test_retry_after (void)
{
  static const HttpReply replies[]
      = { { HTTP_ANSWER, 429, "Retry-After: 1\r\n" }, { HTTP_ANSWER, 200 } };
  Fixture f;
  PyroDeliveryStats stats;
  gint64 begin;

  fixture_init (&f);
  with_server (&f, replies, G_N_ELEMENTS (replies));
  start (&f);
  begin = g_get_monotonic_time ();
  submit_small (f.delivery);
  WAIT_FOR (&f, pushed, 1);
  g_assert_cmpint (g_get_monotonic_time () - begin, >, 1000000);
  g_assert_cmpint (g_get_monotonic_time () - begin, <, 3000000);
  g_assert_true (stop_within (&f, 1000, &stats));
  g_assert_cmpuint (stats.failed, ==, 0);
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
  WAIT_FOR (&f, failed, 1);
  submit_small (f.delivery);
  WAIT_FOR (&f, failed, 2);
  g_assert_true (stop_within (&f, 1000, &stats));
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
      WAIT_FOR (&f, failed, n);
    }
    g_assert_true (stop_within (&f, 1000, &stats));
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
  g_assert_nonnull (strstr (log, "which is dropped: 400 too deep\n"));
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
  g_assert_cmpuint (stats.discarded, ==, 0);
  g_assert_cmpuint (stats.failed, ==, 40);
  /* At the stop each of those that waited had a share of the time. */
  g_assert_cmpuint (http_server_get_n_requests (f.server), >=, 5);
  log = fixture_log_take ();
  g_assert_cmpuint (fixture_count (log, "WARN "), ==, 1);
  g_assert_nonnull (strstr (log, "raise stop-timeout"));
  fixture_clear (&f);
}

static void
test_busy_encode_overflow (void)
{
  Fixture f;
  PyroDeliveryStats stats;
  g_autoptr (GBytes) pprof = fixture_pprof_new (3, 10);
  gint64 begin;

  fixture_init (&f);
  with_dir (&f);
  start (&f);
  submit (f.delivery, pprof, 500000);
  while (g_atomic_int_get (&n_encoded) == 0)
    g_usleep (1000);
  begin = g_get_monotonic_time ();
  for (guint i = 0; i < 20; i++)
    submit (f.delivery, pprof, 0);
  g_assert_cmpint (g_get_monotonic_time () - begin, <, 200000);
  pyro_delivery_get_stats (f.delivery, &stats);
  g_assert_cmpuint (stats.discarded, ==, 4);
  g_assert_true (stop_within (&f, 5000, &stats));
  g_assert_cmpuint (stats.captured, ==, 17);
  g_assert_cmpuint (stats.discarded, ==, 4);
  g_assert_cmpint (n_destroyed, ==, 21);
  fixture_clear (&f);
}

static void
test_left_behind (void)
{
  /* It is never freed: leak checkers find it here. */
  static PyroDelivery *kept;
  Fixture f;
  PyroDeliveryStats stats;
  g_autoptr (GBytes) pprof = fixture_pprof_new (3, 10);
  g_autofree gchar *log = NULL;

  fixture_init (&f);
  with_dir (&f);
  start (&f);
  kept = f.delivery;
  submit (kept, pprof, 600000);
  submit (f.delivery, pprof, 0);
  while (g_atomic_int_get (&n_encoded) == 0)
    g_usleep (1000);
  g_assert_false (stop_within (&f, 100, &stats));
  g_assert_cmpuint (stats.captured, ==, 0);
  g_assert_cmpuint (stats.discarded, ==, 1);
  log = fixture_log_take ();
  g_assert_nonnull (strstr (log, "did not end within stop-timeout"));
  /* It goes on without the settings and without a word. */
  while (g_atomic_int_get (&n_destroyed) < 2)
    g_usleep (1000);
  g_free (log);
  log = fixture_log_take ();
  g_assert_cmpstr (log, ==, "");
  fixture_clear (&f);
}

static void
test_stop_while_idle (void)
{
  Fixture f;
  PyroDeliveryStats stats;
  gint64 begin = g_get_monotonic_time ();

  for (guint i = 0; i < 50; i++) {
    fixture_init (&f);
    with_server (&f, NULL, 0);
    start (&f);
    g_assert_true (stop_within (&f, 5000, &stats));
    fixture_clear (&f);
  }
  g_assert_cmpint (g_get_monotonic_time () - begin, <, 2500000);

  /* With no time at all it still returns at once. */
  fixture_init (&f);
  start (&f);
  submit_small (f.delivery);
  stop_within (&f, 0, &stats);
  g_usleep (100000);
  fixture_clear (&f);
}

static void
test_no_thread (void)
{
  Fixture f;
  PyroDeliveryStats stats;
  g_autofree gchar *log = NULL;

  fixture_init (&f);
  with_dir (&f);
  threads_fail = TRUE;
  start (&f);
  submit_small (f.delivery);
  submit_small (f.delivery);
  pyro_delivery_get_stats (f.delivery, &stats);
  g_assert_cmpuint (stats.discarded, ==, 2);
  g_assert_cmpint (n_destroyed, ==, 2);
  g_assert_true (stop_within (&f, 5000, &stats));
  log = fixture_log_take ();
  g_assert_cmpuint (fixture_count (log, "delivery thread cannot be made"), ==,
                    1);

  /* The limit may be gone later. */
  start (&f);
  submit_small (f.delivery);
  threads_fail = FALSE;
  submit_small (f.delivery);
  g_assert_true (stop_within (&f, 5000, &stats));
  g_assert_cmpuint (stats.discarded, ==, 1);
  g_assert_cmpuint (stats.captured, ==, 1);
  fixture_clear (&f);
}

static void
test_output_dir_failures (void)
{
  Fixture f;
  PyroDeliveryStats stats;
  g_autofree gchar *in_the_way = NULL;
  g_autofree gchar *log = NULL;

  fixture_init (&f);
  with_dir (&f);
  in_the_way = g_build_filename (f.dir, "file", NULL);
  g_assert_true (g_file_set_contents (in_the_way, "", -1, NULL));
  fixture_set (&f.settings->output_dir, in_the_way);
  start (&f);
  submit_small (f.delivery);
  submit_small (f.delivery);
  WAIT_FOR (&f, write_failed, 2);
  g_remove (in_the_way);
  submit_small (f.delivery);
  WAIT_FOR (&f, captured, 1);
  g_assert_true (stop_within (&f, 5000, &stats));

  log = fixture_log_take ();
  g_test_message ("%s", log);
  g_assert_cmpuint (fixture_count (log, "WARN "), ==, 1);
  g_assert_nonnull (strstr (log, "output-dir="));
  g_assert_nonnull (strstr (log, in_the_way));
  g_assert_nonnull (strstr (log, "Not a directory"));
  g_assert_nonnull (strstr (log, "set output-dir to a directory"));
  g_assert_cmpuint (fixture_count (log, "INFO captures are written"), ==, 1);
  fixture_clear (&f);
}

/* In a process of its own: the default action of SIGXFSZ ends it. */
static void
test_file_size_limit (void)
{
  if (g_test_subprocess ()) {
    Fixture f;
    PyroDeliveryStats stats;
    struct rlimit limit = { 16, RLIM_INFINITY };
    g_autofree gchar *log = NULL;

    signal (SIGXFSZ, SIG_DFL);
    fixture_init (&f);
    with_dir (&f);
    start (&f);
    setrlimit (RLIMIT_FSIZE, &limit);
    submit_small (f.delivery);
    WAIT_FOR (&f, write_failed, 1);
    limit.rlim_cur = RLIM_INFINITY;
    setrlimit (RLIMIT_FSIZE, &limit);
    submit_small (f.delivery);
    g_assert_true (stop_within (&f, 5000, &stats));
    g_assert_cmpuint (stats.captured, ==, 1);
    log = fixture_log_take ();
    g_assert_nonnull (strstr (log, "File too large"));
    g_assert_nonnull (strstr (log, "ulimit -f"));
    fixture_clear (&f);
    return;
  }
  g_test_trap_subprocess (NULL, 30 * G_USEC_PER_SEC, 0);
  g_test_trap_assert_passed ();
}

static void
test_signals (void)
{
  Fixture f;
  g_autoptr (GDir) tasks = NULL;
  const gchar *task;
  guint64 blocked = 0;
  gboolean found = FALSE;
  gint64 end = g_get_monotonic_time () + 5 * G_USEC_PER_SEC;

  fixture_init (&f);
  start (&f);
  while (!found && g_get_monotonic_time () < end) {
    tasks = g_dir_open ("/proc/self/task", 0, NULL);
    while ((task = g_dir_read_name (tasks)) != NULL) {
      g_autofree gchar *path
          = g_strdup_printf ("/proc/self/task/%s/status", task);
      g_autofree gchar *status = NULL;

      if (!g_file_get_contents (path, &status, NULL, NULL)
          || !strstr (status, "Name:\tpyro-delivery\n"))
        continue;
      found = TRUE;
      blocked = g_ascii_strtoull (strstr (status, "SigBlk:\t") + 8, NULL, 16);
    }
    g_clear_pointer (&tasks, g_dir_close);
  }
  g_assert_true (found);
  for (int sig = 1; sig < 64; sig++) {
    gboolean fault = sig == SIGSEGV || sig == SIGBUS || sig == SIGILL
                     || sig == SIGFPE || sig == SIGTRAP || sig == SIGSYS;
    gboolean impossible
        = sig == SIGKILL || sig == SIGSTOP || sig == 32 || sig == 33;

    if (!impossible)
      g_assert_cmpint ((blocked >> (sig - 1)) & 1, ==, !fault);
  }
  g_assert_true (stop_within (&f, 1000, NULL));
  fixture_clear (&f);
}

static void
test_fork (void)
{
  static const HttpReply hang = { HTTP_HANG };
  Fixture f;
  PyroDeliveryStats stats;
  pid_t child;
  int status;

  fixture_init (&f);
  with_server (&f, &hang, 1);
  start (&f);
  submit_small (f.delivery);
  g_assert_true (http_server_wait (f.server, 1));

  child = fork ();
  if (child == 0) {
    gint64 begin = g_get_monotonic_time ();

    alarm (10);
    /* As if the thread had held it at the fork. */
    n_destroyed = 0;
    pyro_delivery_forget (f.delivery);
    submit_small (f.delivery);
    pyro_delivery_get_stats (f.delivery, &stats);
    if (!pyro_delivery_stop (f.delivery, begin + 5000000, &stats))
      _exit (1);
    if (g_get_monotonic_time () - begin > 1000000 || n_destroyed != 1)
      _exit (2);
    _exit (0);
  }
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_cmpint (status, ==, 0);
  g_assert_true (stop_within (&f, 1000, &stats));
  fixture_clear (&f);
}

/* The application closes all it did not open itself. */
static void
test_closed_descriptors (void)
{
  if (g_test_subprocess ()) {
    Fixture f;
    PyroDeliveryStats stats;

    fixture_init (&f);
    with_dir (&f);
    fixture_set (&f.settings->server_url, "http://127.0.0.1:1");
    start (&f);
    submit_small (f.delivery);
    WAIT_FOR (&f, captured, 1);
    WAIT_FOR (&f, failed, 1);
    for (int fd = 3; fd < 256; fd++)
      close (fd);
    submit_small (f.delivery);
    g_assert_true (stop_within (&f, 5000, &stats));
    g_assert_cmpuint (stats.captured, ==, 2);
    g_assert_cmpuint (stats.failed, ==, 2);
    fixture_clear (&f);
    return;
  }
  g_test_trap_subprocess (NULL, 30 * G_USEC_PER_SEC, 0);
  g_test_trap_assert_passed ();
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
    g_assert_cmpuint (stats.failed, ==, 1);
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
  g_assert_cmpuint (stats.pushed + stats.failed, ==, 6);
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
  static const gchar *const proxies[]
      = { "http_proxy",  "https_proxy", "all_proxy", "no_proxy",
          "HTTPS_PROXY", "ALL_PROXY",   "NO_PROXY",  NULL };

  for (guint i = 0; proxies[i] != NULL; i++)
    g_unsetenv (proxies[i]);
  gst_init (NULL, NULL);
  g_test_init (&argc, &argv, NULL);
  fixture_log_start ();
  g_test_add_func ("/delivery/a profile is captured and pushed to the byte",
                   test_both_ways);
  g_test_add_func ("/delivery/a profile too big for the server is split",
                   test_split);
  g_test_add_func ("/delivery/an interval with nothing in it sends nothing",
                   test_nothing_to_send);
  g_test_add_func ("/delivery/what is no profile is not pushed",
                   test_no_profile);
  g_test_add_func ("/delivery/without a target nothing is encoded",
                   test_nowhere);
  g_test_add_func ("/delivery/an outage is one warning and one recovery",
                   test_outage);
  g_test_add_func ("/delivery/no server is one warning and a quick stop",
                   test_no_server);
  g_test_add_func ("/delivery/a name server that hangs holds no stop",
                   test_slow_name_server);
  g_test_add_func ("/delivery/a short Retry-After is waited for",
                   test_retry_after);
  g_test_add_func ("/delivery/a long Retry-After is left alone",
                   test_long_retry_after);
  g_test_add_func ("/delivery/an answer that stays the same is not asked for",
                   test_futile);
  g_test_add_func ("/delivery/a rejected profile is dropped with its reason",
                   test_rejected);
  g_test_add_func ("/delivery/a hanging server costs no capture",
                   test_hanging_server_and_captures);
  g_test_add_func ("/delivery/a full queue discards its oldest and counts",
                   test_busy_encode_overflow);
  g_test_add_func ("/delivery/a stop leaves a busy thread behind in time",
                   test_left_behind);
  g_test_add_func ("/delivery/a stop with nothing to do is immediate",
                   test_stop_while_idle);
  g_test_add_func ("/delivery/a thread that cannot be made is survived",
                   test_no_thread);
  g_test_add_func ("/delivery/a broken output-dir is one warning, then works",
                   test_output_dir_failures);
  g_test_add_func ("/delivery/a file size limit ends nothing",
                   test_file_size_limit);
  g_test_add_func ("/delivery/the thread leaves the application's signals",
                   test_signals);
  g_test_add_func ("/delivery/a forked child forgets it at once", test_fork);
  g_test_add_func ("/delivery/closed descriptors do not matter",
                   test_closed_descriptors);
  g_test_add_func ("/delivery/a socket closed under a push ends it quietly",
                   test_closed_socket);
  g_test_add_func ("/delivery/no credential is ever said", test_secrets);
  return g_test_run ();
}
