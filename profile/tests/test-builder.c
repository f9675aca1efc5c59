/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "profile/profile-builder.h"
#include "profile/profile.h"
#include "profile/profile.pb-c.h"
#include "profile/tests/example.h"

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
test_all_that_was_put_in_comes_out (void)
{
  g_autoptr (PyroProfileBuilder) builder = example_builder_new ();
  g_autoptr (PyroProfile) profile = NULL;
  const PyroSample *sample;
  const PyroLocation *leaf, *root;

  pyro_profile_builder_set_time (builder, 1700000000000000001, 10000000002);
  pyro_profile_builder_add_comment (builder, "sampler.rate", "100");
  pyro_profile_builder_add_comment (builder, "free text", NULL);
  pyro_profile_builder_set_default_sample_type (builder, "cpu");
  example_add_samples (builder, 3);
  profile = read_back (builder);

  g_assert_cmpuint (profile->n_sample_types, ==, 2);
  g_assert_cmpstr (profile->sample_types[0].type, ==, "samples");
  g_assert_cmpstr (profile->sample_types[1].unit, ==, "nanoseconds");
  g_assert_cmpstr (profile->period_type.type, ==, "cpu");
  g_assert_cmpint (profile->period, ==, 10000000);
  g_assert_cmpint (profile->time_ns, ==, 1700000000000000001);
  g_assert_cmpint (profile->duration_ns, ==, 10000000002);
  g_assert_cmpstr (profile->default_sample_type, ==, "cpu");
  g_assert_cmpuint (profile->n_comments, ==, 2);
  g_assert_cmpstr (profile->comments[1], ==, "free text");
  g_assert_cmpstr (pyro_profile_get_comment (profile, "sampler.rate"), ==,
                   "100");
  g_assert_null (pyro_profile_get_comment (profile, "sampler.rat"));

  g_assert_cmpuint (profile->n_samples, ==, 3);
  sample = &profile->samples[2];
  g_assert_cmpint (sample->values[0], ==, 3);
  g_assert_cmpint (sample->values[1], ==, 30000000);
  g_assert_cmpuint (sample->n_labels, ==, 2);
  g_assert_cmpstr (sample->labels[0].key, ==, "element");
  g_assert_cmpstr (sample->labels[0].str, ==, "e0");
  g_assert_cmpuint (sample->n_locations, ==, 2);
  leaf = sample->locations[0];
  root = sample->locations[1];
  g_assert_cmphex (leaf->address, ==, 0x2002);
  g_assert_cmpstr (leaf->lines[0].function->name, ==, "function_2");
  g_assert_cmpstr (root->lines[0].function->filename, ==, "m.c");
  g_assert_cmpint (root->lines[0].function->start_line, ==, 3);
  g_assert_cmpint (root->lines[0].line, ==, 7);
  g_assert_true (root->mapping == leaf->mapping);
  g_assert_cmphex (root->mapping->start, ==, 0x1000);
  g_assert_cmphex (root->mapping->limit, ==, 0x9000);
  g_assert_cmphex (root->mapping->file_offset, ==, 0x1000);
  g_assert_cmpstr (root->mapping->filename, ==, "/usr/lib/libexample.so");
  g_assert_cmpstr (root->mapping->build_id, ==, "0123abcd");
  g_assert_true (root->mapping->has_functions);
  g_assert_false (root->mapping->has_inline_frames);
}

static void
test_equal_entries_are_one (void)
{
  g_autoptr (PyroProfileBuilder) builder = example_builder_new ();
  PyroMapping a = { .start = 1, .limit = 2, .filename = "a" };
  PyroMapping b = { .start = 1, .limit = 2, .filename = "a" };
  PyroLine lines[2] = { { 0 } };
  guint64 mapping, function, location;

  mapping = pyro_profile_builder_add_mapping (builder, &a);
  g_assert_cmpuint (mapping, !=, 0);
  g_assert_cmpuint (pyro_profile_builder_add_mapping (builder, &b), ==,
                    mapping);
  b.has_functions = TRUE;
  g_assert_cmpuint (pyro_profile_builder_add_mapping (builder, &b), !=,
                    mapping);

  function = pyro_profile_builder_add_function (builder, "f", NULL, NULL, 0);
  g_assert_cmpuint (pyro_profile_builder_add_function (builder, "f", "", "", 0),
                    ==, function);
  g_assert_cmpuint (
      pyro_profile_builder_add_function (builder, "f", NULL, NULL, 1), !=,
      function);

  lines[0].function_id = lines[1].function_id = function;
  location = pyro_profile_builder_add_location (builder, mapping, 5, lines, 2);
  g_assert_cmpuint (
      pyro_profile_builder_add_location (builder, mapping, 5, lines, 2), ==,
      location);
  g_assert_cmpuint (
      pyro_profile_builder_add_location (builder, mapping, 5, lines, 1), !=,
      location);
  lines[1].line = 9;
  g_assert_cmpuint (
      pyro_profile_builder_add_location (builder, mapping, 5, lines, 2), !=,
      location);
}

