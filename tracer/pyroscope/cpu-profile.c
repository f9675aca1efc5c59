/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "cpu-profile.h"

#include "accounting.h"
#include "attribution/nodes.h"
#include "delivery/series.h"
#include "frame-order.h"
#include "kernel-clock.h"
#include "label-sets.h"
#include "profile/profile-builder.h"
#include "profile/profile-comments.h"
#include "symbols/symbolizer.h"
#include "unwinding/exported.h"

#include <string.h>

#define NS_PER_S 1000000000

/* Bins in bins, and the element. */
#define MAX_ELEMENT_FRAMES 64

/* DWARF that the symbolizer may keep in the application's memory. */
#define DEBUG_INFO_LIMIT (G_GUINT64_CONSTANT (64) << 20)

struct _PyroCpuEncoder {
  gint refs;
  PyroLabelHistory history;
  PyroNodeTableStats nodes; /* when the last profile was made */
  gboolean element_frames;
  GArray *series;
  const gchar *unwinder;
  guint symbols; /* PyroSymbolsKind */
  gchar *debug_path;
  PyroSymbolizer *symbolizer; /* made on the delivery thread */
  const PyroModule *asked;    /* what it is being asked about */
  gint64 names_until;         /* atomic; 0: no limit */
};

/* What is known of a module in one profile. */
typedef struct {
  PyroMapping mapping;
  guint64 id;
  gboolean has_statement_names;
} Module;

typedef struct {
  PyroCpuEncoder *encoder;
  PyroProfileBuilder *builder;
  PyroLabelSets sets;
  GHashTable *modules;   /* PyroModule → Module */
  GHashTable *programs;  /* PyroFrame → name of ORC's program, "": several */
  GHashTable *locations; /* PyroFrame → guint64 id */
  guint64 n_postponed;   /* locations */
} Encoding;

static const struct {
  const gchar *name; /* of the frame */
  const gchar *key;  /* of the counter */
} stack_ends[PYRO_STACK_N_ENDS] = {
  [PYRO_STACK_COMPLETE] = { "", "" },
  [PYRO_STACK_NO_UNWIND_INFO]
  = { "[truncated: no unwind information]", "no-unwind-info" },
  [PYRO_STACK_UNKNOWN_CODE] = { "[truncated: unknown code]", "unknown-code" },
  [PYRO_STACK_UNREADABLE] = { "[truncated: outside the stack]", "unreadable" },
  [PYRO_STACK_NO_PROGRESS]
  = { "[truncated: stack makes no progress]", "no-progress" },
  [PYRO_STACK_UNSUPPORTED]
  = { "[truncated: unsupported unwind rule]", "unsupported" },
  [PYRO_STACK_TOO_DEEP] = { "[truncated: too deep]", "too-deep" },
  [PYRO_STACK_UNKNOWN_STACK]
  = { "[truncated: unknown stack]", "unknown-stack" },
  [PYRO_STACK_BUSY] = { "[truncated: unwinder was busy]", "busy" },
  [PYRO_STACK_GIVEN_UP]
  = { "[truncated: search for the caller given up]", "given-up" },
};

static const gchar *const unsampled_names[PYRO_UNSAMPLED_N_REASONS] = {
  [PYRO_UNSAMPLED_START] = "[not sampled: start of the thread]",
  [PYRO_UNSAMPLED_BLOCKED] = "[not sampled: signal blocked]",
  [PYRO_UNSAMPLED_NO_TIMER] = "[not sampled: no timer left]",
  [PYRO_UNSAMPLED_OWN] = "[gst-pyroscope]",
  [PYRO_UNSAMPLED_LOST] = "[not sampled: ring full]",
  [PYRO_UNSAMPLED_MISSED] = "[not sampled: signal not delivered]",
  [PYRO_UNSAMPLED_UNSEEN] = "[not sampled: thread ended unseen]",
  [PYRO_UNSAMPLED_TURNED] = "[not sampled: task ended unseen]",
};

static const gchar *
note_name (guint64 note)
{
  if (note < PYRO_NOTE_OMITTED)
    return stack_ends[note - PYRO_NOTE_TRUNCATED].name;
  if (note == PYRO_NOTE_OMITTED)
    return "[frames omitted]";
  if (note < PYRO_NOTE_UNKNOWN_CODE)
    return unsampled_names[note - PYRO_NOTE_UNSAMPLED];
  return note == PYRO_NOTE_CLOSED_CODE ? "[code of a closed library]"
                                       : "[unknown code]";
}

