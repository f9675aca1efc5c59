/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: a stack that was made up, and tables from a section that was made up.
 * Owner: the fixture owns everything that it points to.
 * Threads: one.
 */
#pragma once

#include "cfi-compiler.h"
#include "section-writer.h"
#include "unwind-cache.h"

/* The text that the section is about. */
#define TEXT 0x100000u
#define TEXT_SIZE 0x1000u

#define N_WORDS 4096

typedef struct {
  PyroRuleSet *rules;
  PyroRuleArray *array;
  PyroTable *table;
  PyroSegment segment;
  PyroUnwindTables tables;
  PyroUnwindSources sources;
  guint64 *words; /* aligned to 16 */
  PyroStackBounds stack;
  PyroRegisters regs;
  uintptr_t pcs[PYRO_MAX_FRAMES + 1];
  PyroWalk walk;
} Fixture;

/* Of the tables that were made last; no two have the same. */
static guint32 generation;

/* SECTION, which lies at SECTION_ADDRESS, is given away. */
static inline void
made_up_set_up (Fixture *f, GByteArray *section)
{
  PyroCfiInput input = { .data = section->data,
                         .size = section->len,
                         .address = SECTION_ADDRESS,
                         .segment_start = TEXT,
                         .segment_limit = TEXT + TEXT_SIZE };

  f->rules = pyro_rule_set_new ();
  f->table = pyro_cfi_compile (&input, f->rules, NULL);
  f->array = pyro_rule_set_ref_array (f->rules);
  f->segment.start = TEXT;
  f->segment.limit = TEXT + TEXT_SIZE;
  pyro_segment_set_table (&f->segment, f->table);
  f->tables.generation = ++generation;
  f->tables.n_segments = 1;
  f->tables.segments = &f->segment;
  f->tables.starts = f->tables.tops = &f->segment.start;
  f->tables.rules = f->array->rules;
  f->sources.tables = &f->tables;
  g_byte_array_unref (section);

  f->words = g_aligned_alloc0 (N_WORDS, sizeof (guint64), 16);
  f->stack.low = (uintptr_t)f->words;
  f->stack.high = (uintptr_t)(f->words + N_WORDS);
  f->regs.sp = f->stack.low;
}

static inline void
tear_down (Fixture *f, gconstpointer data)
{
  pyro_rule_array_unref (f->array);
  pyro_rule_set_free (f->rules);
  g_free (f->table);
  g_aligned_free (f->words);
}

/* Both need a set_up() of their own. */
#define ADD(path, func) \
  g_test_add (path, Fixture, NULL, set_up, func, tear_down)
