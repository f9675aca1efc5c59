/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "profile/profile-builder.h"

#include <string.h>

#include "profile/arena.h"
#include "profile/bounded-text.h"
#include "profile/profile.pb-c.h"
#include "profile/saturated.h"

typedef Perftools__Profiles__ValueType ValueTypeMessage;
typedef Perftools__Profiles__Sample SampleMessage;
typedef Perftools__Profiles__Label LabelMessage;
typedef Perftools__Profiles__Mapping MappingMessage;
typedef Perftools__Profiles__Location LocationMessage;
typedef Perftools__Profiles__Line LineMessage;
typedef Perftools__Profiles__Function FunctionMessage;

/* The messages are built as they will be packed. Equal ones are found through
 * sets that are keyed by the messages themselves. */
struct _PyroProfileBuilder {
  PyroArena *arena; /* every message, array and string below */

  GHashTable *string_index; /* string → index */
  GPtrArray *strings;
  guint n_cut; /* of the strings */

  GPtrArray *sample_types;
  ValueTypeMessage *period_type;
  gint64 period;
  gint64 time_ns;
  gint64 duration_ns;
  gint64 default_sample_type;
  GArray *comments; /* gint64, string indices */

  GHashTable *mapping_set;
  GPtrArray *mappings;
  GHashTable *function_set;
  GPtrArray *functions;
  GHashTable *location_set;
  GPtrArray *locations;
  GHashTable *label_set;
  GHashTable *sample_set; /* only what merge_sample added */
  GPtrArray *samples;

  GPtrArray *scratch_labels; /* of the sample that is being added */
};

/* One step of a multiplicative hash; the constant is 2^64 divided by the
 * golden ratio. The rotation keeps equal neighbours, such as a function's name
 * and system name, from cancelling out. */
static inline guint64
mix (guint64 hash, guint64 value)
{
  return ((hash << 5 | hash >> 59) ^ value)
         * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15);
}

static inline guint
fold (guint64 hash)
{
  return (guint)(hash ^ (hash >> 32));
}

static guint
mapping_hash (gconstpointer key)
{
  const MappingMessage *m = key;
  guint64 hash = mix (m->memory_start, m->memory_limit);

  hash = mix (hash, m->file_offset);
  hash = mix (hash, (guint64)m->filename);
  return fold (mix (hash, (guint64)m->build_id));
}

static gboolean
mapping_equal (gconstpointer a, gconstpointer b)
{
  const MappingMessage *x = a, *y = b;

  return x->memory_start == y->memory_start
         && x->memory_limit == y->memory_limit
         && x->file_offset == y->file_offset && x->filename == y->filename
         && x->build_id == y->build_id && x->has_functions == y->has_functions
         && x->has_filenames == y->has_filenames
         && x->has_line_numbers == y->has_line_numbers
         && x->has_inline_frames == y->has_inline_frames;
}

static guint
function_hash (gconstpointer key)
{
  const FunctionMessage *f = key;
  guint64 hash = mix ((guint64)f->name, (guint64)f->system_name);

  hash = mix (hash, (guint64)f->filename);
  return fold (mix (hash, (guint64)f->start_line));
}

static gboolean
function_equal (gconstpointer a, gconstpointer b)
{
  const FunctionMessage *x = a, *y = b;

  return x->name == y->name && x->system_name == y->system_name
         && x->filename == y->filename && x->start_line == y->start_line;
}

static guint
location_hash (gconstpointer key)
{
  const LocationMessage *l = key;
  guint64 hash = mix (l->mapping_id, l->address);
  gsize i;

  for (i = 0; i < l->n_line; i++) {
    hash = mix (hash, l->line[i]->function_id);
    hash = mix (hash, (guint64)l->line[i]->line);
  }
  return fold (hash);
}

