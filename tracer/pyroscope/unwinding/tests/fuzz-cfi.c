/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whatever .eh_frame holds, the table keeps what the handler relies on. See
 * ci/fuzz; test-fuzz.c runs the same over what is loaded. */

#include "fuzz-cfi.h"

#include <string.h>

#include "cfi-compiler.h"
#include "eh-frame.h"

#define TEXT G_GUINT64_CONSTANT (0x5500000000)
#define MAX_TEXT (4u << 20)

guint64 pyro_fuzz_cfi_n_functions;

/* What any table guarantees to the handler, which does not check it. */
static void
check_table (const PyroTable *table, guint64 text_size, guint n_rules)
{
  const guint32 *rows = table->first + table->n_buckets + 1;
  guint32 bucket, i;

  for (bucket = 0; bucket < table->n_buckets; bucket++) {
    guint32 first = table->first[bucket], after = table->first[bucket + 1];

    g_assert_cmpuint (first, <, after);
    g_assert_cmpuint (after, <=, table->n_rows);
    g_assert_cmpuint (rows[first] >> PYRO_ROW_RULE_BITS, ==, 0);
    for (i = first; i < after; i++) {
      guint32 rule = rows[i] & PYRO_ROW_RULE_MASK;

      if (i > first)
        g_assert_cmpuint (rows[i] >> PYRO_ROW_RULE_BITS, >,
                          rows[i - 1] >> PYRO_ROW_RULE_BITS);
      if ((rule & 3) == PYRO_RULE_INDEX)
        g_assert_cmpuint (rule >> 2, <, n_rules);
      if ((rule & 3) == PYRO_RULE_OTHER)
        g_assert_cmpuint (rule, <=, PYRO_SPECIAL_UNSUPPORTED);
    }
  }
  g_assert_cmpuint (table->n_buckets * (guint64)PYRO_BUCKET_SIZE, >=,
                    text_size);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  PyroFuzzCfiHeader header;
  PyroCfiInput input = { 0 };
  PyroCfiStatistics statistics;
  PyroRuleSet *rules;
  PyroTable *table;

  if (size < sizeof header)
    return 0;
  memcpy (&header, data, sizeof header);
  input.is_debug_frame = header.is_debug_frame & 1;
  input.with_saved = header.with_saved & 1;
  input.segment_start = TEXT + header.start;
  input.segment_limit = input.segment_start + header.text_size % MAX_TEXT;
  input.data = data + sizeof header;
  input.size = size - sizeof header;
  input.address = TEXT + (guint64)(gint64)header.distance;
  rules = pyro_rule_set_new ();
  table = pyro_cfi_compile (&input, rules, &statistics);
  pyro_fuzz_cfi_n_functions += statistics.n_fdes;
  check_table (table, input.segment_limit - input.segment_start,
               pyro_rule_set_get_n_rules (rules));
  /* A row takes at least one byte of input, but for the two that bound a
   * function, which takes at least 16, and the first of each bucket. */
  g_assert_cmpuint (table->n_rows, <=, size + 2 * table->n_buckets + 2);
  g_free (table);
  pyro_rule_set_free (rules);
  return 0;
}

GByteArray *
pyro_fuzz_cfi_input (const PyroLoadedModule *module, gsize max)
{
  PyroFuzzCfiHeader header = { 0 };
  GByteArray *input;
  GBytes *section;
  gconstpointer bytes;
  guint64 address;
  gsize size;
  guint i;

  section = pyro_eh_frame_copy (module, &address);
  if (section == NULL)
    return NULL;
  for (i = 0; i < module->segments->len; i++) {
    const PyroLoadSegment *segment
        = &g_array_index (module->segments, PyroLoadSegment, i);

    if (!segment->is_executable)
      continue;
    header.text_size
        = (guint32)MIN (segment->limit - segment->start, MAX_TEXT - 1);
    header.distance = (gint32)(address - segment->start);
    break;
  }
  input = g_byte_array_new ();
  bytes = g_bytes_get_data (section, &size);
  g_byte_array_append (input, (const guint8 *)&header, sizeof header);
  g_byte_array_append (input, bytes, (guint)MIN (size, max));
  g_bytes_unref (section);
  return input;
}