PyroCpuEncoder *
pyro_cpu_encoder_new (const PyroSettings *settings, const gchar *unwinder)
{
  PyroCpuEncoder *encoder = g_new0 (PyroCpuEncoder, 1);

  encoder->refs = 1;
  pyro_label_history_init (&encoder->history, settings->labels,
                           settings->max_label_sets);
  pyro_nodes_get_stats (&encoder->nodes);
  encoder->element_frames = settings->element_frames;
  encoder->series = pyro_series_new (settings, PYRO_CPU_PROFILE_NAME);
  encoder->unwinder = unwinder;
  encoder->symbols = settings->symbols;
  encoder->debug_path = g_strdup (settings->debug_path);
  return encoder;
}

PyroCpuEncoder *
pyro_cpu_encoder_ref (PyroCpuEncoder *encoder)
{
  g_atomic_int_inc (&encoder->refs);
  return encoder;
}

void
pyro_cpu_encoder_unref (PyroCpuEncoder *encoder)
{
  if (!g_atomic_int_dec_and_test (&encoder->refs))
    return;
  g_clear_pointer (&encoder->symbolizer, pyro_symbolizer_free);
  g_array_unref (encoder->series);
  g_free (encoder->debug_path);
  pyro_label_history_clear (&encoder->history);
  g_free (encoder);
}

void
pyro_cpu_encoder_limit_names (PyroCpuEncoder *encoder, gint64 until)
{
  __atomic_store_n (&encoder->names_until, MAX (until, 1), __ATOMIC_RELEASE);
}

static gboolean
is_over (gpointer data)
{
  PyroCpuEncoder *encoder = data;
  const gint64 until
      = __atomic_load_n (&encoder->names_until, __ATOMIC_ACQUIRE);

  return until != 0 && pyro_clock_monotonic () >= until;
}

/* A PyroExportedFunc. */
static PyroExportedSymbols *
find_exported (const gchar *path, const gchar *build_id, gpointer data)
{
  const PyroModule *module = ((PyroCpuEncoder *)data)->asked;

  return module->exported != NULL
             ? pyro_exported_symbols_copy (module->exported)
             : pyro_exported_find (path, build_id);
}

/* Whether the addresses in MODULE get names here. */
static gboolean
is_named (const PyroCpuEncoder *encoder, const PyroModule *module)
{
  switch (encoder->symbols) {
  case PYRO_SYMBOLS_SERVER:
    /* What is no file has names that no server knows. */
    return module->build_id == NULL || module->path[0] == '[';
  case PYRO_SYMBOLS_NONE:
    return FALSE;
  default:
    return TRUE;
  }
}

static guint
look_up (PyroCpuEncoder *encoder, const PyroFrame *frame,
         const PyroSymbol **symbols)
{
  encoder->asked = frame->module;
  return pyro_symbolizer_lookup (encoder->symbolizer, frame->module->path,
                                 frame->module->build_id, frame->address,
                                 symbols);
}

/* A mapping says what is known of all its locations, so each frame's symbols
 * are looked up before the first location is made. The second look-up, for
 * the location, finds them in the symbolizer's cache. */
static void
survey_frame (Encoding *encoding, const PyroFrame *frame)
{
  const PyroModule *module = frame->module;
  const PyroSymbol *symbols;
  Module *known;
  guint n;

  known = g_hash_table_lookup (encoding->modules, module);
  if (known == NULL) {
    known = g_new0 (Module, 1);
    known->mapping.start = module->start - module->bias;
    known->mapping.limit = module->limit - module->bias;
    known->mapping.file_offset = module->file_offset;
    known->mapping.filename = module->path;
    known->mapping.build_id = module->build_id;
    g_hash_table_insert (encoding->modules, (gpointer)module, known);
  }
  if (!is_named (encoding->encoder, module))
    return;
  n = look_up (encoding->encoder, frame, &symbols);
  known->mapping.has_inline_frames |= n > 1;
  for (guint i = 0; i < n; i++) {
    known->mapping.has_functions |= symbols[i].origin != PYRO_NAME_NONE
                                    && symbols[i].origin != PYRO_NAME_POSTPONED;
    known->has_statement_names |= symbols[i].origin == PYRO_NAME_STATEMENT
                                  || symbols[i].origin == PYRO_NAME_PROGRAM;
    known->mapping.has_filenames |= symbols[i].filename != NULL;
    known->mapping.has_line_numbers |= symbols[i].line > 0;
  }
}