static gboolean
location_equal (gconstpointer a, gconstpointer b)
{
  const LocationMessage *x = a, *y = b;
  gsize i;

  if (x->mapping_id != y->mapping_id || x->address != y->address
      || x->n_line != y->n_line)
    return FALSE;
  for (i = 0; i < x->n_line; i++) {
    if (x->line[i]->function_id != y->line[i]->function_id
        || x->line[i]->line != y->line[i]->line)
      return FALSE;
  }
  return TRUE;
}

static guint
label_hash (gconstpointer key)
{
  const LabelMessage *l = key;
  guint64 hash = mix ((guint64)l->key, (guint64)l->str);

  hash = mix (hash, (guint64)l->num);
  return fold (mix (hash, (guint64)l->num_unit));
}

static gboolean
label_equal (gconstpointer a, gconstpointer b)
{
  const LabelMessage *x = a, *y = b;

  return x->key == y->key && x->str == y->str && x->num == y->num
         && x->num_unit == y->num_unit;
}

static guint
sample_hash (gconstpointer key)
{
  const SampleMessage *s = key;
  guint64 hash = s->n_location_id;
  gsize i;

  for (i = 0; i < s->n_location_id; i++)
    hash = mix (hash, s->location_id[i]);
  /* Labels are unique, so that their address stands for them. */
  for (i = 0; i < s->n_label; i++)
    hash = mix (hash, (guint64)(guintptr)s->label[i]);
  return fold (hash);
}

static gboolean
sample_equal (gconstpointer a, gconstpointer b)
{
  const SampleMessage *x = a, *y = b;

  return x->n_location_id == y->n_location_id && x->n_label == y->n_label
         && (x->n_location_id == 0
             || memcmp (x->location_id, y->location_id,
                        x->n_location_id * sizeof (*x->location_id))
                    == 0)
         && (x->n_label == 0
             || memcmp (x->label, y->label, x->n_label * sizeof (*x->label))
                    == 0);
}

static gpointer
copy_bytes (PyroProfileBuilder *builder, gconstpointer data, gsize size)
{
  gpointer copy;

  if (size == 0)
    return NULL;
  copy = pyro_arena_alloc (builder->arena, size);
  memcpy (copy, data, size);
  return copy;
}

static gint64
intern_valid (PyroProfileBuilder *builder, const gchar *string)
{
  gpointer index = GUINT_TO_POINTER (builder->strings->len);

  string = copy_bytes (builder, string, strlen (string) + 1);
  g_ptr_array_add (builder->strings, (gpointer)string);
  g_hash_table_insert (builder->string_index, (gpointer)string, index);
  return GPOINTER_TO_UINT (index);
}

/* The string's index in the string table. What is longer than MAX bytes is cut:
 * the same string may be there twice, for two bounds. */
static gint64
intern_bounded (PyroProfileBuilder *builder, const gchar *string, gsize max)
{
  g_autofree gchar *bounded = NULL;
  gboolean is_cut = FALSE, fits;
  gpointer index;

  if (string == NULL || *string == '\0')
    return 0;
  fits = strlen (string) <= max;
  if (fits
      && g_hash_table_lookup_extended (builder->string_index, string, NULL,
                                       &index))
    return GPOINTER_TO_UINT (index);
  if (!fits || !g_utf8_validate (string, -1, NULL)) {
    string = bounded = pyro_bounded_text (string, max, &is_cut);
    if (g_hash_table_lookup_extended (builder->string_index, string, NULL,
                                      &index))
      return GPOINTER_TO_UINT (index);
  }
  if (is_cut)
    builder->n_cut++;
  return intern_valid (builder, string);
}

static gint64
intern (PyroProfileBuilder *builder, const gchar *string)
{
  return intern_bounded (builder, string, PYRO_MAX_STRING);
}

static ValueTypeMessage *
new_value_type (PyroProfileBuilder *builder, const PyroValueType *type)
{
  ValueTypeMessage message = PERFTOOLS__PROFILES__VALUE_TYPE__INIT;

  message.type = intern (builder, type->type);
  message.unit = intern (builder, type->unit);
  return copy_bytes (builder, &message, sizeof message);
}

