/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The fuzzers' entry, over mangled profiles: the same ones in every run, and
 * GLib's --seed for others. */
#include <string.h>

#include "profile/gzip.h"
#include "profile/tests/example.h"
#include "profile/tests/fuzz-decode.h"

#define ROUNDS 3000

/* Values that lengths, tags and varints trip over. */
static const guint8 nasty[] = { 0x00, 0x01, 0x02, 0x07, 0x0a, 0x12,
                                0x32, 0x7f, 0x80, 0x81, 0xfe, 0xff };

static gsize
at (GRand *rand, gsize end)
{
  return end == 0 ? 0 : (gsize)g_rand_int_range (rand, 0, (gint32)end);
}

static void
mangle_once (GRand *rand, GByteArray *bytes)
{
  gsize where = at (rand, bytes->len);
  gsize wanted = at (rand, 16); /* MIN would draw twice */
  gsize count = MIN (wanted, bytes->len - where);

  switch (g_rand_int_range (rand, 0, 6)) {
  case 0: /* a bit turns */
    bytes->data[where] ^= 1 << g_rand_int_range (rand, 0, 8);
    break;
  case 1: /* a nasty value */
    bytes->data[where] = nasty[at (rand, G_N_ELEMENTS (nasty))];
    break;
  case 2: /* some bytes go */
    if (count > 0 && count < bytes->len)
      g_byte_array_remove_range (bytes, where, count);
    break;
  case 3: /* some are copied elsewhere */
    memmove (bytes->data + at (rand, bytes->len - count), bytes->data + where,
             count);
    break;
  case 4: /* the end is cut */
    g_byte_array_set_size (bytes, MAX (where, 1));
    break;
  default: /* a varint as large as there is */
    memset (bytes->data + where, 0xff, MIN (9, bytes->len - where));
    break;
  }
}

static GBytes *
mangled (GRand *rand, GBytes *bytes)
{
  g_autoptr (GByteArray) array = g_byte_array_new ();
  gint times = g_rand_int_range (rand, 1, 6);
  gconstpointer data;
  gsize size;

  data = g_bytes_get_data (bytes, &size);
  g_byte_array_append (array, data, size);
  while (times-- > 0)
    mangle_once (rand, array);
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
    gsize size = at (rand, sizeof data);

    for (k = 0; k < size; k++)
      data[k] = g_rand_boolean (rand) ? nasty[at (rand, G_N_ELEMENTS (nasty))]
                                      : (guint8)g_rand_int (rand);
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
