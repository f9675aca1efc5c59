/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "log.h"
#include "fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static void
test_hidden_warning (void)
{
  if (g_test_subprocess ()) {
    pyro_log_init ();
    pyro_log_user (GST_LEVEL_WARNING, "%d of a kind", 3);
    pyro_log_user (GST_LEVEL_ERROR, "bad");
    pyro_log_user (GST_LEVEL_INFO, "chatter");
    return;
  }
  g_test_trap_subprocess (NULL, 0, 0);
  g_test_trap_assert_passed ();
  g_test_trap_assert_stderr ("gst-pyroscope: warning: 3 of a kind\n"
                             "gst-pyroscope: error: bad\n");
}

static void
test_shown_warning (void)
{
  if (g_test_subprocess ()) {
    g_autofree gchar *log = NULL;

    fixture_log_start ();
    pyro_log_user (GST_LEVEL_WARNING, "seen");
    pyro_log_user (GST_LEVEL_INFO, "too");
    log = fixture_log_take ();
    g_assert_cmpstr (log, ==, "WARN seen\nINFO too\n");
    return;
  }
  g_test_trap_subprocess (NULL, 0, 0);
  g_test_trap_assert_passed ();
  g_test_trap_assert_stderr ("");
}

static void
test_foreign_stderr (void)
{
  if (g_test_subprocess ()) {
    gchar name[] = "/tmp/pyro-log-XXXXXX";
    int fd;
    gchar byte;

    pyro_log_init ();
    close (STDERR_FILENO);
    fd = mkstemp (name);
    g_assert_cmpint (fd, ==, STDERR_FILENO);
    unlink (name);
    pyro_log_user (GST_LEVEL_WARNING, "not into a stranger's file");
    g_assert_cmpint (pread (fd, &byte, 1, 0), ==, 0);
    return;
  }
  g_test_trap_subprocess (NULL, 0, 0);
  g_test_trap_assert_passed ();
}

static void
test_broken_stderr (void)
{
  if (g_test_subprocess ()) {
    int ends[2];
    sigset_t pending, mask;

    signal (SIGPIPE, SIG_DFL);
    g_assert_cmpint (pipe (ends), ==, 0);
    dup2 (ends[1], STDERR_FILENO);
    close (ends[0]);
    pyro_log_init ();
    pyro_log_user (GST_LEVEL_WARNING, "nobody reads this");
    sigpending (&pending);
    g_assert_false (sigismember (&pending, SIGPIPE));
    pthread_sigmask (SIG_SETMASK, NULL, &mask);
    g_assert_false (sigismember (&mask, SIGPIPE));
    return;
  }
  g_test_trap_subprocess (NULL, 0, 0);
  g_test_trap_assert_passed ();
}

static void
test_full_stderr (void)
{
  if (g_test_subprocess ()) {
    gchar name[] = "/tmp/pyro-log-XXXXXX";
    struct rlimit limit = { 0, 0 };

    signal (SIGXFSZ, SIG_DFL);
    dup2 (mkstemp (name), STDERR_FILENO);
    unlink (name);
    pyro_log_init ();
    setrlimit (RLIMIT_FSIZE, &limit);
    pyro_log_user (GST_LEVEL_WARNING, "no room for this");
    /* Not with exit status 0 by way of the harness, whose own output may hit
     * the limit. */
    _exit (0);
  }
  g_test_trap_subprocess (NULL, 0, 0);
  g_test_trap_assert_passed ();
}

int
main (int argc, char **argv)
{
  gst_init (NULL, NULL);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/log/a warning that the threshold hides goes to stderr",
                   test_hidden_warning);
  g_test_add_func ("/log/a warning that is shown is not repeated on stderr",
                   test_shown_warning);
  g_test_add_func ("/log/never writes to another file that has number 2",
                   test_foreign_stderr);
  g_test_add_func ("/log/a reader of stderr that went away kills nobody",
                   test_broken_stderr);
  g_test_add_func ("/log/a file size limit on stderr kills nobody",
                   test_full_stderr);
  return g_test_run ();
}
