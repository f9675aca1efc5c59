/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Walks over stacks that were made up, with tables that were made up. */

#include <string.h>
#include <sys/mman.h>

#include "made-up-stack.h"
#include "memory-map-layout.h"
#include "step.h"

#define PAGE ((gsize)4096)

/* Functions of 0x40 bytes each. */
enum {
  ROOT = TEXT + 0x000,   /* return address undefined */
  PLAIN = TEXT + 0x040,  /* CFA = rsp + 16 */
  BY_FP = TEXT + 0x080,  /* push %rbp; mov %rsp,%rbp */
  ZERO = TEXT + 0x0c0,   /* CFA = rsp + 0: malformed, no progress */
  WILD = TEXT + 0x100,   /* CFA arithmetic that is not supported */
  BY_RDI = TEXT + 0x140, /* CFA = rbp + 16, return address in rdi */
  BARE = TEXT + 0x400,   /* no FDE */
  AWAY = TEXT + 0x100000,
};

static void
set_up (Fixture *f, gconstpointer data)
{
  GByteArray *section = g_byte_array_new ();
  guint cie = put_usual_cie (section);

  PUT_FDE (section, cie, ROOT, 0x40, "\x07\x10");
  PUT_FDE (section, cie, PLAIN, 0x40, "\x0e\x10");
  PUT_FDE (section, cie, BY_FP, 0x40, "\x0e\x10\x86\x02\x0d\x06");
  PUT_FDE (section, cie, ZERO, 0x40, "\x0c\x07\x00\x11\x10\x7f");
  PUT_FDE (section, cie, WILD, 0x40, "\x0f\x04\x77\x08\x06\x06");
  PUT_FDE (section, cie, BY_RDI, 0x40, "\x0c\x06\x10\x09\x10\x05");
  made_up_set_up (f, section);
}

static void
walk (Fixture *f, unsigned max)
{
  memset (f->pcs, 0xee, sizeof f->pcs);
  memset (&f->walk, 0xee, sizeof f->walk);
  pyro_unwind_by_tables (&f->sources, &f->regs, &f->stack, f->pcs, max,
                         &f->walk);
  g_assert_cmphex (f->pcs[max], ==, 0xeeeeeeeeeeeeeeee);
  g_assert_cmpuint (f->walk.depth, <=, max);
}

/* N calls of PLAIN from PLAIN, then ROOT. */
static void
make_chain (Fixture *f, unsigned n)
{
  unsigned i;

  f->regs.pc = PLAIN + 4;
  for (i = 0; i < n; i++)
    f->words[2 * i + 1] = i + 1 < n ? PLAIN + 8 + i % 32 : ROOT + 4;
}

static void
test_plain (Fixture *f, gconstpointer data)
{
  make_chain (f, 3);
  walk (f, PYRO_MAX_FRAMES);
  g_assert_cmpint (f->walk.end, ==, PYRO_STACK_COMPLETE);
  g_assert_cmpuint (f->walk.depth, ==, 4);
  g_assert_cmpuint (f->walk.omitted, ==, 0);
  g_assert_false (f->walk.rescued);
  g_assert_cmphex (f->pcs[0], ==, PLAIN + 4);
  g_assert_cmphex (f->pcs[1], ==, PLAIN + 8);
  g_assert_cmphex (f->pcs[2], ==, PLAIN + 9);
  g_assert_cmphex (f->pcs[3], ==, ROOT + 4);
}

/* A return address just behind a call that ends its function belongs to it. */
static void
test_call_at_the_end (Fixture *f, gconstpointer data)
{
  f->regs.pc = PLAIN + 4;
  f->words[1] = BY_FP; /* PLAIN's end */
  f->words[3] = ROOT + 4;
  walk (f, PYRO_MAX_FRAMES);
  g_assert_cmpint (f->walk.end, ==, PYRO_STACK_COMPLETE);
  g_assert_cmpuint (f->walk.depth, ==, 3);
}

static void
test_zero_return_address (Fixture *f, gconstpointer data)
{
  f->regs.pc = PLAIN + 4;
  walk (f, PYRO_MAX_FRAMES);
  g_assert_cmpint (f->walk.end, ==, PYRO_STACK_COMPLETE);
  g_assert_cmpuint (f->walk.depth, ==, 1);
}

