/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "series.h"
#include "fixture.h"

#include <string.h>

static void
assert_sorted_and_unique (GArray *series)
{
  for (guint i = 1; i < series->len; i++)
    g_assert_cmpstr (g_array_index (series, PyroLabel, i - 1).key, <,
                     g_array_index (series, PyroLabel, i).key);
}

static void
test_defaults (void)
{
  PyroSettings *settings = fixture_settings_new ();
  g_autoptr (GArray) series = pyro_series_new (settings, "process_cpu");

  g_assert_cmpuint (series->len, ==, 7);
  assert_sorted_and_unique (series);
  g_assert_cmpstr (pyro_series_lookup (series, "__name__"), ==, "process_cpu");
  g_assert_cmpstr (pyro_series_lookup (series, "service_name"), ==,
                   "gst.pyroscope");
  g_assert_cmpstr (pyro_series_lookup (series, "service"), ==,
                   "gst-pyroscope-tracer");
  g_assert_cmpstr (pyro_series_lookup (series, "version"), ==, PYRO_VERSION);
  g_assert_cmpstr (pyro_series_lookup (series, "os"), ==, "linux");
  g_assert_nonnull (pyro_series_lookup (series, "arch"));
  g_assert_cmpstr (pyro_series_lookup (series, "hostname"), ==,
                   g_get_host_name ());
  fixture_settings_free (settings);
}

static void
test_tags (void)
{
  PyroSettings *settings = fixture_settings_new ();
  g_autoptr (GArray) series = NULL;

  fixture_add_label (settings->tag_list, "zone", "a");
  fixture_add_label (settings->tag_list, "hostname", "camera-7");
  fixture_add_label (settings->tag_list, "zone", "b");
  fixture_add_label (settings->tag_list, "empty", "");
  fixture_add_label (settings->tag_list, "__name__", "memory");
  fixture_add_label (settings->tag_list, "A", "1");
  series = pyro_series_new (settings, "process_cpu");

  g_assert_cmpuint (series->len, ==, 9);
  assert_sorted_and_unique (series);
  g_assert_cmpstr (pyro_series_lookup (series, "zone"), ==, "b");
  g_assert_cmpstr (pyro_series_lookup (series, "hostname"), ==, "camera-7");
  g_assert_cmpstr (pyro_series_lookup (series, "A"), ==, "1");
  g_assert_null (pyro_series_lookup (series, "empty"));
  g_assert_cmpstr (pyro_series_lookup (series, "__name__"), ==, "process_cpu");
  fixture_settings_free (settings);
}

static void
test_limits (void)
{
  PyroSettings *settings = fixture_settings_new ();
  g_autofree gchar *long_value = g_strnfill (5000, 'v');
  g_autoptr (GString) wide = g_string_new ("v");
  g_autoptr (GArray) series = NULL;
  const gchar *value;

  while (wide->len < 4000)
    g_string_append (wide, "\xe2\x82\xac"); /* 3 bytes each */
  fixture_add_label (settings->tag_list, "long", long_value);
  fixture_add_label (settings->tag_list, "wide", wide->str);
  fixture_add_label (settings->tag_list, "bytes",
                     "a\xff"
                     "b");
  series = pyro_series_new (settings, "process_cpu");

  g_assert_cmpuint (strlen (pyro_series_lookup (series, "long")), ==, 2048);
  value = pyro_series_lookup (series, "wide");
  g_assert_cmpuint (strlen (value), >, 2044);
  g_assert_false (g_str_has_suffix (value, "\xac"));
  g_assert_cmpuint (strlen (value), <=, 2048);
  g_assert_true (g_utf8_validate (value, -1, NULL));
  g_assert_cmpstr (pyro_series_lookup (series, "bytes"), ==,
                   "a\xef\xbf\xbd"
                   "b");
  fixture_settings_free (settings);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/series/has the default labels, sorted", test_defaults);
  g_test_add_func ("/series/a tag replaces a default, but never __name__",
                   test_tags);
  g_test_add_func ("/series/values are cut at the server's limit", test_limits);
  return g_test_run ();
}
