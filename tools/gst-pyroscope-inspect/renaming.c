/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "renaming.h"

#include <string.h>

#include "name-origins.h"
#include "profile/profile-builder.h"
#include "profile/profile-comments.h"

/* What is known of one of the profile's mappings. */
typedef struct {
  PyroMapping mapping;
  guint64 id; /* the builder's, 0: not added yet */
  gboolean has_statement_names;
} Mapping;

typedef struct {
  const PyroProfile *profile;
  PyroSymbolizer *symbolizer;
  PyroProfileBuilder *builder;
  PyroRenamingCounts *counts;
  Mapping *mappings;     /* by the profile's index */
  guint64 *location_ids; /* likewise */
} Renaming;

static gboolean
has_line (const PyroLocation *location)
{
  return location->n_lines > 0 && location->lines[0].line > 0;
}

/* The symbols of LOCATION's code if they are better than what it has, or
 * NULL. The array is the symbolizer's, until the next call. */
static const PyroSymbol *
find_better (Renaming *renaming, const PyroLocation *location, guint *n)
{
  const PyroMapping *mapping = location->mapping;
  const PyroOrigin before = pyro_name_origin (location);
  const PyroSymbol *symbols;

  if (mapping == NULL || mapping->filename[0] == '['
      || mapping->build_id == NULL || *mapping->build_id == '\0'
      || (before == PYRO_ORIGIN_SYMBOLS && has_line (location)))
    return NULL;
  *n = pyro_symbolizer_lookup (renaming->symbolizer, mapping->filename,
                               mapping->build_id, location->address, &symbols);
  switch (symbols[*n - 1].origin) {
  case PYRO_NAME_SYMBOL:
    return before != PYRO_ORIGIN_SYMBOLS || symbols[0].line > 0 ? symbols
                                                                : NULL;
  case PYRO_NAME_STATEMENT:
  case PYRO_NAME_PROGRAM:
    return before == PYRO_ORIGIN_NONE ? symbols : NULL;
  default:
    /* Nothing is known here, but perhaps where the function begins. */
    return location->n_lines == 0 ? symbols : NULL;
  }
}

/* The lines of LOCATION, LINES (transfer none) until the next call. */
static void
fill_lines (Renaming *renaming, const PyroLocation *location, GArray *lines)
{
  const PyroSymbol *symbols;
  guint n = 0;

  g_array_set_size (lines, 0);
  symbols = find_better (renaming, location, &n);
  for (guint i = 0; symbols != NULL && i < n; i++) {
    const PyroLine line
        = { .function_id = pyro_profile_builder_add_function (
                renaming->builder, symbols[i].name, symbols[i].system_name,
                symbols[i].filename, symbols[i].start_line),
            .line = symbols[i].line };

    g_array_append_val (lines, line);
  }
  for (gsize i = 0; symbols == NULL && i < location->n_lines; i++) {
    const PyroFunction *function = location->lines[i].function;
    const PyroLine line
        = { .function_id = pyro_profile_builder_add_function (
                renaming->builder, function->name, function->system_name,
                function->filename, function->start_line),
            .line = location->lines[i].line };

    g_array_append_val (lines, line);
  }
}

static Mapping *
get_mapping (Renaming *renaming, const PyroLocation *location)
{
  return location->mapping != NULL
             ? &renaming
                    ->mappings[location->mapping - renaming->profile->mappings]
             : NULL;
}

/* What a mapping says is known of all its locations, so this comes before any
 * is added. */
static void
survey (Renaming *renaming, const PyroLocation *location)
{
  PyroRenamingCounts *counts = renaming->counts;
  const PyroOrigin before = pyro_name_origin (location);
  Mapping *known = get_mapping (renaming, location);
  const PyroSymbol *symbols;
  gboolean is_statement = before == PYRO_ORIGIN_STATEMENTS;
  guint n = 0;

  if (known == NULL)
    return;
  counts->n_addresses++;
  counts->n_named_before += before != PYRO_ORIGIN_NONE;
  counts->n_named += before != PYRO_ORIGIN_NONE;
  counts->n_unknown += before == PYRO_ORIGIN_NONE
                       && known->mapping.filename[0] != '['
                       && (known->mapping.build_id == NULL
                           || *known->mapping.build_id == '\0');
  symbols = find_better (renaming, location, &n);
  if (symbols != NULL && symbols[n - 1].origin >= PYRO_NAME_SYMBOL) {
    counts->n_better++;
    counts->n_named += before == PYRO_ORIGIN_NONE;
    is_statement = symbols[n - 1].origin != PYRO_NAME_SYMBOL;
    known->mapping.has_functions = TRUE;
    known->mapping.has_inline_frames |= n > 1;
    for (guint i = 0; i < n; i++) {
      known->mapping.has_filenames |= symbols[i].filename != NULL;
      known->mapping.has_line_numbers |= symbols[i].line > 0;
    }
  }
  known->has_statement_names |= is_statement;
}

