/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "cfi-compiler.h"

#include <stdlib.h>

/* Functions begin at multiples of 16. What lies between two of them and is
 * shorter than that is padding, never executed, and needs no row. */
#define FUNCTION_ALIGNMENT 16

/* Bytes. GCC's longest use of r13 as CFA in a prologue takes less than 40 here;
 * the loader's lazy resolver has rbx for 150. */
#define LONG_PROLOGUE 64

/* Where CFI comes from. */
enum { EH_FRAME, DEBUG_FRAME, N_SOURCES };

typedef struct {
  guint32 start; /* offset in the segment */
  guint32 limit;
  guint32 source : 1;
  guint32 cie : 31;
  guint32 program; /* offset in the section */
  guint32 program_size;
} Function;

/* What is known of a CIE once its initial instructions were executed. */
typedef struct {
  PyroCfiState state;
  gint is_valid;
} Initial;

typedef struct {
  const PyroCfiInput *input;
  PyroRuleSet *rules;
  PyroCfiStatistics *statistics;
  guint32 text_size;
  PyroCfiReader *readers[N_SOURCES]; /* NULL: no such section */
  GArray *initials[N_SOURCES];       /* of Initial, by CIE */

  guint32 *rows; /* packed */
  guint32 n_rows;
  guint32 max_rows;  /* for which there is room */
  guint32 *first;    /* per bucket */
  guint32 n_buckets; /* of which */
  guint32 n_opened;  /* have a first row already */
  guint32 last_rule; /* in force at the end of ROWS */

  gboolean with_saved;
  gboolean needs_saved;   /* but has not got them */
  guint64 saved_cfa_from; /* since where the CFA depends on one; 0: not */

  gboolean is_signal;
  PyroCfiState last_state; /* and what it was packed to */
  guint32 last_packed;
  gboolean has_last;
} Builder;

static void
append_row (Builder *builder, guint32 row)
{
  if (builder->n_rows == builder->max_rows) {
    builder->max_rows += builder->max_rows / 2 + 64;
    builder->rows = g_renew (guint32, builder->rows, builder->max_rows);
  }
  builder->rows[builder->n_rows++] = row;
}

static void
open_buckets (Builder *builder, guint32 up_to)
{
  while (builder->n_opened <= up_to) {
    builder->first[builder->n_opened++] = builder->n_rows;
    append_row (builder, builder->last_rule);
  }
}

/* From OFFSET on RULE is in force. Offsets ascend. */
static void
add_row (Builder *builder, guint32 offset, guint32 rule)
{
  guint32 bucket = offset >> PYRO_BUCKET_SHIFT;
  guint32 in_bucket = offset & (PYRO_BUCKET_SIZE - 1);
  guint32 row, *last;

  if (rule == builder->last_rule)
    return;
  open_buckets (builder, bucket);
  builder->last_rule = rule;
  row = in_bucket << PYRO_ROW_RULE_BITS | rule;
  last = &builder->rows[builder->n_rows - 1];
  if (*last >> PYRO_ROW_RULE_BITS == in_bucket)
    *last = row; /* the bucket's first row, still without effect */
  else
    append_row (builder, row);
}

static gboolean
is_callee_saved (guint32 dwarf)
{
#if defined(__x86_64__)
  return dwarf == 3 || (dwarf >= 12 && dwarf <= 15);
#else
  return FALSE;
#endif
}

/* A CFA by rbx or r12 to r15 for more than a prologue's length spans calls, and
 * can be computed only if all callees tell where they saved the register. In a
 * prologue it is known as the interrupted function's own. */
static void
note_saved_cfa (Builder *builder, guint64 address, gboolean by_saved)
{
  if (builder->saved_cfa_from != 0
      && address - builder->saved_cfa_from >= LONG_PROLOGUE)
    builder->needs_saved = !builder->with_saved;
  builder->saved_cfa_from = by_saved ? address : 0;
}

/* Packed to the same rule. Called for each row, where memcmp() by itself took a
 * sixth of the time. Without the callee-saved registers only what stands before
 * them counts. */
static gboolean
is_same_state (const Builder *builder, const PyroCfiState *state)
{
  const char *one = (const char *)state;
  const char *other = (const char *)&builder->last_state;
  const gsize size = builder->with_saved
                         ? sizeof *state
                         : offsetof (PyroCfiState, slots[PYRO_TRACK_SAVED]);
  guint64 difference = 0;
  gsize i;

  G_STATIC_ASSERT (sizeof *state % sizeof (guint64) == 0);
  for (i = 0; i < size; i += sizeof (guint64)) {
    guint64 a, b;

    memcpy (&a, one + i, sizeof a);
    memcpy (&b, other + i, sizeof b);
    difference |= a ^ b;
  }
  return difference == 0;
}

