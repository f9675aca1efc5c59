/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"
#include "settings/check.h"
#include "settings/value.h"

#include <glib/gstdio.h>

typedef struct {
  const gchar *text;
  const gchar *wanted; /* as it is shown, or NULL: refused */
  const gchar *why;    /* a part of it */
} Case;

static void
check_cases (const gchar *name, const Case *cases, guint n_cases)
{
  const PyroSetting *setting = pyro_setting_find (name);
  g_autoptr (PyroSettings) s = pyro_settings_new (NULL, NULL, NULL);

  for (guint i = 0; i < n_cases; i++) {
    PyroSettingValue value;
    g_autofree gchar *why = NULL, *shown = NULL;
    gboolean good
        = pyro_setting_parse (setting, cases[i].text, "x", &value, &why, NULL);

    note_case (cases[i].text);
    if (cases[i].wanted == NULL) {
      g_assert_false (good);
      g_assert_nonnull (strstr (why, cases[i].why));
      continue;
    }
    g_assert_cmpstr (why, ==, NULL);
    g_assert_true (good);
    pyro_setting_store (setting, s, &value);
    shown = pyro_setting_show_value (setting, s);
    g_assert_cmpstr (shown, ==, cases[i].wanted);
  }
}

static void
test_whole_numbers (void)
{
  static const Case cases[] = {
    { "100", "100", NULL },
    { "+100", "100", NULL },
    { " 100 ", "100", NULL },
    { "100.0", "100", NULL },
    { "100.", "100", NULL },
    { "0100", "100", NULL },
    { "1", "1", NULL },
    { "1000", "1000", NULL },
    { "0", NULL, "too small" },
    { "-0", NULL, "too small" },
    { "1001", NULL, "too large" },
    { "-5", NULL, "negative" },
    { "4294967396", NULL, "too large" },           /* 100 in 32 bits */
    { "18446744073709551716", NULL, "too large" }, /* and in 64 */
    { "99999999999999999999999999999999999999", NULL, "too large" },
    { "abc", NULL, "whole number" },
    { "", NULL, "whole number" },
    { "+", NULL, "whole number" },
    { "--5", NULL, "whole number" },
    { "1.5", NULL, "whole number" },
    { "1e2", NULL, "whole number" },
    { "0x64", NULL, "whole number" },
    { "100 Hz", NULL, "whole number" },
    { "\"100\"", NULL, "whole number" },
    { ".5", NULL, "whole number" },
  };

  check_cases ("sample-rate", cases, G_N_ELEMENTS (cases));
}

static void
test_seconds (void)
{
  static const Case interval[] = {
    { "15", "15", NULL },
    { "15.0", "15", NULL },
    { "15s", "15", NULL },
    { "+15s", "15", NULL },
    { "1m", "60", NULL },
    { "1m30s", "90", NULL },
    { "30m", "1800", NULL },
    { "1h", NULL, "too large" },
    { "0.5m", "30", NULL },
    { "1.5s0.5s", "2", NULL },
    { "2000ms", "2", NULL },
    { "3000000us", "3", NULL },
    { "3000000\302\265s", "3", NULL },
    { "3000000\316\274s", "3", NULL },
    { "4000000000ns", "4", NULL },
    { "1h1s", NULL, "too large" },
    { "99999999999999999999h", NULL, "too large" },
    { "5000000h5000000h5000000h5000000h", NULL, "too large" },
    { "1500ms", NULL, "whole number of seconds" },
    { "1.5", NULL, "whole number" },
    { "0s", NULL, "too small" },
    { "-1s", NULL, "whole number" },
    { "-1", NULL, "negative" },
    { "1s ", "1", NULL },
    { "1 s", NULL, "duration" },
    { "1d", NULL, "duration" },
    { "s", NULL, "duration" },
    { "1s2", NULL, "duration" },
    { ".s", NULL, "duration" },
    { "", NULL, "whole number" },
  };
  static const Case timeout[] = {
    { "0", "0", NULL },
    { "0s", "0", NULL },
    { "60", "60", NULL },
    { "61", NULL, "too large" },
  };

  check_cases ("upload-interval", interval, G_N_ELEMENTS (interval));
  check_cases ("stop-timeout", timeout, G_N_ELEMENTS (timeout));
}

