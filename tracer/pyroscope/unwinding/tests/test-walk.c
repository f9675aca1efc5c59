/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Walks over stacks that were made up, with tables that were made up. */

#include "made-up-functions.h"
#include "memory-map-layout.h"

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

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/walk/a-chain-is-followed-to-its-root", test_plain);
  ADD ("/walk/a-call-may-end-its-function", test_call_at_the_end);
  ADD ("/walk/a-zero-return-address-is-the-root", test_zero_return_address);
  ADD ("/walk/an-end-that-is-not-the-root-has-its-reason", test_ends);
  ADD ("/walk/a-leaf-without-cfi-is-rescued", test_rescue);
  ADD ("/walk/a-caller-without-cfi-is-rescued", test_rescue_of_a_caller);
  ADD ("/walk/a-rescue-ends-at-a-thread's-start", test_rescue_false_root);
  ADD ("/walk/a-rescue-finds-the-saved-frame-pointer",
       test_rescue_with_saved_fp);
  ADD ("/walk/a-copy-of-a-stack-is-walked-alike", test_copy);
  ADD ("/walk/the-cache-follows-the-tables", test_cache);
  ADD ("/walk/what-is-remembered-changes-nothing", test_history);
  ADD ("/walk/without-tables-the-leaf-is-all", test_nothing_known);
  ADD ("/walk/orcs-prologue-and-epilogue-are-exact", test_orc);
  ADD ("/walk/an-old-copy-of-orcs-code-is-not-believed", test_orc_copy_is_old);
  ADD ("/walk/a-guess-is-where-a-call-ends", test_call_sites);
  return g_test_run ();
}
