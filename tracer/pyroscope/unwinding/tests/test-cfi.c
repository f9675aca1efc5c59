/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The compiler: from bytes of .eh_frame to rules at addresses. */

#include "cfi-compiler.h"
#include "section-writer.h"

#define TEXT 0x100000u
#define TEXT_SIZE 0x4000u

#define SP_RULE(bytes, slot) \
  PYRO_RULE_PACK (PYRO_RULE_SP, (bytes) / 8, (slot) / 8)
#define FP_RULE(bytes, slot) \
  PYRO_RULE_PACK (PYRO_RULE_FP, (bytes) / 8, (slot) / 8)

typedef struct {
  GByteArray *section;
  PyroRuleSet *rules;
  PyroTable *table;
  PyroSegment segment;
  PyroCfiStatistics statistics;
  gboolean with_saved;
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  f->section = g_byte_array_new ();
  f->rules = pyro_rule_set_new ();
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  g_byte_array_unref (f->section);
  pyro_rule_set_free (f->rules);
  g_free (f->table);
}

static void
compile (Fixture *f)
{
  PyroCfiInput input = { .data = f->section->data,
                         .size = f->section->len,
                         .address = SECTION_ADDRESS,
                         .segment_start = TEXT,
                         .segment_limit = TEXT + TEXT_SIZE,
                         .with_saved = f->with_saved };

  g_free (f->table);
  f->table = pyro_cfi_compile (&input, f->rules, &f->statistics);
  f->segment.start = TEXT;
  f->segment.limit = TEXT + TEXT_SIZE;
  pyro_segment_set_table (&f->segment, f->table);
}

static guint32
rule_at (Fixture *f, guint32 offset)
{
  return pyro_segment_find_rule (&f->segment, TEXT + offset);
}

static const PyroRule *
indexed_rule_at (Fixture *f, guint32 offset)
{
  guint32 rule = rule_at (f, offset);
  PyroRuleArray *array = pyro_rule_set_ref_array (f->rules);

  g_assert_cmphex (rule & 3, ==, PYRO_RULE_INDEX);
  g_assert_cmpuint (rule >> 2, <, pyro_rule_set_get_n_rules (f->rules));
  pyro_rule_array_unref (array);
  return &array->rules[rule >> 2];
}

static void
test_prologue (Fixture *f, gconstpointer data)
{
  guint cie = put_usual_cie (f->section);

  /* push %rbp; mov %rsp,%rbp; ...; pop %rbp; ret */
  PUT_FDE (f->section, cie, TEXT + 0x100, 0x20,
           "\x41\x0e\x10\x86\x02" /* 1: CFA 16, rbp at -16 */
           "\x43\x0d\x06"         /* 4: CFA by rbp */
           "\x5b\x0c\x07\x08" /* 31: CFA rsp+8 */);
  compile (f);
  g_assert_cmphex (rule_at (f, 0xff), ==, PYRO_SPECIAL_NONE);
  g_assert_cmphex (rule_at (f, 0x100), ==, SP_RULE (8, 0));
  g_assert_cmphex (rule_at (f, 0x101), ==, SP_RULE (16, 16));
  g_assert_cmphex (rule_at (f, 0x103), ==, SP_RULE (16, 16));
  g_assert_cmphex (rule_at (f, 0x104), ==, FP_RULE (16, 16));
  g_assert_cmphex (rule_at (f, 0x11e), ==, FP_RULE (16, 16));
  g_assert_cmphex (rule_at (f, 0x11f), ==, SP_RULE (8, 16));
  g_assert_cmphex (rule_at (f, 0x120), ==, PYRO_SPECIAL_NONE);
  g_assert_cmpuint (f->statistics.n_fdes, ==, 1);
  g_assert_cmpuint (f->statistics.n_skipped, ==, 0);
}

/* In other words: a look-up of a return address minus 1 stays in a function
 * that ends in a call. */
