/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "profile/profile-merge.h"
#include "profile/profile-split.h"
#include "profile/tests/example.h"

#define SECOND G_GINT64_CONSTANT (1000000000)

static PyroProfile *
decode (GBytes *bytes)
{
  g_autoptr (GError) error = NULL;
  PyroProfile *profile = pyro_profile_decode (bytes, NULL, &error);

  g_assert_no_error (error);
  return profile;
}

static void
add (PyroProfileMerger *merger, GBytes *bytes)
{
  g_autoptr (PyroProfile) profile = decode (bytes);
  g_autoptr (GError) error = NULL;

  pyro_profile_merger_add (merger, profile, &error);
  g_assert_no_error (error);
}

static void
add_example (PyroProfileMerger *merger, guint n_samples, gint64 time_ns)
{
  g_autoptr (GBytes) bytes = example_encode (n_samples, time_ns);

  add (merger, bytes);
}

static gint64
total (const PyroProfile *profile, guint type)
{
  gint64 sum = 0;
  gsize i;

  for (i = 0; i < profile->n_samples; i++)
    sum += profile->samples[i].values[type];
  return sum;
}

static void
test_merged_intervals_add_up (void)
{
  g_autoptr (PyroProfileMerger) merger = pyro_profile_merger_new ();
  g_autoptr (PyroProfile) merged = NULL;
  g_autoptr (GBytes) bytes = NULL;

  /* 10 s each: the second begins as the first ends, the third overlaps the
   * second by half (another process, say), the last is far off. */
  add_example (merger, 3, 110 * SECOND);
  add_example (merger, 4, 100 * SECOND);
  add_example (merger, 5, 115 * SECOND);
  add_example (merger, 1, 500 * SECOND);
  g_assert_cmpuint (pyro_profile_merger_get_n_profiles (merger), ==, 4);
  bytes = pyro_profile_merger_finish (merger);
  merged = decode (bytes);

  g_assert_cmpuint (merged->n_samples, ==, 5);
  g_assert_cmpint (total (merged, 0), ==, 6 + 10 + 15 + 1);
  g_assert_cmpint (total (merged, 1), ==, 32 * 10000000);
  g_assert_cmpint (merged->samples[0].values[0], ==, 4);
  g_assert_cmpint (merged->time_ns, ==, 100 * SECOND);
  g_assert_cmpint (merged->duration_ns, ==, 35 * SECOND);
  g_assert_cmpstr (pyro_profile_get_comment (merged, "stats.samples"), ==,
                   "13");
  g_assert_cmpstr (pyro_profile_get_comment (merged, "stats.dropped"), ==, "4");
  g_assert_cmpuint (merged->n_comments, ==, 3);
}

static void
test_the_programs_own_mapping_stays_the_first (void)
{
  g_autoptr (PyroProfileBuilder) builder = example_builder_new ();
  PyroMapping program = { .filename = "/usr/bin/program" };
  g_autoptr (PyroProfileMerger) merger = pyro_profile_merger_new ();
  g_autoptr (GBytes) bytes = NULL, merged_bytes = NULL;
  g_autoptr (PyroProfile) merged = NULL;

  /* No sample is in it. */
  pyro_profile_builder_add_mapping (builder, &program);
  example_add_samples (builder, 2);
  bytes = pyro_profile_builder_encode (builder);
  add (merger, bytes);
  merged_bytes = pyro_profile_merger_finish (merger);
  merged = decode (merged_bytes);
  g_assert_cmpstr (merged->mappings[0].filename, ==, "/usr/bin/program");
}

static void
test_profiles_of_other_types_are_not_merged (void)
{
  static const PyroValueType wall = { "wall", "nanoseconds" };
  g_autoptr (PyroProfileBuilder) builder
      = pyro_profile_builder_new (&wall, 1, wall, 1);
  g_autoptr (GBytes) bytes = pyro_profile_builder_encode (builder);
  g_autoptr (PyroProfile) other = decode (bytes);
  g_autoptr (PyroProfileMerger) merger = pyro_profile_merger_new ();
  g_autoptr (GError) error = NULL;

  g_assert_true (pyro_profile_merger_accepts (merger, other));
  add_example (merger, 3, SECOND);
  g_assert_false (pyro_profile_merger_accepts (merger, other));
  g_assert_false (pyro_profile_merger_add (merger, other, &error));
  g_assert_error (error, PYRO_PROFILE_ERROR, PYRO_PROFILE_ERROR_INCOMPATIBLE);
  g_assert_cmpuint (pyro_profile_merger_get_n_profiles (merger), ==, 1);
}

