/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "profile/gzip.h"

static void
assert_refused (GBytes *bytes, gsize max_size, gint code)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (pyro_gunzip (bytes, max_size, &error));
  g_assert_error (error, PYRO_PROFILE_ERROR, code);
}

static GBytes *
random_bytes (gsize size)
{
  guint8 *data = g_malloc (size);
  gsize i;

  for (i = 0; i < size; i++)
    data[i] = g_test_rand_int_range (0, 256);
  return g_bytes_new_take (data, size);
}

static void
test_what_was_packed_unpacks (void)
{
  static const gsize sizes[] = { 0, 1, 16383, 16384, 16385, 1000000 };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (sizes); i++) {
    g_autoptr (GBytes) plain = random_bytes (sizes[i]);
    g_autoptr (GBytes) zipped = pyro_gzip (plain);
    g_autoptr (GError) error = NULL;
    g_autoptr (GBytes) back = pyro_gunzip (zipped, sizes[i], &error);

    g_assert_no_error (error);
    g_assert_true (pyro_is_gzip (zipped));
    g_assert_true (g_bytes_equal (plain, back));
    if (sizes[i] > 0)
      assert_refused (zipped, sizes[i] - 1, PYRO_PROFILE_ERROR_TOO_LARGE);
  }
}

static void
test_members_follow_each_other (void)
{
  g_autoptr (GBytes) one = g_bytes_new_static ("one", 3);
  g_autoptr (GBytes) zipped = pyro_gzip (one);
  g_autoptr (GByteArray) twice = g_byte_array_new ();
  g_autoptr (GBytes) both = NULL, back = NULL, cut = NULL;
  gconstpointer data;
  gsize size;

  data = g_bytes_get_data (zipped, &size);
  g_byte_array_append (twice, data, size);
  g_byte_array_append (twice, data, size);
  both = g_bytes_new (twice->data, twice->len);
  back = pyro_gunzip (both, 100, NULL);
  g_assert_nonnull (back);
  g_assert_cmpmem (g_bytes_get_data (back, NULL), g_bytes_get_size (back),
                   "oneone", 6);
  cut = g_bytes_new_from_bytes (both, 0, 2 * size - 1);
  assert_refused (cut, 100, PYRO_PROFILE_ERROR_TRUNCATED);
}

static void
test_damage_is_found (void)
{
  g_autoptr (GBytes) plain = random_bytes (1000);
  g_autoptr (GBytes) zipped = pyro_gzip (plain);
  g_autoptr (GBytes) bytes = NULL;
  gsize size = g_bytes_get_size (zipped);
  guint8 *data = g_memdup2 (g_bytes_get_data (zipped, NULL), size);

  data[size / 2] ^= 1;
  bytes = g_bytes_new_take (data, size);
  assert_refused (bytes, 2000, PYRO_PROFILE_ERROR_INVALID);
}

static void
test_other_bytes_are_no_gzip (void)
{
  g_autoptr (GBytes) bytes = g_bytes_new_static ("\x1f", 1);

  assert_refused (bytes, 100, PYRO_PROFILE_ERROR_NOT_A_PROFILE);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define TEST(name) g_test_add_func ("/profile/gzip/" #name, test_##name)
  TEST (what_was_packed_unpacks);
  TEST (members_follow_each_other);
  TEST (damage_is_found);
  TEST (other_bytes_are_no_gzip);
  return g_test_run ();
}