static gboolean
is_orc (const PyroFrame *frame)
{
  return frame->module != NULL && g_str_equal (frame->module->path, "[orc]");
}

/* The name of the program whose compiled code CALLER calls, or NULL. What orcc
 * makes of a program is a function of its name, which alone calls its code. A
 * symbol table does not say what orcc made, but .orc files have such names. */
static const gchar *
program_of (Encoding *encoding, const PyroFrame *caller)
{
  const PyroSymbol *symbols;
  guint n;

  if (caller->module == NULL || !is_named (encoding->encoder, caller->module))
    return NULL;
  n = look_up (encoding->encoder, caller, &symbols);
  if (symbols[n - 1].origin == PYRO_NAME_PROGRAM)
    return symbols[n - 1].name;
  return symbols[n - 1].origin == PYRO_NAME_SYMBOL
                 && strstr (symbols[n - 1].name, "_orc_") != NULL
             ? symbols[n - 1].name
             : NULL;
}

/* Code that ORC has generated has no name; who calls it has. */
static void
find_programs (Encoding *encoding, const PyroAggregateEntry *entry)
{
  for (guint i = 0; i + 1 < entry->n_frames; i++) {
    const PyroFrame *frame = &entry->frames[i];
    const gchar *program, *known;

    if (!is_orc (frame))
      continue;
    program = program_of (encoding, frame + 1);
    if (program == NULL)
      continue;
    known = g_hash_table_lookup (encoding->programs, frame);
    if (known != NULL && !g_str_equal (known, program))
      program = "";
    g_hash_table_insert (encoding->programs, (gpointer)frame,
                         (gpointer)program);
    ((Module *)g_hash_table_lookup (encoding->modules, frame->module))
        ->mapping.has_functions
        = TRUE;
  }
}

/* A frame that is no code. */
static guint64
name_location (Encoding *encoding, const gchar *name)
{
  PyroLine line = { .function_id = pyro_profile_builder_add_function (
                        encoding->builder, name, NULL, NULL, 0) };

  return pyro_profile_builder_add_location (encoding->builder, 0, 0, &line, 1);
}

static guint64
make_location (Encoding *encoding, const PyroFrame *frame)
{
  PyroProfileBuilder *builder = encoding->builder;
  const PyroModule *module = frame->module;
  const PyroSymbol *symbols;
  const gchar *program;
  PyroLine lines[64];
  Module *known;
  guint n;

  if (module == NULL)
    return name_location (encoding, note_name (frame->address));

  known = g_hash_table_lookup (encoding->modules, module);
  if (known->id == 0)
    known->id = pyro_profile_builder_add_mapping (builder, &known->mapping);
  if (!is_named (encoding->encoder, module))
    return pyro_profile_builder_add_location (builder, known->id,
                                              frame->address, NULL, 0);
  program = g_hash_table_lookup (encoding->programs, frame);
  if (program != NULL && *program != '\0') {
    g_autofree gchar *name = g_strconcat ("orc: ", program, NULL);

    lines[0] = (PyroLine){ .function_id = pyro_profile_builder_add_function (
                               builder, name, module->path, NULL, 0) };
    return pyro_profile_builder_add_location (builder, known->id,
                                              frame->address, lines, 1);
  }
  n = look_up (encoding->encoder, frame, &symbols);
  /* Deeper inlining than this keeps the outer functions. */
  if (n > G_N_ELEMENTS (lines)) {
    symbols += n - G_N_ELEMENTS (lines);
    n = G_N_ELEMENTS (lines);
  }
  if (symbols[n - 1].origin == PYRO_NAME_POSTPONED)
    encoding->n_postponed++;
  for (guint i = 0; i < n; i++) {
    lines[i].function_id = pyro_profile_builder_add_function (
        builder, symbols[i].name, symbols[i].system_name, symbols[i].filename,
        symbols[i].start_line);
    lines[i].line = symbols[i].line;
  }
  return pyro_profile_builder_add_location (builder, known->id, frame->address,
                                            lines, n);
}

static guint64
location_for (Encoding *encoding, const PyroFrame *frame)
{
  guint64 *id = g_hash_table_lookup (encoding->locations, frame);

  if (id == NULL) {
    id = g_new (guint64, 1);
    *id = make_location (encoding, frame);
    g_hash_table_insert (encoding->locations, (gpointer)frame, id);
  }
  return *id;
}