static void
test_choices (void)
{
  static const Case yes_no[] = {
    { "true", "true", NULL },     { "TRUE", "true", NULL },
    { "yes", "true", NULL },      { "On", "true", NULL },
    { "1", "true", NULL },        { "t", "true", NULL },
    { "false", "false", NULL },   { "No", "false", NULL },
    { "off", "false", NULL },     { "0", "false", NULL },
    { "F", "false", NULL },       { " true ", "true", NULL },
    { "", NULL, "neither" },      { "2", NULL, "neither" },
    { "truee", NULL, "neither" },
  };
  static const Case labels[] = {
    { "pipeline,element", "pipeline,element", NULL },
    { "element+pipeline", "pipeline,element", NULL },
    { " element | pipeline ", "pipeline,element", NULL },
    { "{ element, \"pipeline\", 'thread' }", "pipeline,element,thread", NULL },
    { "element,element,", "element", NULL },
    { "none", "none", NULL },
    { "", "none", NULL },
    { "{}", "none", NULL },
    { "element,elment", NULL, "has \"elment\" in it" },
    { "{element", NULL, "has \"{element\" in it" },
    { "1", NULL, "has \"1\"" },
  };
  static const Case profiles[] = {
    { "cpu", "cpu", NULL },
    { "none", NULL, "empty" },
    { "", NULL, "empty" },
    { "cpu,wall", NULL, "has \"wall\"" },
  };
  static const Case unwinders[] = {
    { "auto", "auto", NULL },
    { " tables", "tables", NULL },
    { "libunwind", "libunwind", NULL },
    { "frame-pointers", "frame-pointers", NULL },
    { "frame_pointers", NULL, "none of them" },
    { "", NULL, "none of them" },
    { "0", NULL, "none of them" },
  };
  static const Case symbols[] = {
    { "local", "local", NULL },
    { "server ", "server", NULL },
    { "none", "none", NULL },
    { "remote", NULL, "none of them" },
  };

  check_cases ("symbols", symbols, G_N_ELEMENTS (symbols));
  check_cases ("stop-agent-on-dispose", yes_no, G_N_ELEMENTS (yes_no));
  check_cases ("labels", labels, G_N_ELEMENTS (labels));
  check_cases ("profiles", profiles, G_N_ELEMENTS (profiles));
  check_cases ("unwinder", unwinders, G_N_ELEMENTS (unwinders));
}

static void
test_urls (void)
{
  static const Case cases[] = {
    { "", "none", NULL },
    { "  ", "none", NULL },
    { "http://localhost:4040", "\"http://localhost:4040\"", NULL },
    { " http://localhost:4040/ ", "\"http://localhost:4040\"", NULL },
    { "https://a.example/b/c//", "\"https://a.example/b/c\"", NULL },
    { "HTTPS://a.example", "\"HTTPS://a.example\"", NULL },
    { "http://[::1]:4040", "\"http://[::1]:4040\"", NULL },
    { "http://a/b%20c", "\"http://a/b%20c\"", NULL },
    { "localhost:4040", "\"http://localhost:4040\"", NULL },
    { "localhost", "\"http://localhost\"", NULL },
    { "http://u:p@a", "\"http://***@a\"", NULL },
    { "ftp://a", NULL, "neither http nor https" },
    { "file:///etc/passwd", NULL, "" },
    { "http://", NULL, "not a URL" },
    { "http:///a", NULL, "not a URL" },
    { "http://:80", NULL, "not a URL" },
    { "http://a:b", NULL, "not a URL" },
    { "http://a:99999", NULL, "not a URL" },
    { "http://a:0", NULL, "port" },
    { "http://a b", NULL, "blank" },
    { "http://a\r\nX: y", NULL, "control" },
    { "http://a/?b=c", NULL, "? or #" },
    { "http://a/#b", NULL, "? or #" },
    { "http://a\377", NULL, "UTF-8" },
    { "://", NULL, "not a URL" },
    { "mailto:x", NULL, "not a URL" },
  };
  static const struct {
    const gchar *url, *masked;
  } masks[] = {
    { "http://a/b", "http://a/b" },
    { "http://u:p@a/b", "http://***@a/b" },
    { "http://u:p@q@a", "http://***@a" },
    { "http://u:p/q@a", "http://***@a" },
    { "u:p@a", "***@a" },
    { "http://a?token=x", "http://a?***" },
    { "http://u:p?q@a", "http://***@a" },
    { "u@://x", "u@://x" },
    { "", "" },
  };

  check_cases ("server-url", cases, G_N_ELEMENTS (cases));
  for (guint i = 0; i < G_N_ELEMENTS (masks); i++) {
    g_autofree gchar *masked = pyro_url_mask (masks[i].url);

    g_assert_cmpstr (masked, ==, masks[i].masked);
  }
}