PyroProfileBuilder *
pyro_profile_builder_new (const PyroValueType *sample_types,
                          guint n_sample_types, PyroValueType period_type,
                          gint64 period)
{
  PyroProfileBuilder *builder = g_new0 (PyroProfileBuilder, 1);
  guint i;

  builder->arena = pyro_arena_new (0);
  builder->string_index = g_hash_table_new (g_str_hash, g_str_equal);
  builder->strings = g_ptr_array_new ();
  g_ptr_array_add (builder->strings, (gpointer) "");
  builder->comments = g_array_new (FALSE, FALSE, sizeof (gint64));
  builder->mapping_set = g_hash_table_new (mapping_hash, mapping_equal);
  builder->mappings = g_ptr_array_new ();
  builder->function_set = g_hash_table_new (function_hash, function_equal);
  builder->functions = g_ptr_array_new ();
  builder->location_set = g_hash_table_new (location_hash, location_equal);
  builder->locations = g_ptr_array_new ();
  builder->label_set = g_hash_table_new (label_hash, label_equal);
  builder->sample_set = g_hash_table_new (sample_hash, sample_equal);
  builder->samples = g_ptr_array_new ();
  builder->scratch_labels = g_ptr_array_new ();

  builder->sample_types = g_ptr_array_new ();
  for (i = 0; i < n_sample_types; i++)
    g_ptr_array_add (builder->sample_types,
                     new_value_type (builder, &sample_types[i]));
  builder->period_type = new_value_type (builder, &period_type);
  builder->period = period;
  return builder;
}

void
pyro_profile_builder_free (PyroProfileBuilder *builder)
{
  if (builder == NULL)
    return;
  g_hash_table_unref (builder->string_index);
  g_hash_table_unref (builder->mapping_set);
  g_hash_table_unref (builder->function_set);
  g_hash_table_unref (builder->location_set);
  g_hash_table_unref (builder->label_set);
  g_hash_table_unref (builder->sample_set);
  g_ptr_array_unref (builder->strings);
  g_ptr_array_unref (builder->sample_types);
  g_ptr_array_unref (builder->mappings);
  g_ptr_array_unref (builder->functions);
  g_ptr_array_unref (builder->locations);
  g_ptr_array_unref (builder->samples);
  g_ptr_array_unref (builder->scratch_labels);
  g_array_unref (builder->comments);
  pyro_arena_free (builder->arena);
  g_free (builder);
}

void
pyro_profile_builder_set_time (PyroProfileBuilder *builder, gint64 time_ns,
                               gint64 duration_ns)
{
  builder->time_ns = time_ns;
  builder->duration_ns = duration_ns;
}

void
pyro_profile_builder_set_period (PyroProfileBuilder *builder, gint64 period)
{
  builder->period = period;
}

void
pyro_profile_builder_set_default_sample_type (PyroProfileBuilder *builder,
                                              const gchar *type)
{
  builder->default_sample_type = intern (builder, type);
}

void
pyro_profile_builder_add_comment (PyroProfileBuilder *builder, const gchar *key,
                                  const gchar *value)
{
  g_autofree gchar *text = NULL;
  gint64 index;

  if (value != NULL)
    text = g_strdup_printf ("%s=%s", key, value);
  index = intern (builder, text != NULL ? text : key);
  g_array_append_val (builder->comments, index);
}

guint64
pyro_profile_builder_add_mapping (PyroProfileBuilder *builder,
                                  const PyroMapping *mapping)
{
  MappingMessage message = PERFTOOLS__PROFILES__MAPPING__INIT;
  MappingMessage *known;

  message.memory_start = mapping->start;
  message.memory_limit = mapping->limit;
  message.file_offset = mapping->file_offset;
  message.filename = intern (builder, mapping->filename);
  message.build_id = intern (builder, mapping->build_id);
  message.has_functions = mapping->has_functions != FALSE;
  message.has_filenames = mapping->has_filenames != FALSE;
  message.has_line_numbers = mapping->has_line_numbers != FALSE;
  message.has_inline_frames = mapping->has_inline_frames != FALSE;

  known = g_hash_table_lookup (builder->mapping_set, &message);
  if (known == NULL) {
    message.id = builder->mappings->len + 1;
    known = copy_bytes (builder, &message, sizeof message);
    g_ptr_array_add (builder->mappings, known);
    g_hash_table_add (builder->mapping_set, known);
  }
  return known->id;
}

