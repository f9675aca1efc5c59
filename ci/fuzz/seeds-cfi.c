/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The beginnings of .eh_frame of all that is loaded here; of some as
 * .debug_frame, or as both. */

#include "fuzz.h"

#include "tracer/pyroscope/unwinding/tests/fuzz-cfi.h"

void
pyro_fuzz_give_seeds (PyroFuzzTake take, gpointer user_data)
{
  g_autoptr (GPtrArray) modules = pyro_loader_list ();
  guint i;

  for (i = 0; i < modules->len; i++) {
    GByteArray *input
        = pyro_fuzz_cfi_input (g_ptr_array_index (modules, i), 4000);

    if (input == NULL)
      continue;
    if (i % 3 != 0) {
      GByteArray *other = pyro_fuzz_cfi_with_debug_frame (input, i % 3 == 1);

      g_byte_array_unref (input);
      input = other;
    }
    take (user_data, input->data, input->len);
    g_byte_array_unref (input);
  }
}
