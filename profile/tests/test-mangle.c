/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The fuzzers' entry, over mangled profiles: the same ones in every run, and
 * GLib's --seed for others. */
#include "ci/fuzz/fuzz.h"
#include "ci/fuzz/mangle.h"
#include "profile/gzip.h"
#include "profile/tests/example.h"

#define ROUNDS 3000

static GBytes *
mangled (GRand *rand, GBytes *bytes)
{
  g_autoptr (GByteArray) array = g_byte_array_new ();
  gconstpointer data;
  gsize size;

  data = g_bytes_get_data (bytes, &size);
  g_byte_array_append (array, data, size);
  pyro_mangle (rand, array, array);
  return g_byte_array_free_to_bytes (g_steal_pointer (&array));
}

static void
feed (GBytes *bytes)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (bytes, &size);

  LLVMFuzzerTestOneInput (data, size);
}

static void
test_no_mangled_profile_breaks_the_reader (void)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (1);
  g_autoptr (GBytes) plain = example_encode (8, 1);
  guint i;

  for (i = 0; i < ROUNDS; i++) {
    g_autoptr (GBytes) bytes = mangled (rand, plain);

    feed (bytes);
  }
}

static void
test_no_mangled_gzip_breaks_the_reader (void)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (2);
  g_autoptr (GBytes) plain = example_encode (8, 1);
  g_autoptr (GBytes) zipped = pyro_gzip (plain);
  guint i;

  for (i = 0; i < ROUNDS; i++) {
    /* Outside, and inside where the checksum is right again. */
    g_autoptr (GBytes) outside = mangled (rand, zipped);
    g_autoptr (GBytes) inside = mangled (rand, plain);
    g_autoptr (GBytes) zipped_inside = pyro_gzip (inside);

    feed (outside);
    feed (zipped_inside);
  }
}

static void
test_no_random_bytes_break_the_reader (void)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (g_test_rand_int ());
  guint i, k;

  for (i = 0; i < ROUNDS; i++) {
    guint8 data[64];
    gsize size = (gsize)g_rand_int_range (rand, 0, sizeof data);

    for (k = 0; k < size; k++)
      data[k] = pyro_mangle_noise (rand);
    LLVMFuzzerTestOneInput (data, size);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define TEST(name) g_test_add_func ("/profile/mangle/" #name, test_##name)
  TEST (no_mangled_profile_breaks_the_reader);
  TEST (no_mangled_gzip_breaks_the_reader);
  TEST (no_random_bytes_break_the_reader);
  return g_test_run ();
}