static void
test_bounds (Fixture *f, gconstpointer data)
{
  static const gint64 frame_pointers[]
      = { -16, -8, 0, 3, 8, G_MAXINT64, G_MININT64, -1 };
  guint i;

  f->regs.pc = BY_FP + 8;
  for (i = 0; i < G_N_ELEMENTS (frame_pointers); i++) {
    f->regs.fp = (uintptr_t)frame_pointers[i];
    walk (f, PYRO_MAX_FRAMES);
    g_assert_cmpint (f->walk.end, ==, PYRO_STACK_UNREADABLE);
    g_assert_cmpuint (f->walk.depth, ==, 1);
    pyro_unwind_by_frame_pointers (NULL, &f->regs, &f->stack, f->pcs,
                                   PYRO_MAX_FRAMES, &f->walk);
    g_assert_cmpuint (f->walk.depth, ==, 1);
  }
  /* The last word that may be read, and the first that may not. */
  f->regs.fp = f->stack.high - 16;
  f->words[N_WORDS - 1] = ROOT + 4;
  walk (f, PYRO_MAX_FRAMES);
  g_assert_cmpint (f->walk.end, ==, PYRO_STACK_COMPLETE);
  g_assert_cmpuint (f->walk.depth, ==, 2);
  f->regs.fp = f->stack.high - 8;
  walk (f, PYRO_MAX_FRAMES);
  g_assert_cmpint (f->walk.end, ==, PYRO_STACK_UNREADABLE);
  /* Not aligned. */
  f->regs.fp = f->stack.high - 20;
  walk (f, PYRO_MAX_FRAMES);
  g_assert_cmpint (f->walk.end, ==, PYRO_STACK_UNREADABLE);
}

static void
test_sp_outside (Fixture *f, gconstpointer data)
{
  static const gint64 offsets[] = { -8, N_WORDS * 8, G_MAXINT32 };
  guint i;

  make_chain (f, 3);
  for (i = 0; i < G_N_ELEMENTS (offsets); i++) {
    f->regs.sp = f->stack.low + (uintptr_t)offsets[i];
    walk (f, PYRO_MAX_FRAMES);
    g_assert_cmpint (f->walk.end, ==, PYRO_STACK_UNKNOWN_STACK);
    g_assert_cmpuint (f->walk.depth, ==, 1);
    pyro_unwind_by_frame_pointers (NULL, &f->regs, &f->stack, f->pcs,
                                   PYRO_MAX_FRAMES, &f->walk);
    g_assert_cmpint (f->walk.end, ==, PYRO_STACK_UNKNOWN_STACK);
  }
}

static void
test_circle (Fixture *f, gconstpointer data)
{
  /* A frame pointer that leads back to itself. */
  f->regs.pc = BY_FP + 8;
  f->regs.fp = f->stack.low + 64;
  f->words[8] = f->stack.low + 64;
  f->words[9] = BY_FP + 8;
  walk (f, PYRO_MAX_FRAMES);
  g_assert_cmpint (f->walk.end, ==, PYRO_STACK_NO_PROGRESS);
  g_assert_cmpuint (f->walk.depth, ==, 2);
  pyro_unwind_by_frame_pointers (NULL, &f->regs, &f->stack, f->pcs,
                                 PYRO_MAX_FRAMES, &f->walk);
  g_assert_cmpint (f->walk.end, ==, PYRO_STACK_NO_PROGRESS);
}

static void
test_ends (Fixture *f, gconstpointer data)
{
  f->regs.pc = PLAIN + 4;
  f->words[1] = AWAY;
  walk (f, PYRO_MAX_FRAMES);
  g_assert_cmpint (f->walk.end, ==, PYRO_STACK_UNKNOWN_CODE);
  g_assert_cmpuint (f->walk.depth, ==, 2);
  /* The root itself is nobody's caller. */
  f->words[1] = BARE + 4;
  f->words[3] = ROOT + 4;
  walk (f, PYRO_MAX_FRAMES);
  g_assert_cmpint (f->walk.end, ==, PYRO_STACK_NO_UNWIND_INFO);
  g_assert_false (f->walk.rescued);
  g_assert_cmpuint (f->walk.depth, ==, 2);
  f->words[1] = WILD + 4;
  walk (f, PYRO_MAX_FRAMES);
  g_assert_cmpint (f->walk.end, ==, PYRO_STACK_UNSUPPORTED);
  f->words[1] = ZERO + 4;
  walk (f, PYRO_MAX_FRAMES);
  g_assert_cmpint (f->walk.end, !=, PYRO_STACK_COMPLETE);
}