static void
test_a_location_may_have_many_inlined_lines_or_none (void)
{
  g_autoptr (PyroProfileBuilder) builder = example_builder_new ();
  g_autoptr (PyroProfile) profile = NULL;
  PyroLine lines[40] = { { 0 } };
  gint64 values[] = { 1, 1 };
  guint64 stack[2];
  guint i;

  for (i = 0; i < G_N_ELEMENTS (lines); i++) {
    lines[i].function_id
        = pyro_profile_builder_add_function (builder, "f", NULL, NULL, i);
    lines[i].line = i;
  }
  stack[0] = pyro_profile_builder_add_location (builder, 0, 1, lines,
                                                G_N_ELEMENTS (lines));
  stack[1] = pyro_profile_builder_add_location (builder, 0, 1, NULL, 0);
  pyro_profile_builder_add_sample (builder, stack, 2, values, NULL, 0);
  profile = read_back (builder);

  g_assert_cmpuint (profile->samples[0].locations[0]->n_lines, ==, 40);
  g_assert_cmpint (profile->samples[0].locations[0]->lines[39].line, ==, 39);
  g_assert_cmpuint (profile->samples[0].locations[1]->n_lines, ==, 0);
  g_assert_null (profile->samples[0].locations[1]->mapping);
}

static void
test_strings_become_valid_utf8 (void)
{
  g_autoptr (PyroProfileBuilder) builder = example_builder_new ();
  g_autoptr (PyroProfile) profile = NULL;
  g_autoptr (GBytes) bytes = NULL;
  PyroLabel labels[] = { { "element", "caf\xe9" } };
  gint64 values[] = { 1, 1 };
  Perftools__Profiles__Profile *message;
  gconstpointer data;
  gsize size, i;

  pyro_profile_builder_add_sample (builder, NULL, 0, values, labels, 1);
  pyro_profile_builder_add_sample (builder, NULL, 0, values, labels, 1);
  bytes = pyro_profile_builder_encode (builder);
  data = g_bytes_get_data (bytes, &size);
  message = perftools__profiles__profile__unpack (NULL, size, data);
  g_assert_nonnull (message);
  g_assert_cmpstr (message->string_table[0], ==, "");
  for (i = 0; i < message->n_string_table; i++)
    g_assert_true (g_utf8_validate (message->string_table[i], -1, NULL));
  perftools__profiles__profile__free_unpacked (message, NULL);

  profile = read_back (builder);
  g_assert_cmpstr (profile->samples[1].labels[0].str, ==, "caf\xef\xbf\xbd");
}

static void
test_labels_without_a_value_are_left_out (void)
{
  g_autoptr (PyroProfileBuilder) builder = example_builder_new ();
  g_autoptr (PyroProfile) profile = NULL;
  PyroLabel labels[] = { { "a", NULL }, { "b", "" }, { "c", "x" } };
  gint64 values[] = { 1, 1 };

  pyro_profile_builder_add_sample (builder, NULL, 0, values, labels, 3);
  profile = read_back (builder);
  g_assert_cmpuint (profile->samples[0].n_labels, ==, 1);
  g_assert_cmpstr (profile->samples[0].labels[0].key, ==, "c");
}

static void
test_merged_samples_sum_up_and_do_not_wrap (void)
{
  g_autoptr (PyroProfileBuilder) builder = example_builder_new ();
  g_autoptr (PyroProfile) profile = NULL;
  guint64 stack[]
      = { pyro_profile_builder_add_location (builder, 0, 1, NULL, 0) };
  PyroSampleLabel number[] = { { "bytes", NULL, 4096, "bytes" } };
  PyroSampleLabel other[] = { { "bytes", NULL, 8192, "bytes" } };
  gint64 values[] = { 2, G_MAXINT64 - 1 };

  pyro_profile_builder_merge_sample (builder, stack, 1, values, number, 1);
  pyro_profile_builder_merge_sample (builder, stack, 1, values, number, 1);
  pyro_profile_builder_merge_sample (builder, stack, 1, values, other, 1);
  pyro_profile_builder_merge_sample (builder, stack, 0, values, other, 1);
  g_assert_cmpuint (pyro_profile_builder_get_n_samples (builder), ==, 3);
  profile = read_back (builder);
  g_assert_cmpint (profile->samples[0].values[0], ==, 4);
  g_assert_cmpint (profile->samples[0].values[1], ==, G_MAXINT64);
  g_assert_null (profile->samples[1].labels[0].str);
  g_assert_cmpint (profile->samples[1].labels[0].num, ==, 8192);
  g_assert_cmpstr (profile->samples[1].labels[0].unit, ==, "bytes");
}

static void
test_a_hundred_thousand_samples_are_built_in_time (void)
{
  gint64 start = g_get_monotonic_time (), encoded;
  g_autoptr (GBytes) bytes = example_encode (100000, 1);

  encoded = g_get_monotonic_time ();
  g_test_message ("built and encoded %" G_GSIZE_FORMAT " bytes in %.3f s",
                  g_bytes_get_size (bytes), (encoded - start) / 1e6);
  /* Measured: 0.2 s. What is quadratic takes minutes. */
  g_assert_cmpint (encoded - start, <, 10 * G_USEC_PER_SEC);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define TEST(name) g_test_add_func ("/profile/builder/" #name, test_##name)
  TEST (all_that_was_put_in_comes_out);
  TEST (equal_entries_are_one);
  TEST (a_location_may_have_many_inlined_lines_or_none);
  TEST (strings_become_valid_utf8);
  TEST (labels_without_a_value_are_left_out);
  TEST (merged_samples_sum_up_and_do_not_wrap);
  TEST (a_hundred_thousand_samples_are_built_in_time);
  return g_test_run ();
}