/* element-frames: the bins and the element under the root, leaf first, so that
 * any flame graph groups by element. Returns how many IDS were added. */
static guint
add_element_frames (Encoding *encoding, const PyroAggregateEntry *entry,
                    guint64 ids[MAX_ELEMENT_FRAMES])
{
  const gchar *path = pyro_label_sets_path (&encoding->sets, entry);
  g_auto (GStrv) parts
      = g_strsplit (path != NULL ? path : "(no element)", "/", -1);
  guint n_parts = g_strv_length (parts);
  guint n = 0;

  while (n_parts > 0 && n < MAX_ELEMENT_FRAMES)
    ids[n++] = name_location (encoding, parts[--n_parts]);
  return n;
}

static void
add_entry (Encoding *encoding, const PyroAggregateEntry *entry)
{
  g_autofree guint64 *ids
      = g_new (guint64, entry->n_frames + MAX_ELEMENT_FRAMES);
  gint64 values[2] = { entry->weight, entry->nanoseconds };
  PyroLabel labels[PYRO_MAX_LABELS];
  guint n_labels;
  guint n = entry->n_frames;

  for (guint i = 0; i < n; i++)
    ids[i] = location_for (encoding, &entry->frames[i]);
  if (encoding->encoder->element_frames)
    n += add_element_frames (encoding, entry, ids + n);
  n_labels = pyro_label_sets_make (&encoding->sets, entry, labels);
  pyro_profile_builder_add_sample (encoding->builder, ids, n, values, labels,
                                   n_labels);
}

static void
add_counter (PyroProfileBuilder *builder, const gchar *key, guint64 value)
{
  gchar text[24];

  g_snprintf (text, sizeof text, "%" G_GUINT64_FORMAT, value);
  pyro_profile_builder_add_comment (builder, key, text);
}

static void
add_counter_if_any (PyroProfileBuilder *builder, const gchar *key,
                    guint64 value)
{
  if (value > 0)
    add_counter (builder, key, value);
}

/* Bounds that were met. */
static void
add_lost_names (Encoding *encoding)
{
  PyroProfileBuilder *builder = encoding->builder;
  PyroNodeTableStats before = encoding->encoder->nodes;
  PyroNodeTableStats *now = &encoding->encoder->nodes;
  const guint *n_sets = encoding->sets.n;

  pyro_nodes_get_stats (now);
  add_counter_if_any (builder, PYRO_COMMENT_SETS_NUMBERLESS,
                      n_sets[PYRO_LABELS_NUMBERLESS]);
  add_counter_if_any (builder, PYRO_COMMENT_SETS_OTHERS,
                      n_sets[PYRO_LABELS_OTHERS]);
  add_counter_if_any (builder, PYRO_COMMENT_ELEMENTS_NUMBERLESS,
                      now->numberless - before.numberless);
  add_counter_if_any (builder, PYRO_COMMENT_ELEMENTS_NAMELESS,
                      now->nameless - before.nameless);
  add_counter_if_any (builder, PYRO_COMMENT_NAMES_CUT,
                      pyro_profile_builder_get_n_cut (builder));
  add_counter_if_any (builder, PYRO_COMMENT_NAMES_POSTPONED,
                      encoding->n_postponed);
}

/* Which libraries have names that no symbol table gave. */
static void
add_name_origins (Encoding *encoding)
{
  GHashTableIter iter;
  gpointer key, value;

  g_hash_table_iter_init (&iter, encoding->modules);
  while (g_hash_table_iter_next (&iter, &key, &value)) {
    const PyroModule *module = key;
    g_autofree gchar *library = NULL, *text = NULL;

    if (!((Module *)value)->has_statement_names)
      continue;
    library = g_path_get_basename (module->path);
    text = g_strdup_printf ("%s %s", library,
                            module->build_id != NULL ? module->build_id : "-");
    pyro_profile_builder_add_comment (encoding->builder,
                                      PYRO_COMMENT_NAMES_STATEMENTS, text);
  }
}