static void
test_rescue (Fixture *f, gconstpointer data)
{
  f->regs.pc = BARE + 4;
  f->regs.fp = (uintptr_t)-16;
  f->words[0] = PLAIN + 5;  /* not where a call may have pushed it */
  f->words[3] = AWAY;       /* not code */
  f->words[5] = WILD + 4;   /* code without a usable rule */
  f->words[9] = PLAIN + 7;  /* it is this one: not aligned by the ABI */
  f->words[10] = PLAIN + 7; /* no: 10 * 8 + 8 is no multiple of 16 */
  f->words[11] = PLAIN + 9;
  f->words[13] = ROOT + 4;
  walk (f, PYRO_MAX_FRAMES);
  g_assert_cmpint (f->walk.end, ==, PYRO_STACK_COMPLETE);
  g_assert_true (f->walk.rescued);
  g_assert_cmpuint (f->walk.depth, ==, 4);
  g_assert_cmphex (f->pcs[1], ==, PLAIN + 7);
  g_assert_cmphex (f->pcs[2], ==, PLAIN + 9);
  /* A guess that does not lead to the root is none. */
  f->words[13] = AWAY;
  walk (f, PYRO_MAX_FRAMES);
  g_assert_cmpint (f->walk.end, ==, PYRO_STACK_NO_UNWIND_INFO);
  g_assert_false (f->walk.rescued);
  g_assert_cmpuint (f->walk.depth, ==, 1);
}

/* It pushed rbp before it used it for data. */
static void
test_rescue_with_saved_fp (Fixture *f, gconstpointer data)
{
  f->regs.pc = BARE + 4;
  f->regs.fp = 12345;
  f->words[3] = f->stack.low + 8 * 40; /* the caller's rbp */
  f->words[5] = BY_FP + 8;
  f->words[41] = ROOT + 4;
  walk (f, PYRO_MAX_FRAMES);
  g_assert_cmpint (f->walk.end, ==, PYRO_STACK_COMPLETE);
  g_assert_true (f->walk.rescued);
  g_assert_cmpuint (f->walk.depth, ==, 3);
}

/* It called a function that has CFI, with three words pushed: so that this
 * function's frame is not aligned. */
static void
test_rescue_of_a_caller (Fixture *f, gconstpointer data)
{
  f->regs.pc = PLAIN + 4;
  f->words[1] = BARE + 4;
  f->words[2] = PLAIN + 6; /* not where a call may have pushed it */
  f->words[5] = PLAIN + 9;
  f->words[7] = ROOT + 4;
  walk (f, PYRO_MAX_FRAMES);
  g_assert_cmpint (f->walk.end, ==, PYRO_STACK_COMPLETE);
  g_assert_true (f->walk.rescued);
  g_assert_cmpuint (f->walk.depth, ==, 4);
  g_assert_cmphex (f->pcs[1], ==, BARE + 4);
  g_assert_cmphex (f->pcs[2], ==, PLAIN + 9);
  g_assert_cmphex (f->pcs[3], ==, ROOT + 4);
}

/* A word that looks like a caller of plain code, and the zero that its chain
 * ends in, are no thread's start. */
static void
test_rescue_false_root (Fixture *f, gconstpointer data)
{
  f->regs.pc = BARE + 4;
  f->words[1] = PLAIN + 8; /* its return address would be words[3], a zero */
  f->words[7] = PLAIN + 9;
  f->words[9] = ROOT + 4;
  walk (f, PYRO_MAX_FRAMES);
  g_assert_cmpint (f->walk.end, ==, PYRO_STACK_COMPLETE);
  g_assert_true (f->walk.rescued);
  g_assert_cmpuint (f->walk.depth, ==, 3);
  g_assert_cmphex (f->pcs[1], ==, PLAIN + 9);
  g_assert_cmphex (f->pcs[2], ==, ROOT + 4);

  /* Nothing else there: then nothing is known. */
  f->words[7] = f->words[9] = 0;
  walk (f, PYRO_MAX_FRAMES);
  g_assert_cmpint (f->walk.end, ==, PYRO_STACK_NO_UNWIND_INFO);
  g_assert_false (f->walk.rescued);
  g_assert_cmpuint (f->walk.depth, ==, 1);
}

static void
test_deep (Fixture *f, gconstpointer data)
{
  guint i;

  make_chain (f, 1000);
  walk (f, PYRO_MAX_FRAMES);
  g_assert_cmpint (f->walk.end, ==, PYRO_STACK_COMPLETE);
  g_assert_cmpuint (f->walk.depth, ==, PYRO_MAX_FRAMES);
  g_assert_cmpuint (f->walk.omitted, ==, 1001 - PYRO_MAX_FRAMES);
  g_assert_cmpuint (f->walk.gap, ==, 192);
  for (i = 1; i < 192; i++)
    g_assert_cmphex (f->pcs[i], ==, PLAIN + 8 + (i - 1) % 32);
  for (i = 192; i < 255; i++)
    g_assert_cmphex (f->pcs[i], ==,
                     PLAIN + 8 + (i - 1 + 1001 - PYRO_MAX_FRAMES) % 32);
  g_assert_cmphex (f->pcs[255], ==, ROOT + 4);
}

