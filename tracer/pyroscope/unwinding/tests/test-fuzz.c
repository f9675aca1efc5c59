/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Hostile input, the same at each run: mangled sections of the modules that are
 * loaded here, and stacks of random words.
 *
 * usage: test-unwinding-fuzz [ROUNDS]
 */

#include <string.h>
#include <sys/mman.h>

#include "ci/fuzz/mangle.h"
#include "fuzz-cfi.h"
#include "harness.h"
#include "loader.h"
#include "tables.h"
#include "unwind-cache.h"

static guint rounds = 2000;

static void
test_sections (void)
{
  GRand *rand = g_rand_new_with_seed (5);
  GPtrArray *modules = pyro_loader_list ();
  guint i, n_compiled = 0;

  for (i = 0; i < rounds; i++) {
    const PyroLoadedModule *module = g_ptr_array_index (
        modules, (guint)g_rand_int_range (rand, 0, (gint32)modules->len));
    GByteArray *input
        = pyro_fuzz_cfi_input (module, (gsize)g_rand_int_range (rand, 1, 6000));

    if (input == NULL)
      continue;
    if (i % 3 != 0) {
      GByteArray *other = pyro_fuzz_cfi_with_debug_frame (input, i % 3 == 1);

      g_byte_array_unref (input);
      input = other;
    }
    if (i % 8 != 0)
      pyro_mangle (rand, input, input);
    LLVMFuzzerTestOneInput (input->data, input->len);
    n_compiled++;
    g_byte_array_unref (input);
  }
  g_test_message ("%u sections, %" G_GUINT64_FORMAT " functions", n_compiled,
                  pyro_fuzz_cfi_n_functions);
  g_assert_cmpuint (n_compiled, >, rounds / 2);
  g_assert_cmpuint (pyro_fuzz_cfi_n_functions, >, 10 * n_compiled);
  g_ptr_array_unref (modules);
  g_rand_free (rand);
}

static void
test_noise (void)
{
  GRand *rand = g_rand_new_with_seed (7);
  guint i;

  for (i = 0; i < rounds * 4; i++) {
    enum { HEADER = sizeof (PyroFuzzCfiHeader) };
    gsize size = HEADER + (gsize)g_rand_int_range (rand, 4, 300), j;
    guint8 *bytes = g_malloc (size);

    for (j = 0; j < size; j++)
      bytes[j] = pyro_mangle_noise (rand);
    /* An entry that fits. */
    memcpy (bytes + HEADER, &(guint32){ (guint32)(size - HEADER - 4) }, 4);
    LLVMFuzzerTestOneInput (bytes, size);
    g_free (bytes);
  }
  g_rand_free (rand);
}

static uintptr_t
random_code (GRand *rand, const PyroUnwindTables *tables)
{
  const PyroSegment *segment
      = &tables
             ->segments[g_rand_int_range (rand, 0, (gint32)tables->n_segments)];

  return segment->start + g_rand_int (rand) % (segment->limit - segment->start);
}

/* Real tables, and nothing else that is true. Pages that cannot be read stand
 * on both sides of the stack. */
static void
test_stacks (void)
{
  enum { SIZE = 64 * 1024, N_WORDS = SIZE / 8 };
  GRand *rand = g_rand_new_with_seed (11);
  guint8 *memory
      = mmap (NULL, SIZE + 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  guint64 *words = (guint64 *)(memory + 4096);
  guint counts[PYRO_STACK_N_ENDS] = { 0 };
  PyroUnwindCache *cache = g_new0 (PyroUnwindCache, 1);
  guint i, j;

  g_assert_no_errno (mprotect (words, SIZE, PROT_READ | PROT_WRITE));
  pyro_test_refresh ();
  for (i = 0; i < rounds * 10; i++) {
    PyroUnwindSources sources
        = { pyro_modules_published (), pyro_memory_map_published (), cache };
    PyroStackBounds stack
        = { .low = (uintptr_t)words, .high = (uintptr_t)words + SIZE };
    uintptr_t pcs[PYRO_MAX_FRAMES];
    PyroRegisters regs;
    PyroWalk walk;

    if (i % 500 == 0) {
      for (j = 0; j < N_WORDS; j++)
        words[j] = j % 3 == 0 ? random_code (rand, sources.tables)
                   : j % 3 == 1
                       ? stack.low + g_rand_int (rand) % SIZE / 8 * 8
                       : (guint64)g_rand_int (rand) << 32 | g_rand_int (rand);
    }
    for (j = 0; j < sizeof regs / sizeof (uintptr_t); j++)
      ((uintptr_t *)&regs)[j]
          = stack.low - 256 + g_rand_int (rand) % (SIZE + 512);
    regs.pc = random_code (rand, sources.tables);
    if (i % 4 != 0)
      regs.sp = stack.low + g_rand_int (rand) % SIZE / 8 * 8;
    if (i % 5 == 0)
      regs.fp = (uintptr_t)-8 * (i % 3);
    pyro_unwind_by_tables (&sources, &regs, &stack, pcs, PYRO_MAX_FRAMES,
                           &walk);
    g_assert_cmpuint (walk.end, <, PYRO_STACK_N_ENDS);
    g_assert_cmpuint (walk.depth, <=, PYRO_MAX_FRAMES);
    g_assert_cmpuint (walk.depth, >, 0);
    counts[walk.end]++;
    pyro_unwind_by_frame_pointers (&sources, &regs, &stack, pcs,
                                   PYRO_MAX_FRAMES, &walk);
    g_assert_cmpuint (walk.depth, <=, PYRO_MAX_FRAMES);
  }
  for (i = 0; i < PYRO_STACK_N_ENDS; i++)
    g_test_message ("end %u: %u walks", i, counts[i]);
  g_assert_cmpuint (counts[PYRO_STACK_UNREADABLE], >, 0);
  g_assert_cmpuint (counts[PYRO_STACK_UNKNOWN_CODE], >, 0);
  g_free (cache);
  munmap (memory, SIZE + 8192);
  g_rand_free (rand);
}

int
main (int argc, char **argv)
{
  int result;

  g_test_init (&argc, &argv, NULL);
  if (argc > 1)
    rounds = (guint)g_ascii_strtoull (argv[1], NULL, 10);
  g_test_add_func ("/fuzz/mangled-sections-give-sound-tables", test_sections);
  g_test_add_func ("/fuzz/noise-gives-sound-tables", test_noise);
  g_test_add_func ("/fuzz/random-stacks-are-walked-within-bounds", test_stacks);
  result = g_test_run ();
  pyro_test_tear_down ();
  return result;
}