static void
on_row (guint64 address, const PyroCfiState *state, gpointer data)
{
  Builder *builder = data;
  gboolean by_saved = state->cfa_shape == PYRO_CFA_SHAPE_REGISTER
                      && is_callee_saved (state->cfa_reg);

  /* A run of rows by the same register counts as one. */
  if (by_saved != (builder->saved_cfa_from != 0))
    note_saved_cfa (builder, address, by_saved);
  /* Rows that differ in registers nobody asked for are common. */
  if (!builder->has_last || !is_same_state (builder, state)) {
    builder->last_state = *state;
    builder->last_packed = pyro_rule_set_pack (
        builder->rules, state, builder->is_signal, builder->with_saved);
    builder->has_last = TRUE;
    if (builder->last_packed == PYRO_SPECIAL_UNSUPPORTED)
      builder->statistics->n_unsupported++;
  }
  add_row (builder, (guint32)(address - builder->input->segment_start),
           builder->last_packed);
}

static int
compare_functions (const void *a, const void *b)
{
  const Function *one = a, *other = b;

  if (one->start != other->start)
    return one->start < other->start ? -1 : 1;
  /* Of two with the same start, the longer one first; the section's order
   * decides among equals. */
  if (one->limit != other->limit)
    return one->limit > other->limit ? -1 : 1;
  return one->program < other->program ? -1 : one->program > other->program;
}

/* The functions that SOURCE has in this segment, sorted by start. */
static GArray *
read_functions (Builder *builder, guint source)
{
  const PyroCfiInput *input = builder->input;
  const guint8 *data = source == EH_FRAME ? input->data : input->debug_frame;
  GArray *functions = g_array_new (FALSE, FALSE, sizeof (Function));
  guint64 text_size = builder->text_size;
  gboolean is_sorted = TRUE;
  guint32 previous = 0;
  PyroFde fde;

  if (builder->readers[source] == NULL)
    return functions;
  while (pyro_cfi_reader_next (builder->readers[source], &fde)) {
    guint64 offset = fde.start - input->segment_start;
    Function function;

    if (source == DEBUG_FRAME) {
      /* What linkers leave of functions that they removed. */
      if (fde.start == 0)
        continue;
      offset += input->bias;
    }
    /* One before the segment is far behind it. */
    if (offset >= text_size || fde.length == 0)
      continue;
    function.start = (guint32)offset;
    function.limit = (guint32)(offset + MIN (fde.length, text_size - offset));
    function.source = source;
    function.cie = fde.cie;
    function.program = (guint32)(fde.program.at - data);
    function.program_size = (guint32)(fde.program.end - fde.program.at);
    is_sorted = is_sorted && function.start >= previous;
    previous = function.start;
    g_array_append_val (functions, function);
  }
  builder->statistics->n_skipped
      += pyro_cfi_reader_get_n_bad (builder->readers[source]);
  if (!is_sorted && functions->len > 1)
    qsort (functions->data, functions->len, sizeof (Function),
           compare_functions);
  return functions;
}

/* Into FUNCTIONS, which are sorted and win, those of OTHERS that share no byte
 * with them. */
static void
merge_functions (GArray *functions, const GArray *others)
{
  const guint n_functions = functions->len;
  guint32 limit = 0; /* of the functions that begin before */
  guint i, next = 0;

  for (i = 0; i < others->len; i++) {
    const Function *other = &g_array_index (others, Function, i);

    while (next < n_functions
           && g_array_index (functions, Function, next).start <= other->start) {
      limit = MAX (limit, g_array_index (functions, Function, next).limit);
      next++;
    }
    if (limit > other->start
        || (next < n_functions
            && g_array_index (functions, Function, next).start < other->limit))
      continue;
    g_array_append_vals (functions, other, 1);
  }
  if (functions->len > n_functions)
    qsort (functions->data, functions->len, sizeof (Function),
           compare_functions);
}

/* The state after the initial instructions of each CIE, made when needed. */
static const Initial *
get_initial (Builder *builder, const Function *function)
{
  PyroCfiReader *reader = builder->readers[function->source];
  GArray *initials = builder->initials[function->source];
  Initial *initial;

  if (initials->len < pyro_cfi_reader_get_n_cies (reader))
    g_array_set_size (initials, pyro_cfi_reader_get_n_cies (reader));
  initial = &g_array_index (initials, Initial, function->cie);
  if (initial->is_valid == 0)
    initial->is_valid
        = pyro_cfi_initial_state (
              pyro_cfi_reader_get_cie (reader, function->cie), &initial->state)
              ? 1
              : -1;
  return initial;
}

static void
compile_function (Builder *builder, const Function *function,
                  const Initial *initial)
{
  const PyroCfiInput *input = builder->input;
  const PyroCie *cie = pyro_cfi_reader_get_cie (
      builder->readers[function->source], function->cie);
  guint64 bad_from;
  PyroFde fde;

  fde.start = input->segment_start + function->start;
  fde.length = function->limit - function->start;
  fde.cie = function->cie;
  fde.program.at
      = (function->source == EH_FRAME ? input->data : input->debug_frame)
        + function->program;
  fde.program.end = fde.program.at + function->program_size;
  fde.program.bad = FALSE;
  if (builder->is_signal != cie->is_signal) {
    builder->is_signal = cie->is_signal;
    builder->has_last = FALSE;
  }
  builder->statistics->n_fdes++;
  if (!pyro_cfi_execute (cie, &initial->state, &fde, on_row, builder,
                         &bad_from)) {
    builder->statistics->n_truncated++;
    add_row (builder, (guint32)(bad_from - input->segment_start),
             PYRO_SPECIAL_UNSUPPORTED);
  }
  note_saved_cfa (builder, fde.start + fde.length, FALSE);
}

