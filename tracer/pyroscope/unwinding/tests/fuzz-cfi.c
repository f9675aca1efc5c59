/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whatever .eh_frame and .debug_frame hold, the table keeps what the handler
 * relies on. See ci/fuzz; test-fuzz.c runs the same over what is loaded. */

#include "fuzz-cfi.h"

#include <string.h>

#include "cfi-compiler.h"
#include "cfi-reader.h"
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
  input.with_saved = header.with_saved & 1;
  input.segment_start = TEXT + header.start;
  input.segment_limit = input.segment_start + header.text_size % MAX_TEXT;
  data += sizeof header;
  size -= sizeof header;
  input.data = data;
  input.size = size;
  input.debug_frame = data;
  input.debug_frame_size = size;
  switch (header.sections & 3) {
  case PYRO_FUZZ_CFI_EH_FRAME:
    input.debug_frame = NULL;
    break;
  case PYRO_FUZZ_CFI_DEBUG_FRAME:
    input.data = NULL;
    break;
  case PYRO_FUZZ_CFI_BOTH:
    input.size = size / 2;
    input.debug_frame += input.size;
    input.debug_frame_size -= input.size;
    break;
  default:
    break;
  }
  input.address = TEXT + (guint64)(gint64)header.distance;
  input.bias = TEXT;
  rules = pyro_rule_set_new ();
  table = pyro_cfi_compile (&input, rules, &statistics);
  pyro_fuzz_cfi_n_functions += statistics.n_fdes;
  check_table (table, input.segment_limit - input.segment_start,
               pyro_rule_set_get_n_rules (rules));
  /* A row takes at least one byte of input, but for the two that bound a
   * function, which takes at least 16, and the first of each bucket. */
  g_assert_cmpuint (table->n_rows, <=, 2 * size + 2 * table->n_buckets + 2);
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

static void
put_uint (GByteArray *out, guint64 value, guint size)
{
  g_byte_array_append (out, (const guint8 *)&value, size);
}

/* Pads the entry that began at START and writes its length. */
static void
end_entry (GByteArray *out, guint start)
{
  guint32 length;

  while ((out->len - start) % 8 != 0)
    put_uint (out, 0, 1);
  length = out->len - start - 4;
  memcpy (out->data + start, &length, sizeof length);
}

static void
put_cie (GByteArray *out, const PyroCie *cie)
{
  guint start = out->len;

  put_uint (out, G_GUINT64_CONSTANT (0xffffffff) << 32, 8); /* length, id */
  put_uint (out, 4, 1);                                     /* version */
  put_uint (out, 0, 1);                                     /* augmentation */
  put_uint (out, 8, 2); /* addresses of 8 bytes, no segments */
  put_uint (out, cie->code_align & 0x7f, 1);
  put_uint (out, (guint64)cie->data_align & 0x7f, 1);
  put_uint (out, cie->ra_register & 0x7f, 1);
  g_byte_array_append (out, cie->program.at,
                       (guint)pyro_bytes_left (&cie->program));
  end_entry (out, start);
}

/* The same functions, each CIE once. */
static GByteArray *
convert (const guint8 *section, gsize size, guint64 address)
{
  PyroCfiReader *reader = pyro_cfi_reader_new (section, size, address, FALSE);
  GByteArray *out = g_byte_array_new ();
  GArray *cies = g_array_new (FALSE, FALSE, sizeof (guint)); /* offsets */
  PyroFde fde;

  while (pyro_cfi_reader_next (reader, &fde)) {
    guint start;

    while (cies->len <= fde.cie) {
      guint offset = out->len;

      put_cie (out, pyro_cfi_reader_get_cie (reader, cies->len));
      g_array_append_val (cies, offset);
    }
    start = out->len;
    put_uint (out, 0, 4);
    put_uint (out, g_array_index (cies, guint, fde.cie), 4);
    put_uint (out, fde.start - TEXT, 8);
    put_uint (out, fde.length, 8);
    g_byte_array_append (out, fde.program.at,
                         (guint)pyro_bytes_left (&fde.program));
    end_entry (out, start);
  }
  g_array_unref (cies);
  pyro_cfi_reader_free (reader);
  return out;
}

GByteArray *
pyro_fuzz_cfi_with_debug_frame (const GByteArray *input, gboolean is_alone)
{
  PyroFuzzCfiHeader header;
  GByteArray *out = g_byte_array_new (), *debug_frame;
  guint size = input->len - (guint)sizeof header;

  memcpy (&header, input->data, sizeof header);
  header.sections = is_alone ? PYRO_FUZZ_CFI_DEBUG_FRAME : PYRO_FUZZ_CFI_BOTH;
  debug_frame = convert (input->data + sizeof header, size,
                         TEXT + (guint64)(gint64)header.distance);
  g_byte_array_append (out, (const guint8 *)&header, sizeof header);
  if (!is_alone) {
    guint half = MAX (size, debug_frame->len);

    g_byte_array_append (out, input->data + sizeof header, size);
    for (; size < half; size++)
      put_uint (out, 0, 1);
  }
  g_byte_array_append (out, debug_frame->data, debug_frame->len);
  while (!is_alone && out->len < sizeof header + 2 * size)
    put_uint (out, 0, 1);
  g_byte_array_unref (debug_frame);
  return out;
}