static guint64
add_mapping (Renaming *renaming, Mapping *known)
{
  if (known != NULL && known->id == 0)
    known->id
        = pyro_profile_builder_add_mapping (renaming->builder, &known->mapping);
  return known != NULL ? known->id : 0;
}

static void
add_locations (Renaming *renaming)
{
  const PyroProfile *profile = renaming->profile;
  g_autoptr (GArray) lines = g_array_new (FALSE, FALSE, sizeof (PyroLine));

  /* The first mapping is the program itself by convention. */
  if (profile->n_mappings > 0)
    add_mapping (renaming, &renaming->mappings[0]);
  for (gsize i = 0; i < profile->n_locations; i++) {
    const PyroLocation *location = &profile->locations[i];

    fill_lines (renaming, location, lines);
    renaming->location_ids[i] = pyro_profile_builder_add_location (
        renaming->builder,
        add_mapping (renaming, get_mapping (renaming, location)),
        location->address, (const PyroLine *)(gpointer)lines->data, lines->len);
  }
}

static void
add_samples (Renaming *renaming)
{
  const PyroProfile *profile = renaming->profile;
  g_autoptr (GArray) stack = g_array_new (FALSE, FALSE, sizeof (guint64));

  for (gsize i = 0; i < profile->n_samples; i++) {
    const PyroSample *sample = &profile->samples[i];

    g_array_set_size (stack, 0);
    for (gsize j = 0; j < sample->n_locations; j++)
      g_array_append_val (
          stack,
          renaming->location_ids[sample->locations[j] - profile->locations]);
    pyro_profile_builder_merge_sample (
        renaming->builder, (const guint64 *)(gpointer)stack->data, stack->len,
        sample->values, sample->labels, sample->n_labels);
  }
}

/* All but those that say what the names were. */
static void
add_comments (Renaming *renaming)
{
  const PyroProfile *profile = renaming->profile;

  for (gsize i = 0; i < profile->n_comments; i++) {
    const gchar *comment = profile->comments[i];

    if (!g_str_has_prefix (comment, PYRO_COMMENT_NAMES_STATEMENTS "=")
        && !g_str_has_prefix (comment, PYRO_COMMENT_NAMES_POSTPONED "="))
      pyro_profile_builder_add_comment (renaming->builder, comment, NULL);
  }
  for (gsize i = 0; i < profile->n_mappings; i++) {
    const PyroMapping *mapping = &profile->mappings[i];
    g_autofree gchar *library = NULL, *text = NULL;

    if (!renaming->mappings[i].has_statement_names)
      continue;
    library = g_path_get_basename (mapping->filename);
    text = g_strdup_printf ("%s %s", library,
                            mapping->build_id != NULL
                                    && *mapping->build_id != '\0'
                                ? mapping->build_id
                                : "-");
    pyro_profile_builder_add_comment (renaming->builder,
                                      PYRO_COMMENT_NAMES_STATEMENTS, text);
  }
}

/* By file, so that each is read once. */
static gint
compare_locations (gconstpointer a, gconstpointer b)
{
  const PyroLocation *x = *(const PyroLocation *const *)a;
  const PyroLocation *y = *(const PyroLocation *const *)b;

  if (x->mapping != y->mapping)
    return x->mapping < y->mapping ? -1 : 1;
  return x->address < y->address ? -1 : x->address > y->address;
}

static void
survey_all (Renaming *renaming)
{
  const PyroProfile *profile = renaming->profile;
  g_autoptr (GPtrArray) locations = g_ptr_array_new ();

  for (gsize i = 0; i < profile->n_mappings; i++)
    renaming->mappings[i].mapping = profile->mappings[i];
  for (gsize i = 0; i < profile->n_locations; i++)
    g_ptr_array_add (locations, (gpointer)&profile->locations[i]);
  g_ptr_array_sort (locations, compare_locations);
  for (guint i = 0; i < locations->len; i++)
    survey (renaming, locations->pdata[i]);
}

GBytes *
pyro_renaming_apply (const PyroProfile *profile, PyroSymbolizer *symbolizer,
                     PyroRenamingCounts *counts)
{
  g_autoptr (PyroProfileBuilder) builder = pyro_profile_builder_new (
      profile->sample_types, profile->n_sample_types, profile->period_type,
      profile->period);
  g_autofree Mapping *mappings = g_new0 (Mapping, profile->n_mappings);
  g_autofree guint64 *location_ids = g_new0 (guint64, profile->n_locations);
  Renaming renaming
      = { profile, symbolizer, builder, counts, mappings, location_ids };

  *counts = (PyroRenamingCounts){ 0 };
  pyro_profile_builder_set_time (builder, profile->time_ns,
                                 profile->duration_ns);
  pyro_profile_builder_set_default_sample_type (builder,
                                                profile->default_sample_type);
  survey_all (&renaming);
  add_locations (&renaming);
  add_samples (&renaming);
  add_comments (&renaming);
  return pyro_profile_builder_encode (builder);
}