static void
compile_functions (Builder *builder, GArray *functions)
{
  guint32 covered = 0;
  guint i;

  for (i = 0; i < functions->len; i++) {
    const Function *function = &g_array_index (functions, Function, i);
    const Initial *initial;

    if (function->start < covered) {
      builder->statistics->n_skipped++;
      continue;
    }
    initial = get_initial (builder, function);
    if (initial->is_valid < 0) {
      builder->statistics->n_skipped++;
      continue;
    }
    if (function->start > covered
        && (function->start - covered >= FUNCTION_ALIGNMENT
            || function->start % FUNCTION_ALIGNMENT != 0)) {
      add_row (builder, covered, PYRO_SPECIAL_NONE);
      builder->statistics->bare_size += function->start - covered;
    }
    compile_function (builder, function, initial);
    covered = function->limit;
  }
  if (covered < builder->text_size) {
    add_row (builder, covered, PYRO_SPECIAL_NONE);
    builder->statistics->bare_size += builder->text_size - covered;
  }
}

static PyroTable *
finish (Builder *builder)
{
  gsize index_size, rows_size;
  PyroTable *table;

  if (builder->n_buckets > 0)
    open_buckets (builder, builder->n_buckets - 1);
  builder->first[builder->n_buckets] = builder->n_rows;
  index_size = (builder->n_buckets + 1) * sizeof (guint32);
  rows_size = builder->n_rows * sizeof (guint32);
  table = g_malloc (sizeof *table + index_size + rows_size);
  table->n_buckets = builder->n_buckets;
  table->n_rows = builder->n_rows;
  memcpy (table->first, builder->first, index_size);
  if (rows_size > 0)
    memcpy (table->first + builder->n_buckets + 1, builder->rows, rows_size);
  return table;
}

static void
open_source (Builder *builder, guint source, const guint8 *data, gsize size,
             guint64 address)
{
  if (data == NULL)
    return;
  builder->readers[source] = pyro_cfi_reader_new (
      data, MIN (size, (gsize)G_MAXUINT32), address, source == DEBUG_FRAME);
  builder->initials[source] = g_array_new (FALSE, TRUE, sizeof (Initial));
}

static PyroTable *
compile (const PyroCfiInput *input, gboolean with_saved, PyroRuleSet *rules,
         PyroCfiStatistics *statistics, gboolean *needs_saved)
{
  Builder builder = { 0 };
  GArray *functions, *others;
  PyroTable *table;
  guint i;

  memset (statistics, 0, sizeof *statistics);
  statistics->has_saved = with_saved;
  builder.input = input;
  builder.with_saved = with_saved;
  builder.rules = rules;
  builder.statistics = statistics;
  builder.last_rule = PYRO_SPECIAL_NONE;
  if (input->segment_limit > input->segment_start)
    builder.text_size = (guint32)MIN (
        input->segment_limit - input->segment_start, G_MAXUINT32);
  builder.n_buckets
      = (builder.text_size >> PYRO_BUCKET_SHIFT)
        + ((builder.text_size & (PYRO_BUCKET_SIZE - 1)) != 0 ? 1 : 0);
  builder.first = g_new (guint32, (gsize)builder.n_buckets + 1);
  builder.max_rows = builder.n_buckets * 16;
  builder.rows = g_new (guint32, builder.max_rows);

  open_source (&builder, EH_FRAME, input->data, input->size, input->address);
  open_source (&builder, DEBUG_FRAME, input->debug_frame,
               input->debug_frame_size, 0);
  functions = read_functions (&builder, EH_FRAME);
  others = read_functions (&builder, DEBUG_FRAME);
  merge_functions (functions, others);
  compile_functions (&builder, functions);
  table = finish (&builder);
  *needs_saved = builder.needs_saved;
  g_array_unref (functions);
  g_array_unref (others);
  for (i = 0; i < N_SOURCES; i++) {
    pyro_cfi_reader_free (builder.readers[i]);
    if (builder.initials[i] != NULL)
      g_array_unref (builder.initials[i]);
  }
  g_free (builder.rows);
  g_free (builder.first);
  return table;
}

PyroTable *
pyro_cfi_compile (const PyroCfiInput *input, PyroRuleSet *rules,
                  PyroCfiStatistics *statistics)
{
  PyroCfiStatistics unwanted;
  gboolean needs_saved;
  PyroTable *table;

  if (statistics == NULL)
    statistics = &unwanted;
  table = compile (input, input->with_saved, rules, statistics, &needs_saved);
  if (needs_saved) {
    g_free (table);
    table = compile (input, TRUE, rules, statistics, &needs_saved);
  }
  return table;
}

gsize
pyro_table_get_size (const PyroTable *table)
{
  return sizeof *table
         + ((gsize)table->n_buckets + 1 + table->n_rows) * sizeof (guint32);
}