static void
test_last_byte (Fixture *f, gconstpointer data)
{
  guint cie = put_usual_cie (f->section);

  PUT_FDE (f->section, cie, TEXT + 0x100, 0x20, "\x44\x0e\x20");
  PUT_FDE (f->section, cie, TEXT + 0x120, 0x20, "");
  compile (f);
  g_assert_cmphex (rule_at (f, 0x11f), ==, SP_RULE (32, 0));
  g_assert_cmphex (rule_at (f, 0x120), ==, SP_RULE (8, 0));
}

static void
test_several_cies (Fixture *f, gconstpointer data)
{
  guint usual = put_usual_cie (f->section);
  /* CFA = rsp + 16: a function that is entered by a jump after a push. */
  guint other = put_cie (f->section, "", "\x0c\x07\x10\x90\x01", 5);

  PUT_FDE (f->section, usual, TEXT, 0x10, "");
  PUT_FDE (f->section, other, TEXT + 0x10, 0x10, "");
  PUT_FDE (f->section, usual, TEXT + 0x20, 0x10, "");
  compile (f);
  g_assert_cmphex (rule_at (f, 0x00), ==, SP_RULE (8, 0));
  g_assert_cmphex (rule_at (f, 0x10), ==, SP_RULE (16, 0));
  g_assert_cmphex (rule_at (f, 0x20), ==, SP_RULE (8, 0));
}

static void
test_nested_remember (Fixture *f, gconstpointer data)
{
  guint cie = put_usual_cie (f->section);

  PUT_FDE (f->section, cie, TEXT, 0x40,
           "\x41\x0e\x10\x0a" /* 1: 16, remember */
           "\x41\x0e\x18\x0a" /* 2: 24, remember */
           "\x41\x0e\x20\x0a" /* 3: 32, remember */
           "\x41\x0e\x28"     /* 4: 40 */
           "\x41\x0b\x41\x0b\x41\x0b" /* 5, 6, 7: restore */);
  compile (f);
  g_assert_cmphex (rule_at (f, 4), ==, SP_RULE (40, 0));
  g_assert_cmphex (rule_at (f, 5), ==, SP_RULE (32, 0));
  g_assert_cmphex (rule_at (f, 6), ==, SP_RULE (24, 0));
  g_assert_cmphex (rule_at (f, 7), ==, SP_RULE (16, 0));
  g_assert_cmphex (rule_at (f, 0x3f), ==, SP_RULE (16, 0));
}

static void
test_root (Fixture *f, gconstpointer data)
{
  guint cie = put_usual_cie (f->section);

  PUT_FDE (f->section, cie, TEXT, 0x10, "\x07\x10"); /* undefined: r16 */
  compile (f);
  g_assert_cmphex (rule_at (f, 5), ==, PYRO_SPECIAL_ROOT);
}

static void
test_signal (Fixture *f, gconstpointer data)
{
  guint cie = put_cie (f->section, "S", USUAL_START, sizeof USUAL_START - 1);

  PUT_FDE (f->section, cie, TEXT + 0x0f, 0x10,
           "\x0f\x04\x77\xa0\x01\x06" /* CFA = *(rsp + 160) */
           "\x10\x10\x03\x77\xa8\x01" /* rip at rsp + 168 */
           "\x10\x06\x03\x77\xf8\x00" /* rbp at rsp + 120 */);
  /* A signal frame of another layout must not be taken for the kernel's. */
  PUT_FDE (f->section, cie, TEXT + 0x40, 0x10,
           "\x0f\x04\x77\xa8\x01\x06\x10\x10\x03\x77\xb0\x01");
  compile (f);
  g_assert_cmphex (rule_at (f, 0x0f), ==, PYRO_SPECIAL_SIGNAL);
  g_assert_cmphex (rule_at (f, 0x10), ==, PYRO_SPECIAL_SIGNAL);
  g_assert_cmphex (rule_at (f, 0x40), ==, PYRO_SPECIAL_UNSUPPORTED);
  g_assert_cmpuint (f->statistics.n_unsupported, ==, 1);
}