guint64
pyro_profile_builder_add_function (PyroProfileBuilder *builder,
                                   const gchar *name, const gchar *system_name,
                                   const gchar *filename, gint64 start_line)
{
  FunctionMessage message = PERFTOOLS__PROFILES__FUNCTION__INIT;
  FunctionMessage *known;

  message.name = intern (builder, name);
  message.system_name = intern (builder, system_name);
  message.filename = intern (builder, filename);
  message.start_line = start_line;

  known = g_hash_table_lookup (builder->function_set, &message);
  if (known == NULL) {
    message.id = builder->functions->len + 1;
    known = copy_bytes (builder, &message, sizeof message);
    g_ptr_array_add (builder->functions, known);
    g_hash_table_add (builder->function_set, known);
  }
  return known->id;
}

/* Copies the location's lines, which sit on the caller's stack or heap. */
static LocationMessage *
copy_location (PyroProfileBuilder *builder, const LocationMessage *message)
{
  LocationMessage *copy = copy_bytes (builder, message, sizeof *message);
  gsize i;

  copy->line = copy_bytes (builder, message->line,
                           message->n_line * sizeof (*message->line));
  for (i = 0; i < copy->n_line; i++)
    copy->line[i]
        = copy_bytes (builder, message->line[i], sizeof (LineMessage));
  return copy;
}

guint64
pyro_profile_builder_add_location (PyroProfileBuilder *builder,
                                   guint64 mapping_id, guint64 address,
                                   const PyroLine *lines, guint n_lines)
{
  LocationMessage message = PERFTOOLS__PROFILES__LOCATION__INIT;
  LineMessage few[16], *line = few;
  LineMessage *few_pointers[16], **pointers = few_pointers;
  LocationMessage *known;
  guint i;

  if (n_lines > G_N_ELEMENTS (few)) {
    line = g_new (LineMessage, n_lines);
    pointers = g_new (LineMessage *, n_lines);
  }
  for (i = 0; i < n_lines; i++) {
    perftools__profiles__line__init (&line[i]);
    line[i].function_id = lines[i].function_id;
    line[i].line = lines[i].line;
    pointers[i] = &line[i];
  }
  message.mapping_id = mapping_id;
  message.address = address;
  message.n_line = n_lines;
  message.line = pointers;

  known = g_hash_table_lookup (builder->location_set, &message);
  if (known == NULL) {
    message.id = builder->locations->len + 1;
    known = copy_location (builder, &message);
    g_ptr_array_add (builder->locations, known);
    g_hash_table_add (builder->location_set, known);
  }
  if (line != few) {
    g_free (line);
    g_free (pointers);
  }
  return known->id;
}

/* Equal labels are one message, which all their samples point to. */
static void
add_label (PyroProfileBuilder *builder, const PyroSampleLabel *label)
{
  LabelMessage message = PERFTOOLS__PROFILES__LABEL__INIT;
  LabelMessage *known;

  message.key = intern_bounded (builder, label->key, PYRO_MAX_LABEL_NAME);
  if (label->str != NULL) {
    message.str = intern_bounded (builder, label->str, PYRO_MAX_LABEL_VALUE);
  } else {
    message.num = label->num;
    message.num_unit = intern (builder, label->unit);
  }
  known = g_hash_table_lookup (builder->label_set, &message);
  if (known == NULL) {
    known = copy_bytes (builder, &message, sizeof message);
    g_hash_table_add (builder->label_set, known);
  }
  g_ptr_array_add (builder->scratch_labels, known);
}