static void
test_small_buffers (Fixture *f, gconstpointer data)
{
  unsigned max;

  make_chain (f, 10);
  for (max = 0; max <= 12; max++) {
    walk (f, max);
    g_assert_cmpint (f->walk.end, ==, PYRO_STACK_COMPLETE);
    g_assert_cmpuint (f->walk.depth, ==, MIN (max, 11));
    g_assert_cmpuint (f->walk.omitted, ==, 11 - MIN (max, 11));
    if (max >= 1)
      g_assert_cmphex (f->pcs[0], ==, PLAIN + 4);
    if (max >= 4)
      g_assert_cmphex (f->pcs[f->walk.depth - 1], ==, ROOT + 4);
  }
}

static void
test_bounded (Fixture *f, gconstpointer data)
{
  guint64 *words = g_aligned_alloc0 (20000, sizeof (guint64), 16);
  guint i;

  for (i = 1; i < 20000; i += 2)
    words[i] = PLAIN + 8;
  f->regs.pc = PLAIN + 8;
  f->regs.sp = f->stack.low = (uintptr_t)words;
  f->stack.high = (uintptr_t)(words + 20000);
  walk (f, PYRO_MAX_FRAMES);
  g_assert_cmpint (f->walk.end, ==, PYRO_STACK_TOO_DEEP);
  g_assert_cmpuint (f->walk.depth, ==, PYRO_MAX_FRAMES);
  g_assert_cmpuint (f->walk.omitted, >, 2500);
  g_aligned_free (words);
}

/* A frame far from the one before costs more: the words of a stack are fetched
 * from memory then. */
static void
test_far_frames (Fixture *f, gconstpointer data)
{
  const guint n = 2500, n_words = 2 * PYRO_FAR_BYTES / 8;
  guint64 *words = g_aligned_alloc0 (n * n_words, sizeof (guint64), 16);
  PyroUnwindCache *cache = g_new0 (PyroUnwindCache, 1);

  f->sources.cache = cache;
  f->regs.pc = BY_FP + 8;
  f->regs.sp = f->stack.low = (uintptr_t)words;
  f->stack.high = (uintptr_t)(words + n * n_words);
  f->regs.fp = (uintptr_t)(words + 2);
  for (guint i = 0; i + 1 < n; i++) {
    words[i * n_words + 2] = (uintptr_t)(words + (i + 1) * n_words + 2);
    words[i * n_words + 3] = BY_FP + 8;
  }
  walk (f, PYRO_MAX_FRAMES);
  g_assert_cmpint (f->walk.end, ==, PYRO_STACK_TOO_DEEP);
  g_assert_cmpuint (f->walk.depth + f->walk.omitted, >, PYRO_BUDGET / 2 - 100);
  g_assert_cmpuint (f->walk.depth + f->walk.omitted, <=, PYRO_BUDGET / 2 + 1);
  pyro_unwind_by_frame_pointers (NULL, &f->regs, &f->stack, f->pcs,
                                 PYRO_MAX_FRAMES, &f->walk);
  g_assert_cmpint (f->walk.end, ==, PYRO_STACK_TOO_DEEP);
  g_assert_cmpuint (f->walk.depth + f->walk.omitted, <=, PYRO_BUDGET / 2 + 2);
  g_aligned_free (words);
  g_free (cache);
}

static void
test_copy (Fixture *f, gconstpointer data)
{
  static const uintptr_t elsewhere = 0x7f0000000000;

  make_chain (f, 5);
  f->regs.sp = elsewhere;
  f->stack.shift = (intptr_t)(f->stack.low - elsewhere);
  f->stack.high = elsewhere + N_WORDS * 8;
  f->stack.low = elsewhere;
  walk (f, PYRO_MAX_FRAMES);
  g_assert_cmpint (f->walk.end, ==, PYRO_STACK_COMPLETE);
  g_assert_cmpuint (f->walk.depth, ==, 6);
}

/* The same pc has another rule once other tables are in force. */
static void
test_cache (Fixture *f, gconstpointer data)
{
  PyroUnwindCache *cache = g_new0 (PyroUnwindCache, 1);
  guint round;

  f->sources.cache = cache;
  for (round = 0; round < 3; round++) {
    make_chain (f, 5);
    walk (f, PYRO_MAX_FRAMES);
    g_assert_cmpint (f->walk.end, ==, PYRO_STACK_COMPLETE);
    g_assert_cmpuint (f->walk.depth, ==, 6);
  }
  pyro_segment_set_table (&f->segment, NULL);
  f->tables.generation = ++generation;
  walk (f, PYRO_MAX_FRAMES);
  g_assert_cmpint (f->walk.end, ==, PYRO_STACK_NO_UNWIND_INFO);
  g_assert_cmpuint (f->walk.depth, ==, 1);
  g_free (cache);
}

