/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "push.h"
#include "fixture.h"
#include "http-server.h"
#include "log.h"
#include "profile/gzip.h"
#include "profile/push-message.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define TIMEOUT_MS 10000

/* Each credential of the tests has this in it. */
#define SECRET "s3cr3t"

typedef struct {
  HttpServer *server;
  PyroSettings *settings;
  GBytes *body;
} Fixture;

static void
fixture_init (Fixture *f)
{
  g_autofree gchar *url = NULL;

  f->server = http_server_new ();
  f->settings = fixture_settings_new ();
  url = g_strdup_printf ("http://127.0.0.1:%u",
                         http_server_get_port (f->server));
  fixture_set (&f->settings->server_url, url);
  f->body = g_bytes_new_static ("a body", 6);
}

static void
fixture_clear (Fixture *f)
{
  http_server_free (f->server);
  fixture_settings_free (f->settings);
  g_bytes_unref (f->body);
}

static gint64
no_limit (gpointer user_data)
{
  return G_MAXINT64;
}

static gint64
fixed_limit (gpointer user_data)
{
  return *(gint64 *)user_data;
}

static void
send_once (PyroPushTarget *target, GBytes *body, guint timeout_ms,
           PyroPushTick tick, gpointer user_data, PyroPushOutcome *outcome)
{
  PyroPushLink *link = pyro_push_link_new (target);

  pyro_push_send (link, body, timeout_ms, tick, user_data, outcome);
  pyro_push_link_free (link);
}

static void
push (Fixture *f, PyroPushOutcome *outcome)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (PyroPushTarget) target
      = pyro_push_target_new (f->settings, &error);

  g_assert_no_error (error);
  send_once (target, f->body, TIMEOUT_MS, no_limit, NULL, outcome);
}

static const gchar *
header (const HttpRequest *request, const gchar *name)
{
  return g_hash_table_lookup (request->headers, name);
}

static void
test_request (void)
{
  Fixture f;
  PyroPushOutcome outcome;
  const HttpRequest *request;

  fixture_init (&f);
  push (&f, &outcome);
  g_assert_cmpint (outcome.status, ==, PYRO_PUSH_TAKEN);
  g_assert_null (outcome.reason);
  g_assert_cmpuint (http_server_get_n_requests (f.server), ==, 1);
  request = http_server_get_request (f.server, 0);
  g_assert_cmpstr (request->method, ==, "POST");
  g_assert_cmpstr (request->path, ==, "/push.v1.PusherService/Push");
  g_assert_cmpstr (header (request, "content-type"), ==, "application/proto");
  g_assert_null (header (request, "content-encoding"));
  g_assert_cmpstr (header (request, "user-agent"), ==,
                   "gst-pyroscope/" PYRO_VERSION);
  g_assert_cmpstr (header (request, "connect-protocol-version"), ==, "1");
  g_assert_null (header (request, "authorization"));
  g_assert_null (header (request, "x-scope-orgid"));
  g_assert_null (header (request, "expect"));
  g_assert_cmpuint (request->n_repeated, ==, 0);
  g_assert_true (g_bytes_equal (request->body, f.body));
  fixture_clear (&f);
}

