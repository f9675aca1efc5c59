/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Profiles as captures are: as they are, and as gzip. */

#include "fuzz.h"

#include "profile/gzip.h"
#include "profile/tests/example.h"

void
pyro_fuzz_give_seeds (PyroFuzzTake take, gpointer user_data)
{
  guint i;

  for (i = 1; i <= 3; i++) {
    g_autoptr (GBytes) plain = example_encode (1u << i, i);
    g_autoptr (GBytes) zipped = pyro_gzip (plain);
    gsize size;
    gconstpointer bytes = g_bytes_get_data (plain, &size);

    take (user_data, bytes, size);
    bytes = g_bytes_get_data (zipped, &size);
    take (user_data, bytes, size);
  }
}