static void
add_comments (Encoding *encoding, const PyroAggregate *aggregate, guint rate,
              const gchar *signal_name)
{
  PyroProfileBuilder *builder = encoding->builder;
  const PyroAggregateStats *stats = &aggregate->stats;
  const GArray *series = encoding->encoder->series;
  guint64 complete = stats->ends[PYRO_STACK_COMPLETE];

  for (guint i = 0; i < series->len; i++) {
    const PyroLabel *label = &g_array_index (series, PyroLabel, i);
    g_autofree gchar *key = g_strconcat (PYRO_COMMENT_SERIES, label->key, NULL);

    pyro_profile_builder_add_comment (builder, key, label->value);
  }
  add_counter (builder, PYRO_COMMENT_SAMPLES, stats->samples);
  add_counter (builder, PYRO_COMMENT_OVERRUNS, stats->overruns);
  add_counter (builder, PYRO_COMMENT_DROPPED, stats->dropped);
  add_counter (builder, PYRO_COMMENT_COMPLETE, complete);
  add_counter (builder, PYRO_COMMENT_RESCUED, stats->rescued);
  add_counter (builder, PYRO_COMMENT_TRUNCATED, stats->samples - complete);
  for (guint i = 0; i < PYRO_STACK_N_ENDS; i++) {
    g_autofree gchar *key = NULL;

    if (i == PYRO_STACK_COMPLETE || stats->ends[i] == 0)
      continue;
    key = g_strconcat (PYRO_COMMENT_TRUNCATED_REASON, stack_ends[i].key, NULL);
    add_counter (builder, key, stats->ends[i]);
  }
  add_counter_if_any (builder, PYRO_COMMENT_IMPOSSIBLE, stats->impossible_ns);
  add_lost_names (encoding);
  add_name_origins (encoding);
  add_counter (builder, PYRO_COMMENT_RATE, rate);
  pyro_profile_builder_add_comment (builder, PYRO_COMMENT_UNWINDER,
                                    encoding->encoder->unwinder);
  pyro_profile_builder_add_comment (builder, PYRO_COMMENT_SIGNAL, signal_name);
}

GBytes *
pyro_cpu_encoder_encode (PyroCpuEncoder *encoder,
                         const PyroAggregate *aggregate, guint rate,
                         const gchar *signal_name,
                         const PyroDeliveryStats *before,
                         const PyroDeliveryStats *now)
{
  static const PyroValueType types[]
      = { { "samples", "count" }, { "cpu", "nanoseconds" } };
  g_autoptr (PyroProfileBuilder) builder = NULL;
  g_autoptr (GPtrArray) frames = NULL;
  Encoding encoding = { .encoder = encoder };
  GHashTableIter iter;
  gpointer key;
  GBytes *bytes;

  if (g_hash_table_size (aggregate->entries) == 0)
    return NULL;
  if (encoder->symbolizer == NULL) {
    encoder->symbolizer = pyro_symbolizer_new ();
    pyro_symbolizer_set_debug_info_limit (encoder->symbolizer,
                                          DEBUG_INFO_LIMIT);
    pyro_symbolizer_set_debug_path (encoder->symbolizer, encoder->debug_path,
                                    NULL);
    pyro_symbolizer_set_exported_func (encoder->symbolizer, find_exported,
                                       encoder);
    pyro_symbolizer_set_time_limit (encoder->symbolizer,
                                    &(PyroTimeLimit){ is_over, encoder });
  }

  builder = pyro_profile_builder_new (types, G_N_ELEMENTS (types), types[1],
                                      NS_PER_S / rate);
  encoding.builder = builder;
  encoding.modules = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  encoding.programs = g_hash_table_new (pyro_frame_hash, pyro_frame_equal);
  encoding.locations
      = g_hash_table_new_full (pyro_frame_hash, pyro_frame_equal, NULL, g_free);

  pyro_label_sets_init (&encoding.sets, &encoder->history, aggregate,
                        pyro_clock_monotonic ());
  pyro_profile_builder_set_time (builder, aggregate->time_ns,
                                 aggregate->duration_ns);
  frames = pyro_frame_order_list (aggregate);
  for (guint i = 0; i < frames->len; i++)
    survey_frame (&encoding, frames->pdata[i]);
  g_hash_table_iter_init (&iter, aggregate->entries);
  while (g_hash_table_iter_next (&iter, &key, NULL))
    find_programs (&encoding, key);
  g_hash_table_iter_init (&iter, aggregate->entries);
  while (g_hash_table_iter_next (&iter, &key, NULL))
    add_entry (&encoding, key);
  add_comments (&encoding, aggregate, rate, signal_name);
  pyro_accounting_add_comments (builder, before, now);

  bytes = pyro_profile_builder_encode (builder);
  pyro_label_sets_clear (&encoding.sets);
  g_hash_table_unref (encoding.modules);
  g_hash_table_unref (encoding.programs);
  g_hash_table_unref (encoding.locations);
  return bytes;
}
