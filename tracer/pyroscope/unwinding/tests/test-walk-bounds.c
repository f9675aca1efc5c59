/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Walks over stacks that were made up: what is read of them, and how much. */

#include <sys/mman.h>

#include "made-up-functions.h"

#define PAGE ((gsize)4096)

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
  ADD ("/walk-bounds/nothing-outside-the-stack-is-read", test_bounds);
  ADD ("/walk-bounds/a-stack-pointer-outside-is-said", test_sp_outside);
  ADD ("/walk-bounds/a-circle-makes-no-progress", test_circle);
  ADD ("/walk-bounds/a-deep-stack-keeps-leaf-and-root", test_deep);
  ADD ("/walk-bounds/small-buffers-are-filled-and-no-more", test_small_buffers);
  ADD ("/walk-bounds/an-endless-stack-is-given-up", test_bounded);
  ADD ("/walk-bounds/frames-that-are-far-away-count-twice", test_far_frames);
  ADD ("/walk-bounds/guesses-stay-where-the-stack-is-certain",
       test_foreign_stack);
  ADD ("/walk-bounds/frame-pointers-stay-where-the-stack-is-certain",
       test_foreign_stack_by_frame_pointers);
  ADD ("/walk-bounds/a-frame-is-not-looked-for-far-away",
       test_foreign_frame_too_large);
  ADD ("/walk-bounds/a-frame-that-is-not-read-is-not-far-away-either",
       test_foreign_frame_unread);
  ADD ("/walk-bounds/guesses-that-lead-nowhere-are-given-up", test_budget);
  ADD ("/walk-bounds/a-deep-stack-is-rescued", test_rescue_of_a_deep_stack);
  return g_test_run ();
}