static void
test_nothing_merged_is_nothing (void)
{
  g_autoptr (PyroProfileMerger) merger = pyro_profile_merger_new ();

  g_assert_null (pyro_profile_merger_finish (merger));
}

static void
test_times_at_the_ends_of_the_range_do_no_harm (void)
{
  static const gint64 times[]
      = { G_MAXINT64, G_MININT64, -1, 0, G_MAXINT64 - 5 };
  g_autoptr (PyroProfileMerger) merger = pyro_profile_merger_new ();
  g_autoptr (GBytes) bytes = NULL;
  guint i;

  for (i = 0; i < G_N_ELEMENTS (times); i++)
    add_example (merger, 1, times[i]);
  bytes = pyro_profile_merger_finish (merger);
  g_assert_nonnull (bytes);
}

static void
test_a_small_profile_is_its_own_part (void)
{
  g_autoptr (GBytes) bytes = example_encode (10, SECOND);
  g_autoptr (GPtrArray) parts = pyro_profile_split (
      bytes, PYRO_SPLIT_MAX_BYTES, PYRO_SPLIT_MAX_SAMPLES, NULL);

  g_assert_cmpuint (parts->len, ==, 1);
  g_assert_true (parts->pdata[0] == bytes);
}

static void
check_parts (guint n_samples, gsize max_bytes, guint max_samples)
{
  g_autoptr (GBytes) whole = example_encode (n_samples, 7 * SECOND);
  g_autoptr (PyroProfile) before = decode (whole);
  g_autoptr (PyroProfile) after = NULL;
  g_autoptr (PyroProfileMerger) merger = pyro_profile_merger_new ();
  g_autoptr (GBytes) merged = NULL;
  g_autoptr (GPtrArray) parts
      = pyro_profile_split (whole, max_bytes, max_samples, NULL);
  guint i;

  g_assert_cmpuint (parts->len, >, 1);
  for (i = 0; i < parts->len; i++) {
    g_autoptr (PyroProfile) part = decode (parts->pdata[i]);

    g_assert_cmpuint (g_bytes_get_size (parts->pdata[i]), <=, max_bytes);
    g_assert_cmpuint (part->n_samples, <=, max_samples);
    g_assert_cmpint (part->time_ns, >=, 7 * SECOND);
    g_assert_cmpint (part->time_ns, <, 7 * SECOND + parts->len);
    g_assert_cmpint (part->time_ns + part->duration_ns, ==, 17 * SECOND);
    g_assert_cmpstr (part->mappings[0].build_id, ==, "0123abcd");
    g_assert_cmpstr (pyro_profile_get_comment (part, "series.service_name"), ==,
                     "camera");
    add (merger, parts->pdata[i]);
  }

  merged = pyro_profile_merger_finish (merger);
  after = decode (merged);
  g_assert_cmpuint (after->n_samples, ==, n_samples);
  g_assert_cmpint (total (after, 0), ==, total (before, 0));
  g_assert_cmpint (total (after, 1), ==, total (before, 1));
  g_assert_cmpint (after->duration_ns, ==, before->duration_ns);
  g_assert_cmpstr (pyro_profile_get_comment (after, "stats.samples"), ==,
                   pyro_profile_get_comment (before, "stats.samples"));
  g_assert_cmpuint (after->n_locations, ==, before->n_locations);
  g_assert_cmpuint (after->n_functions, ==, before->n_functions);
  g_assert_cmpuint (after->n_mappings, ==, before->n_mappings);
}

static void
test_parts_are_whole_profiles_and_add_up (void)
{
  check_parts (1000, 20000, PYRO_SPLIT_MAX_SAMPLES);
  check_parts (1000, PYRO_SPLIT_MAX_BYTES, 300);
  check_parts (40000, PYRO_SPLIT_MAX_BYTES, PYRO_SPLIT_MAX_SAMPLES);
}

