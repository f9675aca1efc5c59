/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where calls end, in bytes that were written for it and in this program. */

#include <string.h>

#include "call-sites.h"
#include "harness.h"
#include "published.h"

static gboolean
is_marked (const guint8 *bits, gsize offset)
{
  return bits[offset / 8] >> (offset % 8) & 1;
}

typedef struct {
  guint length; /* 0: no call */
  guint8 bytes[12];
} Instruction;

static void
test_forms (void)
{
  static const Instruction instructions[] = {
    { 5, { 0xe8, 1, 2, 3, 4 } },                         /* call rel32 */
    { 2, { 0xff, 0xd0 } },                               /* *%rax */
    { 3, { 0x41, 0xff, 0xd4 } },                         /* *%r12 */
    { 2, { 0xff, 0x10 } },                               /* *(%rax) */
    { 3, { 0xff, 0x50, 0x08 } },                         /* *8(%rax) */
    { 6, { 0xff, 0x90, 0, 1, 0, 0 } },                   /* *256(%rax) */
    { 6, { 0xff, 0x15, 1, 2, 3, 4 } },                   /* *(%rip) */
    { 3, { 0xff, 0x14, 0xc8 } },                         /* *(%rax,%rcx,8) */
    { 4, { 0xff, 0x54, 0x24, 0x10 } },                   /* *16(%rsp) */
    { 7, { 0xff, 0x94, 0x24, 0, 1, 0, 0 } },             /* *256(%rsp) */
    { 7, { 0xff, 0x14, 0x25, 0, 1, 0, 0 } },             /* *256 */
    { 8, { 0x41, 0xff, 0x94, 0x24, 0x11, 0x22, 0, 0 } }, /* *(%r12) */
    { 0, { 0xff, 0xe0 } },                               /* jmp *%rax */
    { 0, { 0xff, 0xc0 } },                               /* inc %eax */
    { 0, { 0xe9, 1, 2, 3, 4 } },                         /* jmp */
    { 0, { 0xe8, 1, 2, 3 } },                            /* cut off */
  };
  guint i, j;

  for (i = 0; i < G_N_ELEMENTS (instructions); i++) {
    const Instruction *instruction = &instructions[i];
    guint size = instruction->length != 0 ? instruction->length : 4;
    guint8 bits[4] = { 0 };

    pyro_call_sites_mark (bits, instruction->bytes, size, size, 3);
    for (j = 0; j < 32; j++)
      g_assert_cmpint (is_marked (bits, j), ==,
                       instruction->length != 0 && j == size + 3);
  }
}

/* Text is copied in pieces: what lies across two of them is not lost. */
static void
test_pieces (void)
{
  gsize size = 1 << 20;
  guint8 *text = g_malloc0 (size);
  guint64 start = (gsize)text;
  guint8 *whole = g_malloc0 (pyro_call_sites_size (0, size));
  g_autofree guint8 *pieces = NULL;
  gsize i;

  for (i = 0; i < size; i++)
    text[i] = (guint8)g_test_rand_int_range (0, 4) == 0
                  ? (i % 2 ? 0xe8 : 0xff)
                  : (guint8)g_test_rand_int_range (0, 256);
  pyro_call_sites_mark (whole, text, size, size, 0);
  pieces = pyro_call_sites_new (start, start + size);
  g_assert_nonnull (pieces);
  g_assert_cmpmem (pieces, pyro_call_sites_size (0, size), whole,
                   pyro_call_sites_size (0, size));
  g_free (whole);
  g_free (text);
}

static void
test_no_memory (void)
{
  g_assert_null (pyro_call_sites_new (4096, 3 * 4096));
}

static __attribute__ ((noinline)) uintptr_t
return_address (void)
{
  return (uintptr_t)__builtin_return_address (0);
}

static void
test_modules (void)
{
  const PyroUnwindTables *tables;
  const PyroSegment *segment;
  uintptr_t address = return_address ();
  guint i, n_calls = 0;

  pyro_test_refresh ();
  tables = pyro_modules_published ();
  segment = pyro_tables_find_segment (tables, address);
  g_assert_nonnull (segment);
  g_assert_cmpuint (segment->calls, ==, 0);
  g_assert_true (pyro_tables_may_return_to (tables, segment, address + 1));

  g_assert_true (pyro_modules_want_call_sites (pyro_test_modules, address));
  g_assert_true (pyro_modules_published () != tables);
  /* Caches are emptied, but the modules are those of before. */
  g_assert_cmpuint (pyro_modules_published ()->generation, !=,
                    tables->generation);
  g_assert_cmpuint (pyro_modules_published ()->listing, ==, tables->listing);
  tables = pyro_modules_published ();
  segment = pyro_tables_find_segment (tables, address);
  g_assert_cmpuint (segment->calls, !=, 0);
  g_assert_true (pyro_tables_may_return_to (tables, segment, address));
  for (i = 1; i <= 16; i++)
    n_calls += pyro_tables_may_return_to (tables, segment, address + i);
  g_assert_cmpuint (n_calls, <, 8);
  pyro_tables_may_return_to (tables, segment, segment->limit);

  /* Once. */
  g_assert_true (pyro_modules_want_call_sites (pyro_test_modules, address));
  g_assert_true (pyro_modules_published () == tables);
  g_assert_false (pyro_modules_want_call_sites (pyro_test_modules, 16));
}

int
main (int argc, char **argv)
{
  int result;

  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/call-sites/each-form-of-a-call-is-known", test_forms);
  g_test_add_func ("/call-sites/a-call-across-two-pieces-is-found",
                   test_pieces);
  g_test_add_func ("/call-sites/memory-that-is-gone-has-none", test_no_memory);
  g_test_add_func ("/call-sites/a-module-has-them-once-they-are-asked-for",
                   test_modules);
  result = g_test_run ();
  pyro_test_tear_down ();
  return result;
}
