/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What aarch64 has of its own: return addresses in lr, frame records, signed
 * return addresses. By made-up sections and stacks. */

#include "made-up-stack.h"

/* Functions of 0x40 bytes each. */
enum {
  ROOT = TEXT + 0x000,   /* lr undefined, as in clone and _start */
  LEAF = TEXT + 0x040,   /* no frame, the return address is in lr */
  RECORD = TEXT + 0x080, /* stp x29, x30, [sp, #-32]! */
  BY_FP = TEXT + 0x0c0,  /* the same; mov x29, sp; then sp moves */
  SIGNED = TEXT + 0x100, /* paciasp; stp x29, x30, [sp, #-16]! */
  APART = TEXT + 0x140,  /* stp x30, x29, [sp, #-16]!: no frame record */
};

/* CFA = sp; instructions are 4 bytes, slots 8. */
static guint
put_aarch64_cie (GByteArray *out)
{
  guint start = out->len;

  put_u32 (out, 0);
  put_u32 (out, 0); /* a CIE */
  put_u8 (out, 1);
  g_byte_array_append (out, (const guint8 *)"zR", 3);
  put_uleb (out, 4);
  put_u8 (out, 0x78); /* -8 */
  put_u8 (out, 30);   /* return address column: lr */
  put_uleb (out, 1);
  put_u8 (out, 0x1b); /* pc-relative, signed 4 bytes */
  g_byte_array_append (out, (const guint8 *)"\x0c\x1f\x00", 3);
  end_entry (out, start);
  return start;
}

static void
set_up (Fixture *f, gconstpointer data)
{
  GByteArray *section = g_byte_array_new ();
  guint cie = put_aarch64_cie (section);

  PUT_FDE (section, cie, ROOT, 0x40, "\x07\x1e");
  PUT_FDE (section, cie, LEAF, 0x40, "");
  PUT_FDE (section, cie, RECORD, 0x40, "\x41\x0e\x20\x9d\x04\x9e\x03");
  PUT_FDE (section, cie, BY_FP, 0x40,
           "\x41\x0e\x20\x9d\x04\x9e\x03\x41\x0d\x1d");
  PUT_FDE (section, cie, SIGNED, 0x40, "\x41\x2d\x41\x0e\x10\x9d\x02\x9e\x01");
  PUT_FDE (section, cie, APART, 0x40, "\x41\x0e\x10\x9d\x01\x9e\x02");
  made_up_set_up (f, section);
}

/* The walk is complete and has these callers. */
static void
walk (Fixture *f, unsigned n, const guint32 *callers)
{
  unsigned i;

  pyro_unwind_by_tables (&f->sources, &f->regs, &f->stack, f->pcs,
                         PYRO_MAX_FRAMES, &f->walk);
  g_assert_cmpint (f->walk.end, ==, PYRO_STACK_COMPLETE);
  g_assert_cmpuint (f->walk.depth, ==, n + 1);
  g_assert_cmphex (f->pcs[0], ==, f->regs.pc);
  for (i = 0; i < n; i++)
    g_assert_cmphex (f->pcs[i + 1], ==, callers[i]);
}

#define WALK(f, ...)                                          \
  walk (f, G_N_ELEMENTS (((const guint32[]){ __VA_ARGS__ })), \
        (const guint32[]){ __VA_ARGS__ })

static guint32
rule_at (Fixture *f, guint32 address)
{
  return pyro_segment_find_rule (&f->segment, address);
}