/* A sample that borrows the caller's arrays and the scratch labels. */
static SampleMessage
borrow_sample (PyroProfileBuilder *builder, const guint64 *location_ids,
               guint n_locations, const gint64 *values)
{
  SampleMessage message = PERFTOOLS__PROFILES__SAMPLE__INIT;

  message.location_id = (guint64 *)location_ids;
  message.n_location_id = n_locations;
  message.value = (gint64 *)values;
  message.n_value = builder->sample_types->len;
  message.label = (LabelMessage **)builder->scratch_labels->pdata;
  message.n_label = builder->scratch_labels->len;
  return message;
}

static SampleMessage *
keep_sample (PyroProfileBuilder *builder, const SampleMessage *message)
{
  SampleMessage *kept = copy_bytes (builder, message, sizeof *message);

  kept->location_id
      = copy_bytes (builder, message->location_id,
                    message->n_location_id * sizeof (*message->location_id));
  kept->value = copy_bytes (builder, message->value,
                            message->n_value * sizeof (*message->value));
  kept->label = copy_bytes (builder, message->label,
                            message->n_label * sizeof (*message->label));
  g_ptr_array_add (builder->samples, kept);
  return kept;
}

void
pyro_profile_builder_add_sample (PyroProfileBuilder *builder,
                                 const guint64 *location_ids, guint n_locations,
                                 const gint64 *values, const PyroLabel *labels,
                                 guint n_labels)
{
  SampleMessage message;
  guint i;

  g_ptr_array_set_size (builder->scratch_labels, 0);
  for (i = 0; i < n_labels; i++) {
    PyroSampleLabel label = { labels[i].key, labels[i].value, 0, NULL };

    if (label.str != NULL && *label.str != '\0')
      add_label (builder, &label);
  }
  message = borrow_sample (builder, location_ids, n_locations, values);
  keep_sample (builder, &message);
}

void
pyro_profile_builder_merge_sample (PyroProfileBuilder *builder,
                                   const guint64 *location_ids,
                                   guint n_locations, const gint64 *values,
                                   const PyroSampleLabel *labels,
                                   guint n_labels)
{
  SampleMessage message, *known;
  guint i;

  g_ptr_array_set_size (builder->scratch_labels, 0);
  for (i = 0; i < n_labels; i++)
    add_label (builder, &labels[i]);
  message = borrow_sample (builder, location_ids, n_locations, values);

  known = g_hash_table_lookup (builder->sample_set, &message);
  if (known == NULL) {
    known = keep_sample (builder, &message);
    g_hash_table_add (builder->sample_set, known);
    return;
  }
  for (i = 0; i < known->n_value; i++)
    known->value[i] = pyro_saturated_add (known->value[i], values[i]);
}

guint
pyro_profile_builder_get_n_samples (PyroProfileBuilder *builder)
{
  return builder->samples->len;
}

guint
pyro_profile_builder_get_n_cut (PyroProfileBuilder *builder)
{
  return builder->n_cut;
}

GBytes *
pyro_profile_builder_encode (PyroProfileBuilder *builder)
{
  Perftools__Profiles__Profile message = PERFTOOLS__PROFILES__PROFILE__INIT;
  guint8 *data;
  gsize size;

#define ARRAY(field, array)         \
  message.n_##field = (array)->len; \
  message.field = (gpointer)(array)->pdata
  ARRAY (sample_type, builder->sample_types);
  ARRAY (sample, builder->samples);
  ARRAY (mapping, builder->mappings);
  ARRAY (location, builder->locations);
  ARRAY (function, builder->functions);
  ARRAY (string_table, builder->strings);
#undef ARRAY
  message.n_comment = builder->comments->len;
  message.comment = (gint64 *)(gpointer)builder->comments->data;
  message.time_nanos = builder->time_ns;
  message.duration_nanos = builder->duration_ns;
  message.period_type = builder->period_type;
  message.period = builder->period;
  message.default_sample_type = builder->default_sample_type;

  size = perftools__profiles__profile__get_packed_size (&message);
  data = g_malloc (MAX (size, 1));
  perftools__profiles__profile__pack (&message, data);
  return g_bytes_new_take (data, size);
}