static void
test_plt (Fixture *f, gconstpointer data)
{
  guint cie = put_usual_cie (f->section);
  const PyroRule *rule;

  PUT_FDE (f->section, cie, TEXT, 0x40,
           "\x0f\x0b\x77\x08\x80\x00\x3f\x1a\x3b\x2a\x33\x24\x22");
  compile (f);
  rule = indexed_rule_at (f, 0x1b);
  g_assert_cmpint (rule->cfa, ==, PYRO_CFA_PLT);
  g_assert_cmpint (rule->cfa_reg, ==, PYRO_DWARF_SP);
  g_assert_cmpint (rule->cfa_offset, ==, 8);
  g_assert_cmpint (rule->cfa_add, ==, 11);
  g_assert_cmpint (rule->ra_from, ==, PYRO_FROM_CFA);
  g_assert_cmpint (rule->ra_offset, ==, -8);
}

static void
test_realigned (Fixture *f, gconstpointer data)
{
  guint cie = put_usual_cie (f->section);
  const PyroRule *rule;

  PUT_FDE (f->section, cie, TEXT, 0x40,
           "\x45\x0c\x0a\x00"         /* 5: CFA = r10 */
           "\x49\x10\x06\x02\x76\x00" /* 14: rbp at rbp + 0 */
           "\x42\x0f\x03\x76\x78\x06" /* 16: CFA = *(rbp - 8) */);
  compile (f);
  rule = indexed_rule_at (f, 5);
  g_assert_cmpint (rule->cfa, ==, PYRO_CFA_REGISTER);
  g_assert_cmpint (rule->cfa_reg, ==, 10);
  rule = indexed_rule_at (f, 0x20);
  g_assert_cmpint (rule->cfa, ==, PYRO_CFA_DEREF);
  g_assert_cmpint (rule->cfa_reg, ==, PYRO_DWARF_FP);
  g_assert_cmpint (rule->cfa_offset, ==, -8);
  g_assert_cmpint (rule->fp_from, ==, PYRO_FROM_FP);
  g_assert_cmpint (rule->fp_offset, ==, 0);
}

/* vfork keeps its return address in rdi across the system call. */
static void
test_return_address_in_register (Fixture *f, gconstpointer data)
{
  guint cie = put_usual_cie (f->section);
  const PyroRule *rule;

  PUT_FDE (f->section, cie, TEXT, 0x40, "\x41\x0e\x00\x09\x10\x05");
  compile (f);
  rule = indexed_rule_at (f, 1);
  g_assert_cmpint (rule->ra_from, ==, PYRO_FROM_REGISTER);
  g_assert_cmpint (rule->ra_offset, ==, 5);
  g_assert_cmpint (rule->cfa_offset, ==, 0);
}

static void
test_large_frame (Fixture *f, gconstpointer data)
{
  guint cie = put_usual_cie (f->section);

  PUT_FDE (f->section, cie, TEXT, 0x40,
           "\x41\x0e\xf8\xff\x01" /* 32760: fits */
           "\x41\x0e\x80\x80\x02" /* 32768: does not */);
  compile (f);
  g_assert_cmphex (rule_at (f, 1), ==, SP_RULE (32760, 0));
  g_assert_cmpint (indexed_rule_at (f, 2)->cfa_offset, ==, 32768);
}

static void
test_buckets (Fixture *f, gconstpointer data)
{
  guint cie = put_usual_cie (f->section);

  /* One row that is in force across several buckets, one at a boundary. */
  PUT_FDE (f->section, cie, TEXT + 0x10, 0x1000,
           "\x44\x0e\x20\x03\xec\x03\x0e\x28");
  compile (f);
  g_assert_cmphex (rule_at (f, 0x13), ==, SP_RULE (8, 0));
  g_assert_cmphex (rule_at (f, 0x3ff), ==, SP_RULE (32, 0));
  g_assert_cmphex (rule_at (f, 0x400), ==, SP_RULE (40, 0));
  g_assert_cmphex (rule_at (f, 0x800), ==, SP_RULE (40, 0));
  g_assert_cmphex (rule_at (f, 0x100f), ==, SP_RULE (40, 0));
  g_assert_cmphex (rule_at (f, 0x1010), ==, PYRO_SPECIAL_NONE);
  g_assert_cmphex (rule_at (f, TEXT_SIZE - 1), ==, PYRO_SPECIAL_NONE);
  g_assert_cmpuint (f->table->n_buckets, ==, TEXT_SIZE / PYRO_BUCKET_SIZE);
}