/* Those of the example: "element=e0" and "element=e1" in turns. */
static gboolean
has_element (const PyroProfile *profile, const gchar *element)
{
  for (gsize i = 0; i < profile->n_samples; i++) {
    const PyroSampleLabel *label
        = pyro_sample_get_label (&profile->samples[i], "element");

    if (strcmp (label->str, element) == 0)
      return TRUE;
  }
  return FALSE;
}

static void
check_that_no_rows_are_equal (guint n_samples, gsize max_bytes,
                              guint max_samples)
{
  g_autoptr (GBytes) whole = example_encode (n_samples, 7 * SECOND);
  g_autoptr (GPtrArray) parts
      = pyro_profile_split (whole, max_bytes, max_samples, NULL);
  g_autoptr (GHashTable) rows
      = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  g_assert_cmpuint (parts->len, >, 1);
  for (guint i = 0; i < parts->len; i++) {
    g_autoptr (PyroProfile) part = decode (parts->pdata[i]);
    static const gchar *const elements[] = { "e0", "e1" };

    for (guint e = 0; e < 2; e++) {
      if (has_element (part, elements[e]))
        g_assert_true (g_hash_table_add (
            rows, g_strdup_printf ("%s at %" G_GINT64_FORMAT, elements[e],
                                   part->time_ns)));
    }
  }
}

static void
test_no_two_parts_share_a_label_set_and_a_time (void)
{
  check_that_no_rows_are_equal (1000, 20000, PYRO_SPLIT_MAX_SAMPLES);
  check_that_no_rows_are_equal (1000, PYRO_SPLIT_MAX_BYTES, 100);
  check_that_no_rows_are_equal (1000, PYRO_SPLIT_MAX_BYTES, 700);
}

static void
test_sets_that_fit_are_not_cut (void)
{
  g_autoptr (GBytes) whole = example_encode (1000, 7 * SECOND);
  g_autoptr (GPtrArray) parts
      = pyro_profile_split (whole, PYRO_SPLIT_MAX_BYTES, 600, NULL);

  g_assert_cmpuint (parts->len, ==, 2);
  for (guint i = 0; i < 2; i++) {
    g_autoptr (PyroProfile) part = decode (parts->pdata[i]);

    g_assert_cmpuint (part->n_samples, ==, 500);
    g_assert_true (has_element (part, "e0") != has_element (part, "e1"));
    g_assert_cmpint (part->time_ns, ==, 7 * SECOND);
  }
}

static void
test_a_sample_that_is_too_large_is_a_part_of_its_own (void)
{
  g_autoptr (GBytes) bytes = example_encode (3, SECOND);
  g_autoptr (GPtrArray) parts = pyro_profile_split (bytes, 1, 1, NULL);

  g_assert_cmpuint (parts->len, ==, 3);
}

static void
test_what_is_no_profile_is_not_split (void)
{
  g_autoptr (GBytes) bytes = g_bytes_new_static ("nonsense", 8);
  g_autoptr (GError) error = NULL;

  g_assert_null (pyro_profile_split (bytes, 1, 1, &error));
  g_assert_error (error, PYRO_PROFILE_ERROR, PYRO_PROFILE_ERROR_NOT_A_PROFILE);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define TEST(name) g_test_add_func ("/profile/merge/" #name, test_##name)
  TEST (merged_intervals_add_up);
  TEST (the_programs_own_mapping_stays_the_first);
  TEST (profiles_of_other_types_are_not_merged);
  TEST (nothing_merged_is_nothing);
  TEST (times_at_the_ends_of_the_range_do_no_harm);
  TEST (a_small_profile_is_its_own_part);
  TEST (parts_are_whole_profiles_and_add_up);
  TEST (no_two_parts_share_a_label_set_and_a_time);
  TEST (sets_that_fit_are_not_cut);
  TEST (a_sample_that_is_too_large_is_a_part_of_its_own);
  TEST (what_is_no_profile_is_not_split);
  return g_test_run ();
}
