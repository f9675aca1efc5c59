/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "profile/gzip.h"
#include "profile/profile.h"
#include "profile/profile.pb-c.h"
#include "profile/tests/example.h"

/* The example, changed by CHANGE before it is packed. */
static GBytes *
changed_example (void (*change) (Perftools__Profiles__Profile *message))
{
  g_autoptr (GBytes) bytes = example_encode (3, 1);
  Perftools__Profiles__Profile *message;
  gconstpointer data;
  guint8 *packed;
  gsize size;

  data = g_bytes_get_data (bytes, &size);
  message = perftools__profiles__profile__unpack (NULL, size, data);
  g_assert_nonnull (message);
  change (message);
  size = perftools__profiles__profile__get_packed_size (message);
  packed = g_malloc (size);
  perftools__profiles__profile__pack (message, packed);
  perftools__profiles__profile__free_unpacked (message, NULL);
  return g_bytes_new_take (packed, size);
}

static void
assert_refused (GBytes *bytes, const PyroProfileLimits *limits, gint code,
                const gchar *part)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (PyroProfile) profile = pyro_profile_decode (bytes, limits, &error);

  g_assert_null (profile);
  g_assert_error (error, PYRO_PROFILE_ERROR, code);
  g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, part));
  g_assert_null (strchr (error->message, '\n'));
}

static void
assert_change_refused (void (*change) (Perftools__Profiles__Profile *message),
                       const gchar *part)
{
  g_autoptr (GBytes) bytes = changed_example (change);

  assert_refused (bytes, NULL, PYRO_PROFILE_ERROR_INVALID, part);
}

static void
test_plain_and_gzipped_are_read_alike (void)
{
  g_autoptr (GBytes) plain = example_encode (5, 1);
  g_autoptr (GBytes) zipped = pyro_gzip (plain);
  g_autoptr (PyroProfile) a = pyro_profile_decode (plain, NULL, NULL);
  g_autoptr (PyroProfile) b = pyro_profile_decode (zipped, NULL, NULL);

  g_assert_nonnull (a);
  g_assert_nonnull (b);
  g_assert_cmpuint (a->n_samples, ==, 5);
  g_assert_cmpuint (b->n_samples, ==, 5);
}

static void
test_reading_and_writing_again_changes_nothing (void)
{
  g_autoptr (GBytes) first = example_encode (50, 42);
  g_autoptr (PyroProfile) profile = pyro_profile_decode (first, NULL, NULL);
  g_autoptr (GBytes) second = pyro_profile_encode (profile);
  g_autoptr (PyroProfile) again = pyro_profile_decode (second, NULL, NULL);
  g_autoptr (GBytes) third = pyro_profile_encode (again);

  /* Ids and strings are numbered in another order, once. */
  g_assert_cmpuint (g_bytes_get_size (first), ==, g_bytes_get_size (second));
  g_assert_true (g_bytes_equal (second, third));
}

static void
test_what_is_no_profile_is_refused (void)
{
  static const gchar text[] = "#!/bin/sh\necho this is no profile at all\n";
  g_autoptr (GBytes) empty = g_bytes_new_static ("", 0);
  g_autoptr (GBytes) words = g_bytes_new_static (text, sizeof text - 1);
  g_autoptr (GBytes) zipped_words = pyro_gzip (words);
  g_autoptr (GBytes) zeros = g_bytes_new_take (g_malloc0 (100), 100);

  assert_refused (empty, NULL, PYRO_PROFILE_ERROR_NOT_A_PROFILE, "empty");
  assert_refused (words, NULL, PYRO_PROFILE_ERROR_NOT_A_PROFILE,
                  "no pprof profile");
  assert_refused (zipped_words, NULL, PYRO_PROFILE_ERROR_NOT_A_PROFILE,
                  "no pprof profile");
  assert_refused (zeros, NULL, PYRO_PROFILE_ERROR_NOT_A_PROFILE,
                  "no pprof profile");
}

static void
drop_types (Perftools__Profiles__Profile *message)
{
  while (message->n_sample_type > 0)
    perftools__profiles__value_type__free_unpacked (
        message->sample_type[--message->n_sample_type], NULL);
}