static void
test_unsorted (Fixture *f, gconstpointer data)
{
  guint cie = put_usual_cie (f->section);

  PUT_FDE (f->section, cie, TEXT + 0x200, 0x10, "\x41\x0e\x30");
  PUT_FDE (f->section, cie, TEXT + 0x100, 0x10, "\x41\x0e\x20");
  /* Inside another one: the first to begin wins. */
  PUT_FDE (f->section, cie, TEXT + 0x208, 0x10, "\x41\x0e\x40");
  compile (f);
  g_assert_cmphex (rule_at (f, 0x10f), ==, SP_RULE (32, 0));
  g_assert_cmphex (rule_at (f, 0x20f), ==, SP_RULE (48, 0));
  g_assert_cmphex (rule_at (f, 0x210), ==, PYRO_SPECIAL_NONE);
  g_assert_cmpuint (f->statistics.n_skipped, ==, 1);
}

static void
test_padding (Fixture *f, gconstpointer data)
{
  guint cie = put_usual_cie (f->section);
  guint32 rows;

  PUT_FDE (f->section, cie, TEXT + 0x00, 0x0b, "");
  PUT_FDE (f->section, cie, TEXT + 0x10, 0x10, "");
  compile (f);
  rows = f->table->n_rows;
  g_assert_cmphex (rule_at (f, 0x0c), ==, SP_RULE (8, 0));
  /* But sixteen bytes are room for a function. */
  PUT_FDE (f->section, cie, TEXT + 0x30, 0x10, "");
  compile (f);
  g_assert_cmphex (rule_at (f, 0x20), ==, PYRO_SPECIAL_NONE);
  g_assert_cmphex (rule_at (f, 0x30), ==, SP_RULE (8, 0));
  g_assert_cmpuint (f->table->n_rows, ==, rows + 2);
}

static void
test_saved_registers (Fixture *f, gconstpointer data)
{
  static const char program[] = "\x41\x0e\x10\x8f\x02" /* r15 at CFA - 16 */
                                "\x41\x0e\x18\x83\x03" /* rbx at CFA - 24 */;
  guint cie = put_usual_cie (f->section);
  const PyroRule *rule;

  PUT_FDE (f->section, cie, TEXT, 0x40, program);
  compile (f);
  g_assert_cmphex (rule_at (f, 2), ==, SP_RULE (24, 0));
  f->with_saved = TRUE;
  compile (f);
  g_assert_cmphex (rule_at (f, 0), ==, SP_RULE (8, 0) | PYRO_RULE_SAVED_KNOWN);
  rule = indexed_rule_at (f, 2);
  g_assert_cmpint (rule->saved[0], ==, -3); /* rbx */
  g_assert_cmpint (rule->saved[1], ==, 0);  /* r12 */
  g_assert_cmpint (rule->saved[4], ==, -2); /* r15 */
}

/* The loader's lazy resolver: rbx is the CFA's register across calls. */
static void
test_cfa_by_saved_register (Fixture *f, gconstpointer data)
{
  guint cie = put_usual_cie (f->section);

  PUT_FDE (f->section, cie, TEXT, 0x20, "\x41\x0e\x10\x83\x02");
  PUT_FDE (f->section, cie, TEXT + 0x20, 0x20, "\x44\x0c\x0d\x08");
  compile (f);
  g_assert_false (f->statistics.has_saved);
  g_assert_cmphex (rule_at (f, 1), ==, SP_RULE (16, 0));
  PUT_FDE (f->section, cie, TEXT + 0x40, 0x80, "\x44\x0c\x03\x10");
  compile (f);
  g_assert_true (f->statistics.has_saved);
  g_assert_cmpint (indexed_rule_at (f, 1)->saved[0], ==, -2);
}

