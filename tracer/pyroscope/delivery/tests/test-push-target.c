/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "push-target.h"
#include "fixture.h"

#include <gst/gst.h>
#include <string.h>

/* Each credential of the tests has this in it. */
#define SECRET "s3cr3t"

static void
test_wrong_urls (void)
{
  static const gchar *const urls[] = { "ftp://" SECRET "@host/",
                                       "http://u:" SECRET "/x@host:1x/",
                                       "http://",
                                       "file:///etc/" SECRET "@passwd",
                                       "http://host:99999/?" SECRET,
                                       "http://u:" SECRET "@ho st/",
                                       "http://\x1b[31m" SECRET "@[x",
                                       "://" };

  for (guint i = 0; i < G_N_ELEMENTS (urls); i++) {
    PyroSettings *settings = fixture_settings_new ();
    g_autoptr (GError) error = NULL;
    g_autoptr (PyroPushTarget) target = NULL;

    fixture_set (&settings->server_url, urls[i]);
    target = pyro_push_target_new (settings, &error);
    g_assert_null (target);
    g_assert_error (error, pyro_push_target_error_quark (),
                    PYRO_PUSH_TARGET_ERROR_URL);
    g_assert_nonnull (strstr (error->message, "server-url="));
    g_assert_null (strstr (error->message, SECRET));
    g_assert_null (strchr (error->message, '\x1b'));
    fixture_settings_free (settings);
  }
}

static void
assert_display (const gchar *url, const gchar *expected)
{
  g_autofree gchar *shown = pyro_push_target_display_url (url);

  g_assert_cmpstr (shown, ==, expected);
}

static void
test_display (void)
{
  assert_display ("http://host:1/a", "http://host:1/a");
  assert_display ("http://u:p@host/a", "http://***@host/a");
  assert_display ("http://u:p@w/x@host/a", "http://***@host/a");
  assert_display ("u:p@host", "***@host");
  assert_display ("http://host/a?token=p", "http://host/a");
  assert_display ("http://host/a#p", "http://host/a");
  assert_display ("http://host/\r\na", "http://host/  a");
}

static void
test_no_proxy_for_loopback (void)
{
  static const gchar *const urls[] = { "http://localhost:1", "127.0.0.2:1",
                                       "http://[::1]:1", "http://far:1" };

  g_setenv ("http_proxy", "http://u:" SECRET "@proxy:3128", TRUE);
  for (guint i = 0; i < G_N_ELEMENTS (urls); i++) {
    PyroSettings *settings = fixture_settings_new ();
    g_autoptr (PyroPushTarget) target = NULL;

    fixture_set (&settings->server_url, urls[i]);
    target = pyro_push_target_new (settings, NULL);
    g_assert_nonnull (target);
    g_assert_cmpstr (target->proxy_display, ==,
                     i < 3 ? "" : "http://***@proxy:3128");
    fixture_settings_free (settings);
  }
  g_unsetenv ("http_proxy");
}

static void
test_query_secrets (void)
{
  static const gchar *const texts[]
      = { "the key a%2Bb" SECRET " is unknown", "a+b" SECRET, "bare" SECRET };
  PyroSettings *settings = fixture_settings_new ();
  g_autoptr (PyroPushTarget) target = NULL;

  fixture_set (&settings->server_url,
               "http://host/?x=1&key=a%2Bb" SECRET "&bare" SECRET);
  target = pyro_push_target_new (settings, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++) {
    g_autofree gchar *clean = pyro_push_target_clean (target, texts[i]);

    g_assert_null (strstr (clean, SECRET));
  }
  fixture_settings_free (settings);
}

int
main (int argc, char **argv)
{
  g_unsetenv ("no_proxy");
  g_unsetenv ("NO_PROXY");
  gst_init (NULL, NULL);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func (
      "/push-target/a wrong server-url is refused without its secrets",
      test_wrong_urls);
  g_test_add_func (
      "/push-target/a URL is shown without user, password and query",
      test_display);
  g_test_add_func ("/push-target/a server on this machine needs no proxy",
                   test_no_proxy_for_loopback);
  g_test_add_func ("/push-target/values in the query are secrets",
                   test_query_secrets);
  return g_test_run ();
}