static void
test_base_path (void)
{
  static const gchar *const paths[][2] = {
    { "", "/push.v1.PusherService/Push" },
    { "/", "/push.v1.PusherService/Push" },
    { "/a/b", "/a/b/push.v1.PusherService/Push" },
    { "/a/b///", "/a/b/push.v1.PusherService/Push" },
    { "/a?key=1#x", "/a/push.v1.PusherService/Push?key=1" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (paths); i++) {
    Fixture f;
    PyroPushOutcome outcome;
    g_autofree gchar *url = NULL;

    fixture_init (&f);
    url = g_strdup_printf ("%s127.0.0.1:%u%s", i % 2 ? "http://" : "",
                           http_server_get_port (f.server), paths[i][0]);
    fixture_set (&f.settings->server_url, url);
    push (&f, &outcome);
    g_assert_cmpint (outcome.status, ==, PYRO_PUSH_TAKEN);
    g_assert_cmpstr (http_server_get_request (f.server, 0)->path, ==,
                     paths[i][1]);
    fixture_clear (&f);
  }
}

static void
test_auth (void)
{
  Fixture f;
  PyroPushOutcome outcome;
  const HttpRequest *request;
  g_autofree gchar *url = NULL;

  fixture_init (&f);
  fixture_set (&f.settings->basic_auth_user, "Aladdin");
  fixture_set (&f.settings->basic_auth_password, "open sesame");
  fixture_set (&f.settings->tenant_id, "team-a");
  push (&f, &outcome);
  request = http_server_get_request (f.server, 0);
  g_assert_cmpstr (header (request, "authorization"), ==,
                   "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
  g_assert_cmpstr (header (request, "x-scope-orgid"), ==, "team-a");

  fixture_set (&f.settings->auth_token, "t0ken");
  push (&f, &outcome);
  request = http_server_get_request (f.server, 1);
  g_assert_cmpstr (header (request, "authorization"), ==, "Bearer t0ken");
  g_assert_cmpuint (request->n_repeated, ==, 0);

  fixture_set (&f.settings->auth_token, "");
  fixture_set (&f.settings->basic_auth_user, "");
  fixture_set (&f.settings->basic_auth_password, "");
  url = g_strdup_printf ("http://Aladdin:open%%20sesame@127.0.0.1:%u",
                         http_server_get_port (f.server));
  fixture_set (&f.settings->server_url, url);
  push (&f, &outcome);
  request = http_server_get_request (f.server, 2);
  g_assert_cmpstr (header (request, "authorization"), ==,
                   "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
  fixture_clear (&f);
}

static void
test_headers (void)
{
  Fixture f;
  PyroPushOutcome outcome;
  const HttpRequest *request;
  GArray *headers;
  g_autofree gchar *log = NULL;

  fixture_init (&f);
  headers = f.settings->header_list;
  fixture_add_label (headers, "X-One", "1");
  fixture_add_label (headers, "X-Empty", "");
  fixture_add_label (headers, "x-scope-orgid", "mine");
  fixture_add_label (headers, "Authorization", "Custom " SECRET);
  fixture_add_label (headers, "Content-Type", "text/" SECRET);
  fixture_add_label (headers, "X-Evil", "a\r\nX-Injected: " SECRET);
  fixture_add_label (headers, "X Evil", SECRET);
  fixture_add_label (headers, "", SECRET);
  fixture_set (&f.settings->tenant_id, "other");
  fixture_set (&f.settings->auth_token, SECRET);
  push (&f, &outcome);
  g_assert_cmpint (outcome.status, ==, PYRO_PUSH_TAKEN);
  request = http_server_get_request (f.server, 0);
  g_assert_cmpstr (header (request, "x-one"), ==, "1");
  g_assert_cmpstr (header (request, "x-empty"), ==, "");
  g_assert_cmpstr (header (request, "x-scope-orgid"), ==, "mine");
  g_assert_cmpstr (header (request, "authorization"), ==, "Custom " SECRET);
  g_assert_cmpstr (header (request, "content-type"), ==, "application/proto");
  g_assert_null (header (request, "x-injected"));
  g_assert_null (header (request, "x-evil"));
  g_assert_cmpuint (request->n_repeated, ==, 0);

  log = fixture_log_take ();
  g_assert_cmpuint (fixture_count (log, "http-headers"), ==, 4);
  g_assert_null (strstr (log, SECRET));
  fixture_clear (&f);
}

typedef struct {
  HttpReply reply;
  PyroPushStatus status;
  gint64 retry_after;
  const gchar *reason;
} StatusCase;

static void
test_statuses (void)
{
  static const gchar json[]
      = "{\"code\":\"invalid_argument\",\"message\":\"label \\\"x\\\" is "
        "\\nbad\"}";
  static const StatusCase cases[] = {
    { { HTTP_ANSWER, 200, NULL, "{}" }, PYRO_PUSH_TAKEN, 0, NULL },
    { { HTTP_ANSWER, 204 }, PYRO_PUSH_TAKEN, 0, NULL },
    { { HTTP_ANSWER, 200, "Content-Type: application/proto\r\n", "\x08\x01" },
      PYRO_PUSH_TAKEN,
      0,
      NULL },
    { { HTTP_ANSWER, 200, "Content-Type: text/html\r\n", "<html>login" },
      PYRO_PUSH_WRONG_URL,
      0,
      "200, but with an answer that is not a Pyroscope server's" },
    { { HTTP_ANSWER, 400, NULL, json },
      PYRO_PUSH_REJECTED,
      0,
      "400 label \"x\" is  bad" },
    { { HTTP_ANSWER, 413 }, PYRO_PUSH_REJECTED, 0, "status 413" },
    { { HTTP_ANSWER, 401, NULL, "no org id" },
      PYRO_PUSH_AUTH,
      0,
      "401 no org id" },
    { { HTTP_ANSWER, 403 }, PYRO_PUSH_AUTH, 0, "status 403" },
    { { HTTP_ANSWER, 404, NULL, "<html>nginx" },
      PYRO_PUSH_WRONG_URL,
      0,
      "status 404" },
    { { HTTP_ANSWER, 405 }, PYRO_PUSH_WRONG_URL, 0, "status 405" },
    { { HTTP_ANSWER, 415 }, PYRO_PUSH_WRONG_URL, 0, "status 415" },
    { { HTTP_ANSWER, 501 }, PYRO_PUSH_WRONG_URL, 0, "status 501" },
    { { HTTP_ANSWER, 408 }, PYRO_PUSH_BUSY, 0, "status 408" },
    { { HTTP_ANSWER, 425 }, PYRO_PUSH_BUSY, 0, "status 425" },
    { { HTTP_ANSWER, 422 }, PYRO_PUSH_REJECTED, 0, "status 422" },
    { { HTTP_ANSWER, 504 }, PYRO_PUSH_BUSY, 0, "status 504" },
    { { HTTP_RAW, 0, NULL, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}" },
      PYRO_PUSH_UNREACHABLE,
      0,
      "transfer closed with 7 bytes remaining to read" },
    { { HTTP_ANSWER, 499 }, PYRO_PUSH_BUSY, 0, "status 499" },
    { { HTTP_ANSWER, 429, "Retry-After: 3\r\n", "rate limit" },
      PYRO_PUSH_BUSY,
      3,
      "429 rate limit" },
    { { HTTP_ANSWER, 500 }, PYRO_PUSH_BUSY, 0, "status 500" },
    { { HTTP_ANSWER, 503, "Retry-After: 120\r\n" },
      PYRO_PUSH_BUSY,
      120,
      "status 503" },
    { { HTTP_CUT }, PYRO_PUSH_UNREACHABLE, 0, "Empty reply from server" },
    { { HTTP_RAW, 0, NULL, "SSH-2.0-OpenSSH_9.2\r\n" },
      PYRO_PUSH_WRONG_URL,
      0,
      "Received HTTP/0.9 when not allowed" },
    { { HTTP_ENDLESS },
      PYRO_PUSH_WRONG_URL,
      0,
      "200, but with an answer that is not a Pyroscope server's" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    Fixture f;
    PyroPushOutcome outcome;

    fixture_init (&f);
    http_server_set_replies (f.server, &cases[i].reply, 1);
    push (&f, &outcome);
    g_test_message ("case %u: %s", i, outcome.reason);
    g_assert_cmpint (outcome.status, ==, cases[i].status);
    g_assert_cmpint (outcome.retry_after, ==, cases[i].retry_after);
    g_assert_cmpstr (outcome.reason, ==, cases[i].reason);
    pyro_push_outcome_clear (&outcome);
    fixture_clear (&f);
  }
}

static void
test_endless_headers (void)
{
  static const HttpReply reply = { HTTP_HEADERS };
  Fixture f;
  PyroPushOutcome outcome;
  gint64 start = g_get_monotonic_time ();

  fixture_init (&f);
  http_server_set_replies (f.server, &reply, 1);
  push (&f, &outcome);
  g_assert_cmpint (outcome.status, ==, PYRO_PUSH_WRONG_URL);
  g_assert_cmpint (g_get_monotonic_time () - start, <, 5 * G_USEC_PER_SEC);
  pyro_push_outcome_clear (&outcome);
  fixture_clear (&f);
}

static void
test_long_answer (void)
{
  g_autofree gchar *text = g_strnfill (60000, 'x');
  HttpReply reply = { HTTP_ANSWER, 400, NULL, text };
  Fixture f;
  PyroPushOutcome outcome;

  fixture_init (&f);
  http_server_set_replies (f.server, &reply, 1);
  push (&f, &outcome);
  g_assert_cmpint (outcome.status, ==, PYRO_PUSH_REJECTED);
  g_assert_cmpuint (strlen (outcome.reason), <, 400);
  pyro_push_outcome_clear (&outcome);
  fixture_clear (&f);
}

static void
test_redirect (void)
{
  Fixture f, other;
  PyroPushOutcome outcome;
  g_autofree gchar *header_line = NULL;
  g_autofree gchar *to = NULL;
  HttpReply reply = { HTTP_ANSWER, 307 };

  fixture_init (&f);
  fixture_init (&other);
  fixture_set (&f.settings->auth_token, SECRET);
  header_line = g_strdup_printf ("Location: http://u:" SECRET
                                 "@127.0.0.1:%u/login?" SECRET "\r\n",
                                 http_server_get_port (other.server));
  reply.headers = header_line;
  http_server_set_replies (f.server, &reply, 1);
  push (&f, &outcome);
  g_assert_cmpint (outcome.status, ==, PYRO_PUSH_WRONG_URL);
  to = g_strdup_printf ("307 redirects to http://***@127.0.0.1:%u/login, which "
                        "is not followed",
                        http_server_get_port (other.server));
  g_assert_cmpstr (outcome.reason, ==, to);
  g_assert_cmpuint (http_server_get_n_requests (other.server), ==, 0);
  pyro_push_outcome_clear (&outcome);
  fixture_clear (&f);
  fixture_clear (&other);
}

static void
test_echoed_secrets (void)
{
  static const gchar *const texts[]
      = { "user Aladdin?", "password " SECRET,
          "Basic QWxhZGRpbjpzM2NyM3Q=", "{\"message\":\"tenant " SECRET "\"}" };

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++) {
    Fixture f;
    PyroPushOutcome outcome;
    HttpReply reply = { HTTP_ANSWER, 401, NULL, texts[i] };

    fixture_init (&f);
    fixture_set (&f.settings->basic_auth_user, "Aladdin");
    fixture_set (&f.settings->basic_auth_password, SECRET);
    http_server_set_replies (f.server, &reply, 1);
    push (&f, &outcome);
    g_assert_cmpint (outcome.status, ==, PYRO_PUSH_AUTH);
    g_assert_cmpstr (outcome.reason, ==,
                     "401 (text withheld: it repeats a credential)");
    pyro_push_outcome_clear (&outcome);
    fixture_clear (&f);
  }
}

static void
test_refused (void)
{
  Fixture f;
  PyroPushOutcome outcome;

  fixture_init (&f);
  http_server_free (f.server);
  f.server = http_server_new (); /* on another port, most likely */
  fixture_set (&f.settings->server_url, "http://127.0.0.1:1");
  push (&f, &outcome);
  g_assert_cmpint (outcome.status, ==, PYRO_PUSH_UNREACHABLE);
  g_assert_cmpstr (outcome.reason, ==, "connection refused");
  pyro_push_outcome_clear (&outcome);
  fixture_clear (&f);
}

static void
test_unknown_host (void)
{
  Fixture f;
  PyroPushOutcome outcome;

  fixture_init (&f);
  fixture_set (&f.settings->server_url, "http://no-such-host.invalid:4040");
  push (&f, &outcome);
  g_assert_cmpint (outcome.status, ==, PYRO_PUSH_UNREACHABLE);
  g_assert_nonnull (outcome.reason);
  pyro_push_outcome_clear (&outcome);
  fixture_clear (&f);
}

static void
assert_gives_up (const HttpReply *reply, guint timeout_ms, gint64 limit_us,
                 PyroPushStatus status, gint64 within_us)
{
  Fixture f;
  PyroPushOutcome outcome;
  gint64 start = g_get_monotonic_time ();
  gint64 limit = start + limit_us;
  g_autoptr (PyroPushTarget) target = NULL;

  fixture_init (&f);
  http_server_set_replies (f.server, reply, 1);
  target = pyro_push_target_new (f.settings, NULL);
  send_once (target, f.body, timeout_ms, fixed_limit, &limit, &outcome);
  g_assert_cmpint (outcome.status, ==, status);
  g_assert_cmpint (g_get_monotonic_time () - start, <, within_us);
  pyro_push_outcome_clear (&outcome);
  fixture_clear (&f);
}

static void
test_hanging (void)
{
  static const HttpReply hang = { HTTP_HANG };
  static const HttpReply dribble = { HTTP_DRIBBLE };

  assert_gives_up (&hang, TIMEOUT_MS, 300000, PYRO_PUSH_ABORTED, 900000);
  assert_gives_up (&dribble, TIMEOUT_MS, 300000, PYRO_PUSH_ABORTED, 900000);
  assert_gives_up (&hang, 300, 60 * G_USEC_PER_SEC, PYRO_PUSH_UNREACHABLE,
                   2 * G_USEC_PER_SEC);
  assert_gives_up (&dribble, 300, 60 * G_USEC_PER_SEC, PYRO_PUSH_UNREACHABLE,
                   2 * G_USEC_PER_SEC);
}

static void
test_missing_ca_file (void)
{
  Fixture f;
  PyroPushOutcome outcome;
  g_autofree gchar *url = NULL;

  fixture_init (&f);
  url = g_strdup_printf ("https://127.0.0.1:%u",
                         http_server_get_port (f.server));
  fixture_set (&f.settings->server_url, url);
  fixture_set (&f.settings->ca_file, "/no/such/file.pem");
  push (&f, &outcome);
  g_assert_cmpint (outcome.status, ==, PYRO_PUSH_UNTRUSTED);
  pyro_push_outcome_clear (&outcome);
  fixture_clear (&f);
}

static void
test_proxy (void)
{
  Fixture f;
  PyroPushOutcome outcome;
  g_autofree gchar *proxy = NULL;
  g_autoptr (PyroPushTarget) target = NULL;
  g_autofree gchar *clean = NULL;
  const HttpRequest *request;

  fixture_init (&f);
  proxy = g_strdup_printf ("http://me:" SECRET "@127.0.0.1:%u",
                           http_server_get_port (f.server));
  g_setenv ("http_proxy", proxy, TRUE);
  fixture_set (&f.settings->server_url, "http://pyroscope.invalid:4040");
  target = pyro_push_target_new (f.settings, NULL);
  /* From here on the environment does not matter. */
  g_unsetenv ("http_proxy");
  send_once (target, f.body, TIMEOUT_MS, no_limit, NULL, &outcome);
  g_assert_cmpint (outcome.status, ==, PYRO_PUSH_TAKEN);
  request = http_server_get_request (f.server, 0);
  g_assert_cmpstr (request->path, ==,
                   "http://pyroscope.invalid:4040/push.v1.PusherService/Push");
  clean = pyro_push_target_clean (target, "proxy " SECRET);
  g_assert_null (strstr (clean, SECRET));

  pyro_push_target_free (g_steal_pointer (&target));
  target = pyro_push_target_new (f.settings, NULL);
  g_setenv ("http_proxy", proxy, TRUE);
  send_once (target, f.body, TIMEOUT_MS, no_limit, NULL, &outcome);
  g_assert_cmpint (outcome.status, ==, PYRO_PUSH_UNREACHABLE);
  pyro_push_outcome_clear (&outcome);
  g_unsetenv ("http_proxy");
  fixture_clear (&f);
}

static guint
count_descriptors (void)
{
  g_autoptr (GPtrArray) names = fixture_dir_list ("/proc/self/fd");

  return names->len;
}

static void
test_one_connection (void)
{
  Fixture f;
  PyroPushOutcome outcome;
  g_autoptr (PyroPushTarget) target = NULL;
  PyroPushLink *link;
  guint before;

  fixture_init (&f);
  push (&f, &outcome); /* what is opened once for all */
  g_usleep (100000);
  before = count_descriptors ();
  target = pyro_push_target_new (f.settings, NULL);
  link = pyro_push_link_new (target);
  for (guint i = 0; i < 5; i++) {
    pyro_push_send (link, f.body, TIMEOUT_MS, no_limit, NULL, &outcome);
    g_assert_cmpint (outcome.status, ==, PYRO_PUSH_TAKEN);
  }
  g_assert_cmpuint (http_server_get_n_requests (f.server), ==, 6);
  g_assert_cmpuint (http_server_get_n_connections (f.server), ==, 2);
  /* Ours, and the server's. */
  g_assert_cmpuint (count_descriptors (), ==, before + 2);
  pyro_push_link_free (link);
  g_usleep (100000); /* the server's side */
  g_assert_cmpuint (count_descriptors (), ==, before);
  fixture_clear (&f);
}

/* The lowest descriptor that is a connected socket to PORT. */
static int
find_connection (guint port)
{
  for (int fd = 3; fd < 256; fd++) {
    struct sockaddr_in peer;
    socklen_t length = sizeof peer;

    if (getpeername (fd, (struct sockaddr *)&peer, &length) == 0
        && peer.sin_family == AF_INET && ntohs (peer.sin_port) == port)
      return fd;
  }
  return -1;
}

/* Applications close descriptors that they do not know, and get our number. */
static void
test_a_taken_descriptor (void)
{
  Fixture f;
  PyroPushOutcome outcome;
  g_autoptr (PyroPushTarget) target = NULL;
  PyroPushLink *link;
  int fd, theirs[2];
  gchar unused;

  fixture_init (&f);
  target = pyro_push_target_new (f.settings, NULL);
  link = pyro_push_link_new (target);
  pyro_push_send (link, f.body, TIMEOUT_MS, no_limit, NULL, &outcome);
  g_assert_cmpint (outcome.status, ==, PYRO_PUSH_TAKEN);

  fd = find_connection (http_server_get_port (f.server));
  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, theirs),
                   ==, 0);
  g_assert_cmpint (dup2 (theirs[0], fd), ==, fd);

  pyro_push_send (link, f.body, TIMEOUT_MS, no_limit, NULL, &outcome);
  g_assert_cmpint (outcome.status, ==, PYRO_PUSH_TAKEN);
  pyro_push_link_free (link);
  g_assert_cmpint (read (theirs[1], &unused, 1), ==, -1);
  g_assert_cmpint (errno, ==, EAGAIN);
  g_assert_cmpint (fcntl (fd, F_GETFD), !=, -1);
  close (fd);
  close (theirs[0]);
  close (theirs[1]);
  fixture_clear (&f);
}

static void
test_a_forked_child (void)
{
  Fixture f;
  PyroPushOutcome outcome;
  g_autoptr (PyroPushTarget) target = NULL;
  PyroPushLink *link;
  pid_t child;
  int status;

  fixture_init (&f);
  target = pyro_push_target_new (f.settings, NULL);
  link = pyro_push_link_new (target);
  pyro_push_send (link, f.body, TIMEOUT_MS, no_limit, NULL, &outcome);
  child = fork ();
  if (child == 0) {
    pyro_push_link_fork_child (link);
    _exit (find_connection (http_server_get_port (f.server)) >= 0);
  }
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_cmpint (status, ==, 0);
  pyro_push_send (link, f.body, TIMEOUT_MS, no_limit, NULL, &outcome);
  g_assert_cmpint (outcome.status, ==, PYRO_PUSH_TAKEN);
  g_assert_cmpuint (http_server_get_n_connections (f.server), ==, 1);
  pyro_push_link_free (link);
  fixture_clear (&f);
}

static void
set_file (const gchar *path, const gchar *content)
{
  /* As those who renew tokens do: a new file in the place of the old. */
  g_assert_true (g_file_set_contents (path, content, -1, NULL));
}

static void
test_files_with_secrets (void)
{
  Fixture f;
  PyroPushOutcome outcome;
  g_autoptr (PyroPushTarget) target = NULL;
  gchar *dir = fixture_dir_new ();
  g_autofree gchar *path = g_build_filename (dir, "token", NULL);
  g_autofree gchar *clean = NULL;
  g_autofree gchar *log = NULL;
  static const gchar *const contents[]
      = { "first-" SECRET "\n", "second-" SECRET "\r\n", NULL, "",
          "third-" SECRET };
  static const gchar *const sent[]
      = { "Bearer first-" SECRET, "Bearer second-" SECRET,
          "Bearer second-" SECRET, "Bearer second-" SECRET,
          "Bearer third-" SECRET };

  g_free (fixture_log_take ());
  fixture_init (&f);
  fixture_set (&f.settings->auth_token_file, path);
  set_file (path, contents[0]);
  target = pyro_push_target_new (f.settings, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (contents); i++) {
    if (contents[i] != NULL)
      set_file (path, contents[i]);
    else
      g_unlink (path);
    pyro_push_target_refresh (target);
    send_once (target, f.body, TIMEOUT_MS, no_limit, NULL, &outcome);
    g_assert_cmpstr (
        header (http_server_get_request (f.server, i), "authorization"), ==,
        sent[i]);
  }
  clean = pyro_push_target_clean (target, "no first-" SECRET);
  g_assert_null (strstr (clean, SECRET));
  log = fixture_log_take ();
  g_assert_null (strstr (log, SECRET));
  g_assert_cmpuint (fixture_count (log, "auth-token-file="), ==, 2);

  g_clear_pointer (&target, pyro_push_target_free);
  fixture_set (&f.settings->auth_token_file, "");
  fixture_set (&f.settings->basic_auth_user, "Aladdin");
  fixture_set (&f.settings->basic_auth_password_file, path);
  set_file (path, "open sesame\n");
  target = pyro_push_target_new (f.settings, NULL);
  send_once (target, f.body, TIMEOUT_MS, no_limit, NULL, &outcome);
  g_assert_cmpstr (
      header (http_server_get_request (f.server, 5), "authorization"), ==,
      "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
  fixture_dir_remove (dir);
  fixture_clear (&f);
}

static void
test_plain_text (void)
{
  static const struct {
    const gchar *url;
    gboolean warns;
  } cases[] = { { "http://far.invalid", TRUE },
                { "https://far.invalid", FALSE },
                { "http://localhost:4040", FALSE },
                { "http://[::1]:4040", FALSE } };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    PyroSettings *settings = fixture_settings_new ();
    g_autoptr (PyroPushTarget) target = NULL;
    g_autofree gchar *log = NULL;

    g_free (fixture_log_take ());
    fixture_set (&settings->server_url, cases[i].url);
    fixture_set (&settings->auth_token, SECRET);
    target = pyro_push_target_new (settings, NULL);
    log = fixture_log_take ();
    g_assert_cmpint (strstr (log, "without encryption") != NULL, ==,
                     cases[i].warns);
    g_assert_null (strstr (log, SECRET));
    fixture_settings_free (settings);
  }
}

int
main (int argc, char **argv)
{
  static const gchar *const proxies[]
      = { "http_proxy",  "https_proxy", "all_proxy", "no_proxy", "HTTP_PROXY",
          "HTTPS_PROXY", "ALL_PROXY",   "NO_PROXY",  NULL };

  for (guint i = 0; proxies[i] != NULL; i++)
    g_unsetenv (proxies[i]);
  gst_init (NULL, NULL);
  g_test_init (&argc, &argv, NULL);
  fixture_log_start ();
  g_test_add_func ("/push/the request is what the Connect protocol wants",
                   test_request);
  g_test_add_func ("/push/the server's base path is kept", test_base_path);
  g_test_add_func ("/push/basic auth, token and tenant are sent", test_auth);
  g_test_add_func ("/push/extra headers are sent, but none that break it",
                   test_headers);
  g_test_add_func ("/push/each status has its class and its reason",
                   test_statuses);
  g_test_add_func ("/push/headers without an end are cut off",
                   test_endless_headers);
  g_test_add_func ("/push/a long answer is shortened", test_long_answer);
  g_test_add_func ("/push/a redirect is not followed", test_redirect);
  g_test_add_func ("/push/an answer that repeats a credential is withheld",
                   test_echoed_secrets);
  g_test_add_func ("/push/a refused connection is said so", test_refused);
  g_test_add_func ("/push/an unknown host is an outage", test_unknown_host);
  g_test_add_func ("/push/a server that hangs or dribbles is given up in time",
                   test_hanging);
  g_test_add_func ("/push/a missing ca-file is told from an outage",
                   test_missing_ca_file);
  g_test_add_func ("/push/the proxy is read from the environment once",
                   test_proxy);
  g_test_add_func ("/push/one connection is kept, and closed at the end",
                   test_one_connection);
  g_test_add_func ("/push/a descriptor that the application took is its own",
                   test_a_taken_descriptor);
  g_test_add_func ("/push/a forked child closes its copy of the connection",
                   test_a_forked_child);
  g_test_add_func ("/push/secrets are read from files again when they change",
                   test_files_with_secrets);
  g_test_add_func ("/push/credentials without encryption are warned of",
                   test_plain_text);
  return g_test_run ();
}