/* What was remembered of other stacks changes nothing: chains of any mix of
 * functions, the outer frames often those of the chain before, walked with a
 * cache and without. */
static void
test_history (Fixture *f, gconstpointer data)
{
  PyroUnwindCache *cache = g_new0 (PyroUnwindCache, 1);
  guint round;

  for (round = 0; round < 2000; round++) {
    guint kept = (guint)g_test_rand_int_range (0, 120);
    uintptr_t pcs[PYRO_MAX_FRAMES];
    guint at = 0, i;
    PyroWalk without;

    /* A frame of PLAIN is a word to skip and the return address. */
    for (i = 0; i < 120; i++) {
      if (i + kept >= 120 && round > 0)
        break;
      f->words[at++] = 0;
      f->words[at++] = PLAIN + 1 + (guint)g_test_rand_int_range (0, 0x3e);
    }
    if (round == 0) {
      f->words[2 * 120] = 0;
      f->words[2 * 120 + 1] = ROOT + 8;
    }
    f->regs.sp
        = (uintptr_t)&f->words[2 * (guint)g_test_rand_int_range (0, 120)];
    f->regs.pc = PLAIN + (guint)g_test_rand_int_range (0, 0x40);
    f->sources.cache = NULL;
    walk (f, PYRO_MAX_FRAMES);
    without = f->walk;
    memcpy (pcs, f->pcs, sizeof pcs);
    g_assert_cmpint (without.end, ==, PYRO_STACK_COMPLETE);
    f->sources.cache = cache;
    walk (f, PYRO_MAX_FRAMES);
    g_assert_cmpint (f->walk.end, ==, without.end);
    g_assert_cmpmem (f->pcs, f->walk.depth * sizeof *pcs, pcs,
                     without.depth * sizeof *pcs);
  }
  g_assert_cmpuint (cache->n_frames, >, 0);

  /* Tables that are gone: what was remembered of them is, too. */
  f->sources.tables = NULL;
  walk (f, PYRO_MAX_FRAMES);
  g_assert_cmpint (f->walk.end, ==, PYRO_STACK_UNKNOWN_CODE);
  g_assert_cmpuint (f->walk.depth, ==, 1);
  g_free (cache);
}

static void
test_nothing_known (Fixture *f, gconstpointer data)
{
  make_chain (f, 5);
  f->sources.tables = NULL;
  walk (f, PYRO_MAX_FRAMES);
  g_assert_cmpint (f->walk.end, ==, PYRO_STACK_UNKNOWN_CODE);
  g_assert_cmpuint (f->walk.depth, ==, 1);
}

/* ORC's code, at each instruction of a prologue and an epilogue. */
static void
test_orc (Fixture *f, gconstpointer data)
{
  static const guint8 function[64] __attribute__ ((aligned (64)))
  = { 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0xc3, 0, 0, 0, 0, 0, 0, 0, 0,
      /* 16: endbr64; push %rbp; mov %rsp,%rbp; push %rbx; push %r12 */
      0xf3, 0x0f, 0x1e, 0xfa, 0x55, 0x48, 0x89, 0xe5, 0x53, 0x41, 0x54,
      /* 27: nop; nop; emms; pop %r12; pop %rbx; pop %rbp; ret */
      0x90, 0x90, 0x0f, 0x77, 0x41, 0x5c, 0x5b, 0x5d, 0xc3 };
  static const struct {
    guint8 offset, n_pushed;
  } at[] = { { 16, 0 }, { 20, 0 }, { 21, 1 }, { 24, 1 }, { 25, 2 }, { 27, 3 },
             { 28, 3 }, { 29, 3 }, { 31, 3 }, { 33, 2 }, { 34, 1 }, { 35, 0 } };
  PyroCodeMapping code = { .start = (uintptr_t)function,
                           .limit = (uintptr_t)function + sizeof function,
                           .kind = PYRO_CODE_ORC,
                           .copy = 1 };
  PyroMemoryMap map = { .n_codes = 1, .codes = &code, .copies = function };
  const uintptr_t caller_fp = f->stack.low + 8 * 200;
  guint i;

  f->sources.map = &map;
  f->words[201] = ROOT + 4;
  for (i = 0; i < G_N_ELEMENTS (at); i++) {
    guint64 *top = f->words + 20;

    /* The return address, and below what was pushed so far. */
    top[0] = BY_FP + 8;
    top[-1] = caller_fp;
    top[-2] = PLAIN + 5; /* what rbx was: not to be taken for a caller */
    top[-3] = PLAIN + 6;
    f->regs.pc = (uintptr_t)function + at[i].offset;
    f->regs.sp = (uintptr_t)(top - at[i].n_pushed);
    f->regs.fp = at[i].n_pushed > 0 ? 77 : caller_fp;
    walk (f, PYRO_MAX_FRAMES);
    g_assert_cmpint (f->walk.end, ==, PYRO_STACK_COMPLETE);
    g_assert_true (f->walk.rescued);
    g_assert_cmpuint (f->walk.depth, ==, 3);
    g_assert_cmphex (f->pcs[1], ==, BY_FP + 8);
    g_assert_cmphex (f->pcs[2], ==, ROOT + 4);
  }
  /* Without a copy nothing is known of it. */
  code.copy = 0;
  f->regs.pc = (uintptr_t)function + 16;
  f->regs.sp = f->stack.low;
  f->words[1] = PLAIN + 5;
  f->words[3] = ROOT + 4;
  walk (f, PYRO_MAX_FRAMES);
  g_assert_cmpint (f->walk.end, ==, PYRO_STACK_COMPLETE);
  g_assert_cmphex (f->pcs[1], ==, PLAIN + 5);
}