static void
test_a_profile_without_sample_types_is_refused (void)
{
  g_autoptr (GBytes) bytes = changed_example (drop_types);

  assert_refused (bytes, NULL, PYRO_PROFILE_ERROR_NOT_A_PROFILE,
                  "no sample type");
}

static void
test_every_cut_is_refused_or_is_a_smaller_profile (void)
{
  g_autoptr (GBytes) plain = example_encode (5, 1);
  g_autoptr (GBytes) zipped = pyro_gzip (plain);
  gsize length;

  for (length = 0; length < g_bytes_get_size (plain); length++) {
    g_autoptr (GBytes) cut = g_bytes_new_from_bytes (plain, 0, length);
    g_autoptr (GError) error = NULL;
    g_autoptr (PyroProfile) profile = pyro_profile_decode (cut, NULL, &error);

    g_assert_true ((profile == NULL) == (error != NULL));
  }
  for (length = 2; length < g_bytes_get_size (zipped); length++) {
    g_autoptr (GBytes) cut = g_bytes_new_from_bytes (zipped, 0, length);

    assert_refused (cut, NULL, PYRO_PROFILE_ERROR_TRUNCATED, "cut off");
  }
}

static void
unknown_location (Perftools__Profiles__Profile *message)
{
  message->sample[1]->location_id[0] = 77;
}

static void
unknown_function (Perftools__Profiles__Profile *message)
{
  message->location[1]->line[0]->function_id = 78;
}

static void
unknown_mapping (Perftools__Profiles__Profile *message)
{
  message->location[1]->mapping_id = 79;
}

static void
missing_value (Perftools__Profiles__Profile *message)
{
  message->sample[1]->n_value = 1;
}

static void
far_string (Perftools__Profiles__Profile *message)
{
  message->function[0]->name = message->n_string_table;
}

static void
negative_string (Perftools__Profiles__Profile *message)
{
  message->sample[0]->label[0]->key = -1;
}

static void
double_id (Perftools__Profiles__Profile *message)
{
  message->location[1]->id = message->location[0]->id;
}

static void
zero_id (Perftools__Profiles__Profile *message)
{
  message->function[0]->id = 0;
}

static void
test_contradictions_are_refused (void)
{
  assert_change_refused (unknown_location, "location id 77");
  assert_change_refused (unknown_function, "function id 78");
  assert_change_refused (unknown_mapping, "mapping id 79");
  assert_change_refused (missing_value, "sample 1 has 1 values");
  assert_change_refused (far_string, "is not in its string table");
  assert_change_refused (negative_string, "string -1 is not");
  assert_change_refused (double_id, "there twice");
  assert_change_refused (zero_id, "function id 0");
}

static void
scatter_ids (Perftools__Profiles__Profile *message)
{
  gsize i, k;

  /* Descending, far apart: as if addresses were ids. */
#define SCATTER(id) (G_MAXUINT64 - (id)*0x1000)
  for (i = 0; i < message->n_location; i++) {
    message->location[i]->id = SCATTER (message->location[i]->id);
    for (k = 0; k < message->location[i]->n_line; k++)
      message->location[i]->line[k]->function_id
          = SCATTER (message->location[i]->line[k]->function_id);
  }
  for (i = 0; i < message->n_function; i++)
    message->function[i]->id = SCATTER (message->function[i]->id);
  for (i = 0; i < message->n_sample; i++) {
    for (k = 0; k < message->sample[i]->n_location_id; k++)
      message->sample[i]->location_id[k]
          = SCATTER (message->sample[i]->location_id[k]);
  }
}