static void
test_rules (Fixture *f, gconstpointer data)
{
  g_assert_cmphex (rule_at (f, ROOT), ==, PYRO_SPECIAL_ROOT);
  g_assert_cmphex (rule_at (f, LEAF), ==, PYRO_RULE_PACK (PYRO_RULE_SP, 0, 0));
  g_assert_cmphex (rule_at (f, RECORD), ==,
                   PYRO_RULE_PACK (PYRO_RULE_SP, 0, 0));
  g_assert_cmphex (rule_at (f, RECORD + 4), ==,
                   PYRO_RULE_PACK (PYRO_RULE_SP, 4, 4));
  g_assert_cmphex (rule_at (f, BY_FP + 8), ==,
                   PYRO_RULE_PACK (PYRO_RULE_FP, 4, 4));
  g_assert_cmphex (rule_at (f, SIGNED + 8), ==,
                   PYRO_RULE_PACK (PYRO_RULE_SP, 2, 2));
  /* The row has no place for a return address that is elsewhere. */
  g_assert_cmphex (rule_at (f, APART + 4) & 3, ==, PYRO_RULE_INDEX);
}

static void
test_leaf (Fixture *f, gconstpointer data)
{
  f->regs.pc = LEAF + 8;
  f->regs.lr = RECORD + 0x20;
  f->words[1] = ROOT + 4; /* in RECORD's frame record */
  WALK (f, RECORD + 0x20, ROOT + 4);
}

/* Before its frame is made, and after. */
static void
test_prologue (Fixture *f, gconstpointer data)
{
  f->regs.pc = RECORD;
  f->regs.lr = ROOT + 4;
  WALK (f, ROOT + 4);
  f->regs.pc = RECORD + 4;
  f->regs.lr = 0;
  f->words[1] = ROOT + 8;
  WALK (f, ROOT + 8);
}

/* sp is anywhere below, fp leads on from record to record. */
static void
test_frame_records (Fixture *f, gconstpointer data)
{
  f->regs.pc = BY_FP + 0x10;
  f->regs.fp = (uintptr_t)&f->words[20];
  f->words[20] = (uintptr_t)&f->words[40];
  f->words[21] = BY_FP + 0x20;
  f->words[40] = 0;
  f->words[41] = ROOT + 4;
  WALK (f, BY_FP + 0x20, ROOT + 4);
}

static void
test_signed (Fixture *f, gconstpointer data)
{
  f->regs.pc = SIGNED + 0x10;
  f->words[1] = (guint64)0x5a7f << 48 | (SIGNED + 0x20);
  f->words[3] = (guint64)0x0013 << 48 | (ROOT + 4);
  WALK (f, SIGNED + 0x20, ROOT + 4);
  f->regs.pc = SIGNED + 4; /* signed, but still in lr */
  f->regs.lr = (guint64)0x7fff << 48 | (ROOT + 4);
  WALK (f, ROOT + 4);
}

static void
test_apart (Fixture *f, gconstpointer data)
{
  f->regs.pc = APART + 4;
  f->words[0] = ROOT + 4;
  f->words[1] = 0x5555;
  WALK (f, ROOT + 4);
}

/* lr is the leaf's alone: a caller that keeps its own there cannot be. */
static void
test_lr_of_a_caller (Fixture *f, gconstpointer data)
{
  f->regs.pc = LEAF + 8;
  f->regs.lr = LEAF + 0x10;
  pyro_unwind_by_tables (&f->sources, &f->regs, &f->stack, f->pcs,
                         PYRO_MAX_FRAMES, &f->walk);
  g_assert_cmpint (f->walk.end, ==, PYRO_STACK_NO_PROGRESS);
  g_assert_cmpuint (f->walk.depth, ==, 2);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/aarch64/frame-records-fit-into-a-row", test_rules);
  ADD ("/aarch64/a-leaf-returns-by-lr", test_leaf);
  ADD ("/aarch64/a-prologue-is-exact", test_prologue);
  ADD ("/aarch64/frame-records-are-followed", test_frame_records);
  ADD ("/aarch64/signed-return-addresses-are-stripped", test_signed);
  ADD ("/aarch64/a-return-address-may-stand-alone", test_apart);
  ADD ("/aarch64/a-caller-has-no-lr", test_lr_of_a_caller);
  return g_test_run ();
}