/* ORC has written something else there since: what its old code tells leads
 * nowhere, so it is not believed, and a new copy is asked for. */
static void
test_orc_copy_is_old (Fixture *f, gconstpointer data)
{
  static const guint8 copy[64] __attribute__ ((aligned (64)))
  = { 0xf3, 0x0f, 0x1e, 0xfa, 0x55, 0x90, 0x90, 0x90 };
  PyroUnwindCache *cache = g_new0 (PyroUnwindCache, 1);
  PyroCodeMapping code = { .start = 0x500000,
                           .limit = 0x500000 + sizeof copy,
                           .kind = PYRO_CODE_ORC,
                           .copy = 1 };
  PyroMemoryMap map = { .n_codes = 1, .codes = &code, .copies = copy };

  f->sources.map = &map;
  f->sources.cache = cache;
  f->regs.pc = code.start + 7;
  f->words[1] = PLAIN + 8; /* where the copy says, and a dead end */
  f->words[3] = AWAY;
  f->words[5] = PLAIN + 9; /* the caller */
  f->words[7] = ROOT + 4;
  walk (f, PYRO_MAX_FRAMES);
  g_assert_cmpint (f->walk.end, ==, PYRO_STACK_COMPLETE);
  g_assert_cmphex (f->pcs[1], ==, PLAIN + 9);
  g_assert_cmphex (cache->wanted_code, ==, f->regs.pc);
  /* Zeroes: ORC had not written yet. */
  cache->wanted_code = 0;
  f->regs.pc = code.start + 32;
  walk (f, PYRO_MAX_FRAMES);
  g_assert_cmpint (f->walk.end, ==, PYRO_STACK_COMPLETE);
  g_assert_cmphex (cache->wanted_code, ==, f->regs.pc);
  g_free (cache);
}