static void
test_ids_need_not_count_from_one (void)
{
  g_autoptr (GBytes) bytes = changed_example (scatter_ids);
  g_autoptr (GError) error = NULL;
  g_autoptr (PyroProfile) profile = pyro_profile_decode (bytes, NULL, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (profile->samples[2].locations[0]->lines[0].function->name,
                   ==, "function_2");
  g_assert_cmpstr (profile->samples[2].locations[1]->lines[0].function->name,
                   ==, "main");
}

static void
scatter_ids_but_one (Perftools__Profiles__Profile *message)
{
  scatter_ids (message);
  message->sample[1]->location_id[0] = 5;
}

static void
test_ids_that_do_not_count_from_one_are_checked_too (void)
{
  assert_change_refused (scatter_ids_but_one, "location id 5");
}

static void
test_a_gzip_bomb_is_refused_without_being_unpacked (void)
{
  gsize size = 64 * 1024 * 1024;
  g_autoptr (GBytes) zeros = g_bytes_new_take (g_malloc0 (size), size);
  g_autoptr (GBytes) bomb = pyro_gzip (zeros);
  PyroProfileLimits limits = { 1024 * 1024, PYRO_PROFILE_MAX_MEMORY };

  g_assert_cmpuint (g_bytes_get_size (bomb), <, size / 500);
  assert_refused (bomb, &limits, PYRO_PROFILE_ERROR_TOO_LARGE,
                  "more than the limit of 1048576 bytes");
}

static void
test_a_file_above_the_limit_is_refused (void)
{
  g_autoptr (GBytes) bytes = example_encode (50, 1);
  PyroProfileLimits limits = { 1000, PYRO_PROFILE_MAX_MEMORY };

  assert_refused (bytes, &limits, PYRO_PROFILE_ERROR_TOO_LARGE,
                  "more than the limit of 1000");
}

static void
test_small_messages_that_unpack_to_much_are_refused (void)
{
  /* Tag and length of an empty sample, a million times. */
  gsize n = 1000000, i;
  guint8 *data = g_malloc (2 * n);
  g_autoptr (GBytes) bytes = NULL;
  PyroProfileLimits limits = { PYRO_PROFILE_MAX_SIZE, 16 * 1024 * 1024 };

  for (i = 0; i < n; i++) {
    data[2 * i] = 2 << 3 | 2;
    data[2 * i + 1] = 0;
  }
  bytes = g_bytes_new_take (data, 2 * n);
  assert_refused (bytes, &limits, PYRO_PROFILE_ERROR_TOO_LARGE, "memory");
}

static void
test_the_memory_limit_counts_what_is_made_of_the_messages (void)
{
  g_autoptr (GBytes) bytes = example_encode (2000, 1);
  PyroProfileLimits limits = { PYRO_PROFILE_MAX_SIZE, 0 };
  gboolean read = FALSE;

  /* Every limit from far too little to enough: refused, never beyond. */
  for (limits.max_memory = 5000; !read; limits.max_memory += 50000) {
    g_autoptr (GError) error = NULL;
    g_autoptr (PyroProfile) profile
        = pyro_profile_decode (bytes, &limits, &error);

    read = profile != NULL;
    if (!read)
      g_assert_error (error, PYRO_PROFILE_ERROR, PYRO_PROFILE_ERROR_TOO_LARGE);
    g_assert_cmpuint (limits.max_memory, <, 10 * 1000 * 1000);
  }
}

static void
break_utf8 (Perftools__Profiles__Profile *message)
{
  message->string_table[message->n_string_table - 1][0] = '\xff';
}

static void
test_strings_that_are_not_utf8_are_made_so (void)
{
  g_autoptr (GBytes) bytes = changed_example (break_utf8);
  g_autoptr (PyroProfile) profile = pyro_profile_decode (bytes, NULL, NULL);
  const PyroFunction *last;

  g_assert_nonnull (profile);
  last = &profile->functions[profile->n_functions - 1];
  g_assert_cmpstr (last->name, ==,
                   "\xef\xbf\xbd"
                   "unction_2");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define TEST(name) g_test_add_func ("/profile/decode/" #name, test_##name)
  TEST (plain_and_gzipped_are_read_alike);
  TEST (reading_and_writing_again_changes_nothing);
  TEST (what_is_no_profile_is_refused);
  TEST (a_profile_without_sample_types_is_refused);
  TEST (every_cut_is_refused_or_is_a_smaller_profile);
  TEST (contradictions_are_refused);
  TEST (ids_need_not_count_from_one);
  TEST (ids_that_do_not_count_from_one_are_checked_too);
  TEST (a_gzip_bomb_is_refused_without_being_unpacked);
  TEST (a_file_above_the_limit_is_refused);
  TEST (small_messages_that_unpack_to_much_are_refused);
  TEST (the_memory_limit_counts_what_is_made_of_the_messages);
  TEST (strings_that_are_not_utf8_are_made_so);
  return g_test_run ();
}