static void
test_unsupported (Fixture *f, gconstpointer data)
{
  guint cie = put_usual_cie (f->section);

  /* A CFA that needs arithmetic nobody writes; rsp from elsewhere. */
  PUT_FDE (f->section, cie, TEXT, 0x10, "\x0f\x04\x77\x08\x06\x06");
  PUT_FDE (f->section, cie, TEXT + 0x10, 0x10, "\x87\x03");
  compile (f);
  g_assert_cmphex (rule_at (f, 0x05), ==, PYRO_SPECIAL_UNSUPPORTED);
  g_assert_cmphex (rule_at (f, 0x15), ==, PYRO_SPECIAL_UNSUPPORTED);
}

static void
test_bad_program (Fixture *f, gconstpointer data)
{
  guint cie = put_usual_cie (f->section);

  PUT_FDE (f->section, cie, TEXT, 0x20,
           "\x44\x0e\x20\x44\x3f" /* 4: CFA 32; 8: no such instruction */);
  PUT_FDE (f->section, cie, TEXT + 0x20, 0x20, "\x0b"); /* nothing stored */
  PUT_FDE (f->section, cie, TEXT + 0x40, 0x20, "\x41\x0e\x10");
  compile (f);
  g_assert_cmphex (rule_at (f, 4), ==, SP_RULE (32, 0));
  g_assert_cmphex (rule_at (f, 8), ==, PYRO_SPECIAL_UNSUPPORTED);
  g_assert_cmphex (rule_at (f, 0x1f), ==, PYRO_SPECIAL_UNSUPPORTED);
  g_assert_cmphex (rule_at (f, 0x20), ==, PYRO_SPECIAL_UNSUPPORTED);
  g_assert_cmphex (rule_at (f, 0x41), ==, SP_RULE (16, 0));
  g_assert_cmpuint (f->statistics.n_truncated, ==, 2);
}

static void
test_bad_entries (Fixture *f, gconstpointer data)
{
  guint unknown = put_cie (f->section, "Q", USUAL_START, 5);
  guint cie = put_usual_cie (f->section);

  PUT_FDE (f->section, unknown, TEXT, 0x10, "");
  put_fde (f->section, f->section->len + 0x1000, TEXT + 0x10, 0x10, "", 0);
  PUT_FDE (f->section, cie, TEXT + 0x20, 0x10, "");
  compile (f);
  g_assert_cmphex (rule_at (f, 0x00), ==, PYRO_SPECIAL_NONE);
  g_assert_cmphex (rule_at (f, 0x10), ==, PYRO_SPECIAL_NONE);
  g_assert_cmphex (rule_at (f, 0x20), ==, SP_RULE (8, 0));
  g_assert_cmpuint (f->statistics.n_skipped, ==, 2);
}

static void
test_terminator (Fixture *f, gconstpointer data)
{
  guint cie = put_usual_cie (f->section);

  PUT_FDE (f->section, cie, TEXT, 0x10, "");
  put_u32 (f->section, 0);
  PUT_FDE (f->section, cie, TEXT + 0x10, 0x10, "");
  compile (f);
  g_assert_cmpuint (f->statistics.n_fdes, ==, 1);
  g_assert_cmphex (rule_at (f, 0x10), ==, PYRO_SPECIAL_NONE);
}

/* Every prefix of a section is compiled as far as it goes. */
static void
test_cut_off (Fixture *f, gconstpointer data)
{
  guint cie = put_usual_cie (f->section);
  guint full, i;

  for (i = 0; i < 8; i++)
    PUT_FDE (f->section, cie, TEXT + 0x20 * i, 0x20,
             "\x41\x0e\x10\x86\x02\x0f\x04\x77\xa0\x01\x06");
  full = f->section->len;
  for (i = 0; i <= full; i++) {
    GByteArray *whole = f->section;

    /* A block of its own, so that AddressSanitizer sees its end. */
    f->section = g_byte_array_new ();
    g_byte_array_append (f->section, whole->data, i);
    compile (f);
    g_assert_cmpuint (f->statistics.n_fdes, <=, 8);
    g_byte_array_unref (f->section);
    f->section = whole;
  }
}

static void
test_empty (Fixture *f, gconstpointer data)
{
  compile (f);
  g_assert_cmphex (rule_at (f, 0), ==, PYRO_SPECIAL_NONE);
  g_assert_cmphex (rule_at (f, TEXT_SIZE - 1), ==, PYRO_SPECIAL_NONE);
}

