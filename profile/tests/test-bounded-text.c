/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "profile/bounded-text.h"
#include "profile/profile-builder.h"
#include "profile/profile.h"

#include <string.h>

static void
test_what_fits_stays_as_it_is (void)
{
  g_autofree gchar *just = g_strnfill (100, 'x');
  g_autofree gchar *same = NULL, *empty = NULL;
  gboolean is_cut = TRUE;

  same = pyro_bounded_text (just, 100, &is_cut);
  g_assert_cmpstr (same, ==, just);
  g_assert_false (is_cut);
  empty = pyro_bounded_text ("", 100, NULL);
  g_assert_cmpstr (empty, ==, "");
}

static void
test_what_is_too_long_is_cut_and_marked (void)
{
  g_autofree gchar *text = g_strnfill (101, 'x');
  g_autofree gchar *cut = NULL, *again = NULL;
  gboolean is_cut = FALSE;

  cut = pyro_bounded_text (text, 100, &is_cut);
  g_assert_true (is_cut);
  g_assert_cmpuint (strlen (cut), ==, 100);
  g_assert_true (g_str_has_prefix (cut, "xxxxxxxx"));
  g_assert_nonnull (strstr (cut, "x...#"));
  again = pyro_bounded_text (text, 100, NULL);
  g_assert_cmpstr (again, ==, cut);
}

static void
test_long_names_that_differ_remain_two (void)
{
  g_autoptr (GHashTable) seen
      = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  guint i;

  for (i = 0; i < 1000; i++) {
    g_autofree gchar *head = g_strnfill (3000, 'x');
    g_autofree gchar *text = g_strdup_printf ("%s%u", head, i);

    g_assert_true (g_hash_table_add (
        seen, pyro_bounded_text (text, PYRO_MAX_LABEL_VALUE, NULL)));
  }
}

/* Whatever length of characters and wherever the cut falls. */
static void
test_the_cut_is_between_characters (void)
{
  static const gchar *const characters[]
      = { "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x8e\xa5" };
  guint i, offset;

  for (i = 0; i < G_N_ELEMENTS (characters); i++) {
    for (offset = 0; offset < 5; offset++) {
      g_autoptr (GString) text = g_string_new (NULL);
      g_autofree gchar *cut = NULL;

      while (text->len < offset)
        g_string_append_c (text, 'x');
      while (text->len < 200)
        g_string_append (text, characters[i]);
      cut = pyro_bounded_text (text->str, 100, NULL);
      g_assert_true (g_utf8_validate (cut, -1, NULL));
      g_assert_cmpuint (strlen (cut), <=, 100);
      g_assert_cmpuint (strlen (cut), >, 96);
      g_assert_null (strstr (cut, "\xef\xbf\xbd"));
    }
  }
}

/* Each byte that is not UTF-8 becomes three. */
static void
test_what_grows_when_it_is_made_valid_fits_as_well (void)
{
  g_autofree gchar *text = g_strnfill (90, '\xff');
  g_autofree gchar *cut = pyro_bounded_text (text, 100, NULL);

  g_assert_true (g_utf8_validate (cut, -1, NULL));
  g_assert_cmpuint (strlen (cut), <=, 100);
}

static PyroProfile *
read_back (PyroProfileBuilder *builder)
{
  g_autoptr (GBytes) bytes = pyro_profile_builder_encode (builder);
  g_autoptr (GError) error = NULL;
  PyroProfile *profile = pyro_profile_decode (bytes, NULL, &error);

  g_assert_no_error (error);
  return profile;
}

static void
test_a_profile_has_no_string_that_a_server_refuses (void)
{
  static const PyroValueType type = { "samples", "count" };
  g_autoptr (PyroProfileBuilder) builder
      = pyro_profile_builder_new (&type, 1, type, 1);
  g_autoptr (PyroProfile) profile = NULL;
  g_autofree gchar *name = g_strnfill (100000, 'f');
  g_autofree gchar *value = g_strnfill (2049, 'v');
  PyroLabel labels[] = { { "element", value }, { name, "x" } };
  PyroMapping mapping = { .limit = 1, .filename = name };
  gint64 values[] = { 1 };
  PyroLine line = { 0 };
  guint64 stack[1];
  guint i;

  pyro_profile_builder_add_comment (builder, "key", name);
  g_assert_cmpuint (pyro_profile_builder_get_n_cut (builder), ==, 1);
  for (i = 0; i < 2; i++) {
    /* Not cut there, and another string than the label's. */
    line.function_id
        = pyro_profile_builder_add_function (builder, value, name, name, 0);
    stack[0] = pyro_profile_builder_add_location (
        builder, pyro_profile_builder_add_mapping (builder, &mapping), 0, &line,
        1);
    pyro_profile_builder_add_sample (builder, stack, 1, values, labels, 2);
  }
  g_assert_cmpuint (pyro_profile_builder_get_n_cut (builder), ==, 4);

  profile = read_back (builder);
  g_assert_cmpuint (profile->n_functions, ==, 1);
  g_assert_cmpstr (profile->functions[0].name, ==, value);
  g_assert_cmpuint (strlen (profile->functions[0].system_name), ==, 65535);
  g_assert_cmpuint (strlen (profile->functions[0].filename), ==, 65535);
  g_assert_cmpuint (strlen (profile->mappings[0].filename), ==, 65535);
  g_assert_cmpuint (strlen (profile->comments[0]), ==, 65535);
  g_assert_cmpuint (strlen (profile->samples[0].labels[0].str), ==, 2048);
  g_assert_cmpuint (strlen (profile->samples[0].labels[1].key), ==, 1024);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define TEST(name) g_test_add_func ("/profile/bounded-text/" #name, test_##name)
  TEST (what_fits_stays_as_it_is);
  TEST (what_is_too_long_is_cut_and_marked);
  TEST (long_names_that_differ_remain_two);
  TEST (the_cut_is_between_characters);
  TEST (what_grows_when_it_is_made_valid_fits_as_well);
  TEST (a_profile_has_no_string_that_a_server_refuses);
  return g_test_run ();
}
