/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The connection that is kept between pushes, and what is read again. */
#include "log.h"
#include "push-fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

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
  gst_init (NULL, NULL);
  g_test_init (&argc, &argv, NULL);
  fixture_log_start ();
  g_test_add_func ("/push-link/one connection is kept, and closed at the end",
                   test_one_connection);
  g_test_add_func (
      "/push-link/a descriptor that the application took is its own",
      test_a_taken_descriptor);
  g_test_add_func (
      "/push-link/a forked child closes its copy of the connection",
      test_a_forked_child);
  g_test_add_func (
      "/push-link/secrets are read from files again when they change",
      test_files_with_secrets);
  g_test_add_func ("/push-link/credentials without encryption are warned of",
                   test_plain_text);
  return g_test_run ();
}