/* Two pages that can be read, and more that cannot, though the map says so. */
static guint8 *
map_partly (Fixture *f)
{
  guint8 *pages
      = mmap (NULL, 64 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  g_assert_true (pages != MAP_FAILED);
  g_assert_no_errno (mprotect (pages, 2 * PAGE, PROT_READ | PROT_WRITE));
  f->stack.low = f->regs.sp = (uintptr_t)pages + PAGE / 2;
  f->stack.certain = (uintptr_t)pages + PAGE;
  f->stack.limit = (uintptr_t)pages + 64 * PAGE;
  f->stack.high = f->regs.sp + PYRO_STACK_REACH;
  return pages;
}

/* On a stack that nobody vouches for, frames are followed as far as they go;
 * what is found by guessing stays in the page that is certain. */
static void
test_foreign_stack (Fixture *f, gconstpointer data)
{
  guint8 *pages = map_partly (f);
  guint64 *words = (guint64 *)f->regs.sp;
  gsize n = (PAGE / 2 + PAGE) / 8;
  gsize i;

  f->regs.pc = PLAIN + 4;
  for (i = 1; i < n; i += 2)
    words[i] = i + 2 < n ? PLAIN + 8 : ROOT + 4;
  walk (f, PYRO_MAX_FRAMES);
  g_assert_cmpint (f->walk.end, ==, PYRO_STACK_COMPLETE);
  g_assert_cmpuint (f->walk.depth + f->walk.omitted, ==, n / 2 + 1);

  /* The same chain by a guess ends where the page does. */
  f->regs.pc = BARE + 4;
  walk (f, PYRO_MAX_FRAMES);
  g_assert_cmpint (f->walk.end, !=, PYRO_STACK_COMPLETE);
  g_assert_cmpuint (f->walk.depth, ==, 1);
  words[21] = ROOT + 4;
  walk (f, PYRO_MAX_FRAMES);
  g_assert_cmpint (f->walk.end, ==, PYRO_STACK_COMPLETE);
  g_assert_true (f->walk.rescued);
  /* Nothing there looks like a caller: what is above is not looked at. */
  memset (pages, 0, 2 * PAGE);
  walk (f, PYRO_MAX_FRAMES);
  g_assert_cmpint (f->walk.end, ==, PYRO_STACK_NO_UNWIND_INFO);
  munmap (pages, 64 * PAGE);
}

/* Nor by a frame pointer that may hold anything. */
static void
test_foreign_stack_by_frame_pointers (Fixture *f, gconstpointer data)
{
  guint8 *pages = map_partly (f);

  f->regs.pc = PLAIN + 4;
  f->regs.fp = f->regs.sp + 16;
  *(guint64 *)f->regs.fp = (uintptr_t)pages + 5 * PAGE;
  *(guint64 *)(f->regs.fp + 8) = PLAIN + 8;
  pyro_unwind_by_frame_pointers (NULL, &f->regs, &f->stack, f->pcs,
                                 PYRO_MAX_FRAMES, &f->walk);
  g_assert_cmpint (f->walk.end, ==, PYRO_STACK_UNREADABLE);
  munmap (pages, 64 * PAGE);
}

/* No frame is that large: the register does not hold what it should. */
static void
test_foreign_frame_too_large (Fixture *f, gconstpointer data)
{
  guint8 *pages = map_partly (f);

  f->regs.pc = BY_FP + 8;
  f->regs.fp = f->regs.sp + PYRO_STACK_REACH;
  walk (f, PYRO_MAX_FRAMES);
  g_assert_cmpint (f->walk.end, ==, PYRO_STACK_UNREADABLE);
  g_assert_cmpuint (f->walk.depth, ==, 1);
  munmap (pages, 64 * PAGE);
}

/* Nor where nothing is read of the frame itself: the next one is not looked for
 * there, within the mapping or above it. */
static void
test_foreign_frame_unread (Fixture *f, gconstpointer data)
{
  guint8 *pages = map_partly (f);

  f->regs.pc = BY_RDI + 8;
  f->regs.rdi = PLAIN + 8;
  f->regs.fp = (uintptr_t)pages + 40 * PAGE;
  walk (f, PYRO_MAX_FRAMES);
  g_assert_cmpint (f->walk.end, ==, PYRO_STACK_UNREADABLE);
  g_assert_cmpuint (f->walk.depth, ==, 1);

  f->stack.limit = f->stack.high = (uintptr_t)pages + 2 * PAGE;
  walk (f, PYRO_MAX_FRAMES);
  g_assert_cmpint (f->walk.end, ==, PYRO_STACK_UNREADABLE);
  g_assert_cmpuint (f->walk.depth, ==, 1);
  munmap (pages, 64 * PAGE);
}

/* A word is a return address only where a call ends, once that is known. */
static void
test_call_sites (Fixture *f, gconstpointer data)
{
  PyroUnwindCache *cache = g_new0 (PyroUnwindCache, 1);
  guint8 bits[TEXT_SIZE / 8 + 1] = { 0 };
  const guint8 *call_sites[] = { NULL, bits };

  f->sources.cache = cache;
  f->regs.pc = BARE + 4;
  f->words[1] = PLAIN + 8;
  f->words[3] = PLAIN + 9;
  f->words[5] = ROOT + 4;
  walk (f, PYRO_MAX_FRAMES);
  g_assert_cmphex (f->pcs[1], ==, PLAIN + 8);
  g_assert_cmphex (cache->wanted_code, ==, BARE + 4);

  cache->wanted_code = 0;
  bits[(PLAIN + 9 - TEXT) / 8] |= 1u << (PLAIN + 9 - TEXT) % 8;
  f->tables.call_sites = call_sites;
  f->segment.calls = 1;
  f->tables.generation = ++generation;
  walk (f, PYRO_MAX_FRAMES);
  g_assert_cmpint (f->walk.end, ==, PYRO_STACK_COMPLETE);
  g_assert_cmphex (f->pcs[1], ==, PLAIN + 9);
  g_assert_cmphex (cache->wanted_code, ==, 0);
  g_free (cache);
}

/* Chains that lead nowhere, one for each word that may be a caller: they are
 * not followed without end. */
static void
test_budget (Fixture *f, gconstpointer data)
{
  PyroUnwindCache *cache = g_new0 (PyroUnwindCache, 1);
  guint i;

  f->sources.cache = cache;
  f->regs.pc = BARE + 4;
  for (i = 1; i < 600; i += 2)
    f->words[i] = i < 598 ? PLAIN + 8 : AWAY;
  walk (f, PYRO_MAX_FRAMES);
  g_assert_cmpint (f->walk.end, ==, PYRO_STACK_GIVEN_UP);
  g_assert_cmpuint (f->walk.depth, ==, 1);
  /* A few are. */
  f->words[9] = AWAY;
  walk (f, PYRO_MAX_FRAMES);
  g_assert_cmpint (f->walk.end, ==, PYRO_STACK_GIVEN_UP);
  memset (f->words + 10, 0, N_WORDS * 8 - 80);
  walk (f, PYRO_MAX_FRAMES);
  g_assert_cmpint (f->walk.end, ==, PYRO_STACK_NO_UNWIND_INFO);
  g_free (cache);
}

/* A guess that is followed to its end need not be walked again: there is enough
 * for a stack that is as deep as those without a rescue. */
static void
test_rescue_of_a_deep_stack (Fixture *f, gconstpointer data)
{
  PyroUnwindCache *cache = g_new0 (PyroUnwindCache, 1);
  guint i, n = 2000;

  f->sources.cache = cache;
  f->regs.pc = BARE + 4;
  for (i = 0; i < n; i++)
    f->words[2 * i + 1] = i + 1 < n ? PLAIN + 8 : ROOT + 4;
  walk (f, PYRO_MAX_FRAMES);
  g_assert_cmpint (f->walk.end, ==, PYRO_STACK_COMPLETE);
  g_assert_true (f->walk.rescued);
  g_assert_cmpuint (f->walk.depth + f->walk.omitted, ==, n + 1);
  g_assert_cmphex (f->pcs[f->walk.depth - 1], ==, ROOT + 4);
  g_free (cache);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/walk/a-chain-is-followed-to-its-root", test_plain);
  ADD ("/walk/a-call-may-end-its-function", test_call_at_the_end);
  ADD ("/walk/a-zero-return-address-is-the-root", test_zero_return_address);
  ADD ("/walk/nothing-outside-the-stack-is-read", test_bounds);
  ADD ("/walk/a-stack-pointer-outside-is-said", test_sp_outside);
  ADD ("/walk/a-circle-makes-no-progress", test_circle);
  ADD ("/walk/an-end-that-is-not-the-root-has-its-reason", test_ends);
  ADD ("/walk/a-leaf-without-cfi-is-rescued", test_rescue);
  ADD ("/walk/a-caller-without-cfi-is-rescued", test_rescue_of_a_caller);
  ADD ("/walk/a-rescue-ends-at-a-thread's-start", test_rescue_false_root);
  ADD ("/walk/a-rescue-finds-the-saved-frame-pointer",
       test_rescue_with_saved_fp);
  ADD ("/walk/a-deep-stack-keeps-leaf-and-root", test_deep);
  ADD ("/walk/small-buffers-are-filled-and-no-more", test_small_buffers);
  ADD ("/walk/an-endless-stack-is-given-up", test_bounded);
  ADD ("/walk/frames-that-are-far-away-count-twice", test_far_frames);
  ADD ("/walk/a-copy-of-a-stack-is-walked-alike", test_copy);
  ADD ("/walk/the-cache-follows-the-tables", test_cache);
  ADD ("/walk/what-is-remembered-changes-nothing", test_history);
  ADD ("/walk/without-tables-the-leaf-is-all", test_nothing_known);
  ADD ("/walk/orcs-prologue-and-epilogue-are-exact", test_orc);
  ADD ("/walk/an-old-copy-of-orcs-code-is-not-believed", test_orc_copy_is_old);
  ADD ("/walk/guesses-stay-where-the-stack-is-certain", test_foreign_stack);
  ADD ("/walk/frame-pointers-stay-where-the-stack-is-certain",
       test_foreign_stack_by_frame_pointers);
  ADD ("/walk/a-frame-is-not-looked-for-far-away",
       test_foreign_frame_too_large);
  ADD ("/walk/a-frame-that-is-not-read-is-not-far-away-either",
       test_foreign_frame_unread);
  ADD ("/walk/a-guess-is-where-a-call-ends", test_call_sites);
  ADD ("/walk/guesses-that-lead-nowhere-are-given-up", test_budget);
  ADD ("/walk/a-deep-stack-is-rescued", test_rescue_of_a_deep_stack);
  return g_test_run ();
}
