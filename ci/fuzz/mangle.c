/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "mangle.h"

#include <string.h>

#define MAX_CHANGES 12

/* Values that lengths, tags, offsets and numbers trip over. */
static const guint8 nasty[]
    = { 0x00, 0x01, 0x02, 0x07, 0x08, 0x0a, 0x10, 0x12, '"',  '\'', '\\',
        ',',  '=',  '{',  0x40, 0x7f, 0x80, 0x81, 0xc0, 0xfe, 0xff };

static gsize
below (GRand *rand, gsize end)
{
  return end == 0 ? 0 : g_rand_int (rand) % end;
}

static void
mangle_once (GRand *rand, GByteArray *bytes, const GByteArray *other)
{
  gsize where = below (rand, bytes->len);
  gsize wanted = below (rand, 1u << below (rand, 10));
  gsize count = MIN (wanted, bytes->len - where);
  guint64 number;

  if (bytes->len == 0) {
    g_byte_array_append (bytes, other->data, other->len);
    return;
  }
  switch (g_rand_int_range (rand, 0, 8)) {
  case 0:
    bytes->data[where] ^= (guint8)(1 << below (rand, 8));
    break;
  case 1:
    bytes->data[where] = nasty[below (rand, G_N_ELEMENTS (nasty))];
    break;
  case 2:
    if (count > 0)
      g_byte_array_remove_range (bytes, (guint)where, (guint)count);
    break;
  case 3: /* within the input */
    memmove (bytes->data + below (rand, bytes->len - count + 1),
             bytes->data + where, count);
    break;
  case 4: /* from another one */
    wanted = below (rand, other->len);
    count = MIN (count, other->len - wanted);
    memmove (bytes->data + where, other->data + wanted, count);
    break;
  case 5:
    if (count > 0 && bytes->len < PYRO_MANGLE_MAX_BYTES) {
      g_autofree guint8 *piece = g_memdup2 (bytes->data + where, count);

      g_byte_array_append (bytes, piece, (guint)count);
    }
    break;
  case 6:
    g_byte_array_set_size (bytes, (guint)where);
    break;
  default: /* a number: small, large, or near a size */
    number = below (rand, 3) == 0   ? g_rand_int (rand) % 64
             : below (rand, 2) == 0 ? bytes->len + below (rand, 33) - 16
                                    : G_MAXUINT64 - below (rand, 300);
    wanted = (gsize)1 << below (rand, 4); /* MIN would draw twice */
    memcpy (bytes->data + where, &number, MIN (bytes->len - where, wanted));
  }
}

void
pyro_mangle (GRand *rand, GByteArray *bytes, const GByteArray *other)
{
  guint times = 1 + (guint)below (rand, MAX_CHANGES);

  while (times-- > 0)
    mangle_once (rand, bytes, other);
}

guint8
pyro_mangle_noise (GRand *rand)
{
  return g_rand_boolean (rand) ? nasty[below (rand, G_N_ELEMENTS (nasty))]
                               : (guint8)g_rand_int (rand);
}
