/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "push-fixture.h"
#include "log.h"
#include "profile/gzip.h"
#include "profile/push-message.h"

#include <string.h>

static gint64
fixed_limit (gpointer user_data)
{
  return *(gint64 *)user_data;
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
  return g_test_run ();
}