/* DWARF's own section differs in ids, pointers and the CIE's version. */
static guint
put_debug_cie (GByteArray *out)
{
  guint start = out->len;

  put_u32 (out, 0);
  put_u32 (out, 0xffffffff);
  put_u8 (out, 4);
  put_u8 (out, 0); /* no augmentation */
  put_u8 (out, 8); /* address size */
  put_u8 (out, 0); /* no segment selectors */
  put_u8 (out, 1);
  put_u8 (out, 0x78);
  put_u8 (out, 16);
  g_byte_array_append (out, (const guint8 *)USUAL_START, 5);
  end_entry (out, start);
  return start;
}

/* 1: CFA 16 */
static void
put_debug_fde (GByteArray *out, guint cie, guint64 address, guint64 length)
{
  guint start = out->len;

  put_u32 (out, 0);
  put_u32 (out, cie);
  put_u64 (out, address);
  put_u64 (out, length);
  g_byte_array_append (out, (const guint8 *)"\x41\x0e\x10", 3);
  end_entry (out, start);
}

static void
compile_both (Fixture *f, const GByteArray *debug_frame, guint64 bias)
{
  PyroCfiInput input = { .data = f->section->data,
                         .size = f->section->len,
                         .address = SECTION_ADDRESS,
                         .debug_frame = debug_frame->data,
                         .debug_frame_size = debug_frame->len,
                         .bias = bias,
                         .segment_start = TEXT,
                         .segment_limit = TEXT + TEXT_SIZE };

  f->table = pyro_cfi_compile (&input, f->rules, &f->statistics);
  f->segment.start = TEXT;
  f->segment.limit = TEXT + TEXT_SIZE;
  pyro_segment_set_table (&f->segment, f->table);
}

static void
test_debug_frame (Fixture *f, gconstpointer data)
{
  GByteArray *debug_frame = g_byte_array_new ();
  guint cie = put_debug_cie (debug_frame);

  put_debug_fde (debug_frame, cie, 0x1040, 0x20);
  compile_both (f, debug_frame, TEXT - 0x1000);
  g_assert_cmphex (rule_at (f, 0x3f), ==, PYRO_SPECIAL_NONE);
  g_assert_cmphex (rule_at (f, 0x40), ==, SP_RULE (8, 0));
  g_assert_cmphex (rule_at (f, 0x41), ==, SP_RULE (16, 0));
  g_assert_cmphex (rule_at (f, 0x60), ==, PYRO_SPECIAL_NONE);
  g_assert_cmpuint (f->statistics.n_fdes, ==, 1);
  g_byte_array_unref (debug_frame);
}

/* Functions that are in both, or overlap, are as .eh_frame has them. */
static void
test_both_sections (Fixture *f, gconstpointer data)
{
  GByteArray *debug_frame = g_byte_array_new ();
  guint cie = put_usual_cie (f->section);

  PUT_FDE (f->section, cie, TEXT + 0x100, 0x20, "\x41\x0e\x20");
  PUT_FDE (f->section, cie, TEXT + 0x200, 0x20, "\x41\x0e\x20");
  PUT_FDE (f->section, cie, TEXT + 0x300, 0x20, "\x41\x0e\x20");
  cie = put_debug_cie (debug_frame);
  put_debug_fde (debug_frame, cie, TEXT + 0x310, 0x20); /* overlaps */
  put_debug_fde (debug_frame, cie, TEXT + 0x120, 0x20);
  put_debug_fde (debug_frame, cie, TEXT + 0x100, 0x20); /* the same */
  put_debug_fde (debug_frame, cie, TEXT + 0x200, 0x30); /* longer */
  put_debug_fde (debug_frame, cie, TEXT + 0x1f0, 0x11); /* overlaps */
  put_debug_fde (debug_frame, cie, TEXT + 0x80, 0x300); /* has all in it */
  compile_both (f, debug_frame, 0);
  g_assert_cmphex (rule_at (f, 0x90), ==, PYRO_SPECIAL_NONE);
  g_assert_cmphex (rule_at (f, 0x101), ==, SP_RULE (32, 0));
  g_assert_cmphex (rule_at (f, 0x120), ==, SP_RULE (8, 0));
  g_assert_cmphex (rule_at (f, 0x121), ==, SP_RULE (16, 0));
  g_assert_cmphex (rule_at (f, 0x140), ==, PYRO_SPECIAL_NONE);
  g_assert_cmphex (rule_at (f, 0x1f1), ==, PYRO_SPECIAL_NONE);
  g_assert_cmphex (rule_at (f, 0x201), ==, SP_RULE (32, 0));
  g_assert_cmphex (rule_at (f, 0x311), ==, SP_RULE (32, 0));
  g_assert_cmphex (rule_at (f, 0x320), ==, PYRO_SPECIAL_NONE);
  g_assert_cmpuint (f->statistics.n_fdes, ==, 4);
  g_assert_cmpuint (f->statistics.n_skipped, ==, 0);
  g_byte_array_unref (debug_frame);
}