static void
test_userinfo (void)
{
  static const struct {
    const gchar *url, *rest, *user, *password;
  } cases[] = {
    { "http://a/b@c", NULL, NULL, NULL },
    { "http://u@a", "http://a", "u", "" },
    { "http://u:p@a:1/b@c", "http://a:1/b@c", "u", "p" },
    { "http://u:p:q@a", "http://a", "u", "p:q" },
    { "http://u%40v:p%3a%25@a", "http://a", "u@v", "p:%" },
    { "http://u:%zz@a", "http://a", "u", "%zz" },
    { "http://:p@a", "http://a", "", "p" },
    { "http://@a", "http://a", "", "" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree gchar *url = g_strdup (cases[i].url);
    g_autofree gchar *user = NULL, *password = NULL;
    gboolean taken = pyro_url_take_userinfo (&url, &user, &password);

    note_case (cases[i].url);
    g_assert_cmpint (taken, ==, cases[i].rest != NULL);
    if (!taken)
      continue;
    g_assert_cmpstr (url, ==, cases[i].rest);
    g_assert_cmpstr (user, ==, cases[i].user);
    g_assert_cmpstr (password, ==, cases[i].password);
  }
}

static void
test_names (void)
{
  g_autofree gchar *fits = g_strnfill (2048, 'n');
  g_autofree gchar *longer = g_strnfill (2049, 'n');
  const Case cases[] = {
    { "a", "\"a\"", NULL },
    { " a b ", "\"a b\"", NULL },
    { "\303\244\"\\\n", "\"\303\244\\\"\\\\\"", NULL },
    { "", NULL, "empty" },
    { "  ", NULL, "empty" },
    { "\377", NULL, "UTF-8" },
    { longer, NULL, "too long" },
  };
  g_autoptr (PyroSettings) s = NULL;
  g_autofree gchar *param = g_strconcat ("tracer-name=", fits, NULL);

  check_cases ("tracer-name", cases, G_N_ELEMENTS (cases));
  s = pyro_settings_new (param, NULL, NULL);
  g_assert_cmpstr (s->tracer_name, ==, fits);
}

static void
test_paths (void)
{
  g_autofree gchar *here = g_get_current_dir ();
  g_autofree gchar *below = g_build_filename (here, "b", NULL);
  g_autofree gchar *home = g_build_filename (g_get_home_dir (), "b", NULL);
  const struct {
    const gchar *text, *wanted;
  } cases[] = {
    { "", "" },
    { "/a/b/", "/a/b/" },
    { "/a/./c/../b", "/a/b" },
    { "b", below },
    { " b ", below },
    { "~/b", home },
    { "~", g_get_home_dir () },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree gchar *text = g_strdup (cases[i].text);
    g_autofree gchar *note = NULL, *why = NULL;
    g_autofree gchar *wanted
        = *cases[i].wanted != '\0'
              ? g_canonicalize_filename (cases[i].wanted, NULL)
              : g_strdup ("");

    g_assert_true (pyro_check_directory (&text, &note, &why));
    g_assert_cmpstr (text, ==, wanted);
  }
}

static void
test_debug_path (void)
{
  static const Case cases[] = {
    { "", "none", NULL },
    { "/a", "\"/a\"", NULL },
    { " /a/./c/../b : /d/ ::", "\"/a/b:/d\"", NULL },
  };
  g_autofree gchar *text = g_strdup ("~/a:b");
  g_autofree gchar *home = g_build_filename (g_get_home_dir (), "a", NULL);
  g_autofree gchar *below = g_canonicalize_filename ("b", NULL);
  g_autofree gchar *wanted = g_strconcat (home, ":", below, NULL);
  g_autofree gchar *note = NULL, *why = NULL;

  check_cases ("debug-path", cases, G_N_ELEMENTS (cases));
  g_assert_true (pyro_check_directories (&text, &note, &why));
  g_assert_cmpstr (text, ==, wanted);
}

static void
test_ca_file (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree gchar *directory = g_dir_make_tmp ("settings-XXXXXX", &error);
  g_autofree gchar *file = g_build_filename (directory, "ca.pem", NULL);
  g_autofree gchar *missing = g_build_filename (directory, "no.pem", NULL);
  g_autofree gchar *shown = g_strdup_printf ("\"%s\"", file);
  const Case cases[] = {
    { "", "none", NULL },
    { file, shown, NULL },
    { missing, NULL, "cannot be read: " },
    { directory, NULL, "is a directory" },
  };

  g_assert_no_error (error);
  g_assert_true (g_file_set_contents (file, "x", -1, NULL));
  check_cases ("ca-file", cases, G_N_ELEMENTS (cases));
  g_assert_cmpint (g_unlink (file), ==, 0);
  g_assert_cmpint (g_rmdir (directory), ==, 0);
}

static void
test_credentials (void)
{
  static const Case tokens[] = {
    { "abc==", "the value (not shown)", NULL },
    { " abc\n", "the value (not shown)", NULL },
    { "", "none", NULL },
    { "a\r\nX: y", NULL, "control" },
    { "a b", NULL, "blank" },
    { "\303\244", NULL, "ASCII" },
  };
  static const Case users[] = {
    { "a b\303\244", "the value (not shown)", NULL },
    { "a:b", NULL, "':'" },
    { "a\nb", NULL, "control" },
  };
  static const Case passwords[] = {
    { " a:b ", "the value (not shown)", NULL },
    { "a\n", NULL, "line's end" },
  };

  check_cases ("auth-token", tokens, G_N_ELEMENTS (tokens));
  check_cases ("tenant-id", tokens, G_N_ELEMENTS (tokens));
  check_cases ("basic-auth-user", users, G_N_ELEMENTS (users));
  check_cases ("basic-auth-password", passwords, G_N_ELEMENTS (passwords));
}

static void
test_quote (void)
{
  g_autofree gchar *huge = g_strnfill (10000, 'a');
  g_autofree gchar *cut = pyro_settings_quote (huge);
  g_autofree gchar *escaped = pyro_settings_quote ("a\"b\\c\n\033[m\377");

  g_assert_cmpuint (strlen (cut), <, 130);
  g_assert_nonnull (strstr (cut, "... (10000 bytes)"));
  g_assert_cmpstr (escaped, ==, "\"a\\\"b\\\\c\\u000a\\u001b[m\357\277\275\"");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/values/whole numbers within their range",
                   test_whole_numbers);
  g_test_add_func ("/values/seconds and durations", test_seconds);
  g_test_add_func ("/values/choices by their names", test_choices);
  g_test_add_func ("/values/URLs of a server", test_urls);
  g_test_add_func ("/values/a URL's user is taken out of it", test_userinfo);
  g_test_add_func ("/values/a service's name", test_names);
  g_test_add_func ("/values/paths are made absolute", test_paths);
  g_test_add_func ("/values/the debug path is a list", test_debug_path);
  g_test_add_func ("/values/the CA file can be read", test_ca_file);
  g_test_add_func ("/values/credentials fit in a header", test_credentials);
  g_test_add_func ("/values/shown text is short and harmless", test_quote);
  return g_test_run ();
}
