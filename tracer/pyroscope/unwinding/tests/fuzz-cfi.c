/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * With clang: clang -fsanitize=fuzzer,address,undefined fuzz-cfi.c and the
 * room's sources gives a libFuzzer program. test-fuzz.c drives it without.
 */

#include "fuzz-cfi.h"

#include "cfi-compiler.h"

#define TEXT 0x100000u

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
  PyroCfiInput input = { 0 };
  PyroCfiStatistics statistics;
  PyroRuleSet *rules;
  PyroTable *table;

  if (size < 4)
    return 0;
  input.is_debug_frame = (data[0] & 1) != 0;
  input.with_saved = (data[0] & 2) != 0;
  input.segment_start = TEXT + data[1];
  input.segment_limit
      = input.segment_start + ((guint64)data[2] << (data[0] >> 4));
  input.data = data + 4;
  input.size = size - 4;
  /* Before or after the text, so that pc-relative pointers reach it. */
  input.address = (data[0] & 4) != 0 ? TEXT + 0x100000 : TEXT - 0x100000;
  rules = pyro_rule_set_new ();
  table = pyro_cfi_compile (&input, rules, &statistics);
  check_table (table, input.segment_limit - input.segment_start,
               pyro_rule_set_get_n_rules (rules));
  /* A row takes at least one byte of input, but for the two that bound a
   * function, which takes at least 16, and the first of each bucket. */
  g_assert_cmpuint (table->n_rows, <=, size + 2 * table->n_buckets + 2);
  g_free (table);
  pyro_rule_set_free (rules);
  return 0;
}