/* Linkers leave the address 0 to what they removed (--gc-sections). Where text
 * begins with the file, this would hide the functions there. */
static void
test_removed_functions (Fixture *f, gconstpointer data)
{
  GByteArray *debug_frame = g_byte_array_new ();
  guint cie = put_debug_cie (debug_frame);

  put_debug_fde (debug_frame, cie, 0, 0x100);
  put_debug_fde (debug_frame, cie, 0x40, 0x20);
  compile_both (f, debug_frame, TEXT);
  g_assert_cmphex (rule_at (f, 0x1), ==, PYRO_SPECIAL_NONE);
  g_assert_cmphex (rule_at (f, 0x41), ==, SP_RULE (16, 0));
  g_assert_cmphex (rule_at (f, 0x60), ==, PYRO_SPECIAL_NONE);
  g_byte_array_unref (debug_frame);
}

#define ADD(path, func) \
  g_test_add (path, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/cfi/a-prologue-gives-a-rule-for-each-instruction", test_prologue);
  ADD ("/cfi/the-last-byte-belongs-to-the-function", test_last_byte);
  ADD ("/cfi/each-fde-starts-from-its-own-cie", test_several_cies);
  ADD ("/cfi/remember-state-nests", test_nested_remember);
  ADD ("/cfi/an-undefined-return-address-is-the-root", test_root);
  ADD ("/cfi/the-kernels-signal-frame-is-known-by-its-layout", test_signal);
  ADD ("/cfi/the-linkers-plt-expression-is-known", test_plt);
  ADD ("/cfi/a-realigned-stack-keeps-its-cfa-in-a-slot", test_realigned);
  ADD ("/cfi/the-return-address-may-be-in-a-register",
       test_return_address_in_register);
  ADD ("/cfi/a-frame-too-large-for-a-row-is-indexed", test_large_frame);
  ADD ("/cfi/a-row-is-in-force-in-all-buckets-it-spans", test_buckets);
  ADD ("/cfi/fdes-may-come-in-any-order", test_unsorted);
  ADD ("/cfi/padding-between-functions-takes-no-row", test_padding);
  ADD ("/cfi/saved-registers-are-carried-if-asked-for", test_saved_registers);
  ADD ("/cfi/saved-registers-are-carried-where-a-cfa-needs-them",
       test_cfa_by_saved_register);
  ADD ("/cfi/what-no-rule-can-hold-is-unsupported", test_unsupported);
  ADD ("/cfi/a-malformed-program-is-known-up-to-there", test_bad_program);
  ADD ("/cfi/malformed-entries-are-skipped-and-counted", test_bad_entries);
  ADD ("/cfi/a-zero-length-ends-the-section", test_terminator);
  ADD ("/cfi/a-section-may-be-cut-off-anywhere", test_cut_off);
  ADD ("/cfi/an-empty-section-gives-an-empty-table", test_empty);
  ADD ("/cfi/debug-frame-is-read-too", test_debug_frame);
  ADD ("/cfi/eh-frame-wins-over-debug-frame", test_both_sections);
  ADD ("/cfi/removed-functions-hide-nobody", test_removed_functions);
  return g_test_run ();
}
