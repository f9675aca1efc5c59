/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "delivery-fixture.h"
#include "profile/gzip.h"
#include "profile/profile.h"
#include "profile/push.pb-c.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_MESSAGE ((gsize)64 * 1024 * 1024)

/* Linked with --wrap=pthread_create. */
int __real_pthread_create (pthread_t *thread, const pthread_attr_t *attributes,
                           void *(*run) (void *), void *data);
int __wrap_pthread_create (pthread_t *thread, const pthread_attr_t *attributes,
                           void *(*run) (void *), void *data);

static gboolean threads_fail;

int
__wrap_pthread_create (pthread_t *thread, const pthread_attr_t *attributes,
                       void *(*run) (void *), void *data)
{
  if (threads_fail)
    return EAGAIN;
  return __real_pthread_create (thread, attributes, run, data);
}

static Push__V1__PushRequest *
decode_request (const HttpRequest *request)
{
  Push__V1__PushRequest *message
      = push__v1__push_request__unpack (NULL, g_bytes_get_size (request->body),
                                        g_bytes_get_data (request->body, NULL));

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
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) packed = g_bytes_new (raw->data, raw->len);
  GBytes *pprof = pyro_gunzip (packed, MAX_MESSAGE, &error);

  g_assert_no_error (error);
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
  g_assert_cmpuint (stats.split, ==, 1);
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
test_busy_encode_overflow (void)
{
  Fixture f;
  PyroDeliveryStats stats;
  g_autoptr (GBytes) pprof = fixture_pprof_new (3, 10);
  gint64 begin;

  fixture_init (&f);
  with_dir (&f);
  start (&f);
  job_size = 16 * 1024 * 1024; /* four of them are the bound */
  submit (f.delivery, pprof, 500000);
  while (g_atomic_int_get (&n_encoded) == 0)
    g_usleep (1000);
  begin = g_get_monotonic_time ();
  for (guint i = 0; i < 20; i++)
    submit (f.delivery, pprof, 0);
  g_assert_cmpint (g_get_monotonic_time () - begin, <, 200000);
  pyro_delivery_get_stats (f.delivery, &stats);
  g_assert_cmpuint (stats.discarded, ==, 16);
  g_assert_true (stop_within (&f, 5000, &stats));
  g_assert_cmpuint (stats.captured, ==, 5);
  g_assert_cmpuint (stats.discarded, ==, 16);
  g_assert_cmpint (n_destroyed, ==, 21);
  fixture_clear (&f);
}

static gboolean
has_capture (const gchar *dir)
{
  g_autoptr (GPtrArray) names = fixture_dir_list (dir);

  return names->len == 1 && g_str_has_suffix (names->pdata[0], ".pb.gz");
}

static void
test_left_behind (void)
{
  /* It is never freed: leak checkers find it here. */
  static PyroDelivery *volatile kept; /* volatile: else never stored */
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
  while (g_atomic_int_get (&n_destroyed) < 2 || !has_capture (f.dir))
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

  /* With no time at all it still returns at once, and has ended. */
  for (guint i = 0; i < 100; i++) {
    fixture_init (&f);
    start (&f);
    submit_small (f.delivery);
    g_assert_true (stop_within (&f, 0, &stats));
    fixture_clear (&f);
  }
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
  g_assert_cmpuint (fixture_count (log, "WARN "), ==, 2);
  g_assert_nonnull (strstr (log, "output-dir="));
  g_assert_nonnull (strstr (log, in_the_way));
  g_assert_nonnull (strstr (log, "Not a directory"));
  g_assert_nonnull (strstr (log, "set output-dir to a directory"));
  g_assert_cmpuint (fixture_count (log, "captures are written to"), ==, 1);
  fixture_clear (&f);
}

/* Each profile is counted in one that comes later, and once. */
static void
test_each_profile_tells_of_those_before (void)
{
  guint64 captured = 0;
  Fixture f;

  fixture_init (&f);
  with_dir (&f);
  start (&f);
  for (guint n = 1; n <= 5; n++) {
    submit_small (f.delivery);
    WAIT_FOR (&f, captured, n);
    g_assert_cmpuint (last_before.captured, ==, captured);
    captured = last_now.captured;
    g_assert_cmpuint (captured, ==, n - 1);
  }
  g_assert_true (stop_within (&f, 5000, NULL));
  fixture_clear (&f);
}

static void
test_bound_of_captures (void)
{
  Fixture f;
  PyroDeliveryStats stats;
  g_autoptr (GPtrArray) names = NULL;
  g_autofree gchar *log = NULL;
  guint64 n_bytes = 0;

  fixture_init (&f);
  with_dir (&f);
  f.settings->output_max_bytes = 1000;
  start (&f);
  for (guint n = 1; n <= 20; n++) {
    submit_small (f.delivery);
    WAIT_FOR (&f, captured, n);
  }
  g_assert_true (stop_within (&f, 5000, &stats));
  names = fixture_dir_list (f.dir);
  g_assert_cmpuint (names->len, >, 1);
  g_assert_cmpuint (names->len, <, 10);
  for (guint i = 0; i < names->len; i++) {
    g_autofree gchar *path = g_build_filename (f.dir, names->pdata[i], NULL);
    GStatBuf file;

    g_assert_cmpint (g_stat (path, &file), ==, 0);
    n_bytes += (guint64)file.st_size;
  }
  g_assert_cmpuint (n_bytes, <=, 1000);
  log = fixture_log_take ();
  g_assert_cmpuint (fixture_count (log, "output-max-bytes=1000"), ==, 1);
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
    for (int fd = 3; fd < 256; fd++)
      close (fd);
    submit_small (f.delivery);
    g_assert_true (stop_within (&f, 5000, &stats));
    g_assert_cmpuint (stats.captured, ==, 2);
    g_assert_cmpuint (stats.discarded, ==, 2);
    fixture_clear (&f);
    return;
  }
  g_test_trap_subprocess (NULL, 30 * G_USEC_PER_SEC, 0);
  g_test_trap_assert_passed ();
}

int
main (int argc, char **argv)
{
  fixture_main_init (&argc, &argv);
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
  g_test_add_func ("/delivery/what waits for the encoder is bounded in bytes",
                   test_busy_encode_overflow);
  g_test_add_func ("/delivery/a stop leaves a busy thread behind in time",
                   test_left_behind);
  g_test_add_func ("/delivery/a stop with nothing to do is immediate",
                   test_stop_while_idle);
  g_test_add_func ("/delivery/a thread that cannot be made is survived",
                   test_no_thread);
  g_test_add_func ("/delivery/a broken output-dir is one warning, then works",
                   test_output_dir_failures);
  g_test_add_func ("/delivery/each profile reports what became of those before",
                   test_each_profile_tells_of_those_before);
  g_test_add_func ("/delivery/captures are bounded, which is said once",
                   test_bound_of_captures);
  g_test_add_func ("/delivery/a file size limit ends nothing",
                   test_file_size_limit);
  g_test_add_func ("/delivery/the thread leaves the application's signals",
                   test_signals);
  g_test_add_func ("/delivery/a forked child forgets it at once", test_fork);
  g_test_add_func ("/delivery/closed descriptors do not matter",
                   test_closed_descriptors);
  return g_test_run ();
}
