/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the messages as they are on the wire to a PyroProfile: all references
 * checked and followed. Memory comes from two arenas that share one budget,
 * for what a hostile file of 2-byte messages unpacks to is 80 times its
 * size. */
#include "profile/profile.h"

#include <string.h>

#include "profile/arena.h"
#include "profile/gzip.h"
#include "profile/id-map.h"
#include "profile/profile-time.h"
#include "profile/profile.pb-c.h"

typedef Perftools__Profiles__Profile ProfileMessage;
typedef Perftools__Profiles__ValueType ValueTypeMessage;
typedef Perftools__Profiles__Sample SampleMessage;
typedef Perftools__Profiles__Label LabelMessage;
typedef Perftools__Profiles__Mapping MappingMessage;
typedef Perftools__Profiles__Location LocationMessage;
typedef Perftools__Profiles__Line LineMessage;
typedef Perftools__Profiles__Function FunctionMessage;

typedef struct {
  const ProfileMessage *message;
  PyroProfile *profile;
  const gchar **strings; /* valid UTF-8, in the profile's arena */
  PyroIdMap mapping_ids;
  PyroIdMap function_ids;
  PyroIdMap location_ids;
  gboolean out_of_memory;
  GError **error;
} Decoder;

#define INVALID(decoder, ...)                        \
  g_set_error ((decoder)->error, PYRO_PROFILE_ERROR, \
               PYRO_PROFILE_ERROR_INVALID, __VA_ARGS__)

static void
set_out_of_memory (GError **error)
{
  g_set_error_literal (error, PYRO_PROFILE_ERROR, PYRO_PROFILE_ERROR_TOO_LARGE,
                       "needs more memory than the limit for one profile");
}

static gpointer
allocate (Decoder *decoder, gsize n, gsize size)
{
  gpointer memory = pyro_arena_alloc_n (decoder->profile->arena, n, size);

  /* Several are asked for at a time; the first refusal is the error. */
  if (memory == NULL && !decoder->out_of_memory) {
    decoder->out_of_memory = TRUE;
    set_out_of_memory (decoder->error);
  }
  return memory;
}

static gboolean
get_string (Decoder *decoder, gint64 index, const gchar **string)
{
  /* A negative one is far beyond the end. */
  if ((guint64)index >= decoder->message->n_string_table) {
    INVALID (decoder,
             "is no valid profile: string %" G_GINT64_FORMAT
             " is not in its string table of %" G_GSIZE_FORMAT,
             index, (gsize)decoder->message->n_string_table);
    return FALSE;
  }
  *string = decoder->strings[index];
  return TRUE;
}

static gboolean
decode_strings (Decoder *decoder)
{
  const ProfileMessage *message = decoder->message;
  gsize i;

  if (message->n_string_table == 0 || *message->string_table[0] != '\0') {
    g_set_error_literal (decoder->error, PYRO_PROFILE_ERROR,
                         PYRO_PROFILE_ERROR_NOT_A_PROFILE,
                         "is no pprof profile: it has no string table that "
                         "begins with an empty string");
    return FALSE;
  }
  decoder->strings
      = allocate (decoder, message->n_string_table, sizeof (gchar *));
  if (decoder->strings == NULL)
    return FALSE;
  for (i = 0; i < message->n_string_table; i++) {
    const gchar *string = message->string_table[i];
    g_autofree gchar *valid = NULL;
    gchar *copy;

    if (!g_utf8_validate (string, -1, NULL))
      string = valid = g_utf8_make_valid (string, -1);
    copy = allocate (decoder, strlen (string) + 1, 1);
    if (copy == NULL)
      return FALSE;
    strcpy (copy, string);
    decoder->strings[i] = copy;
  }
  return TRUE;
}

static gboolean
decode_value_type (Decoder *decoder, const ValueTypeMessage *message,
                   PyroValueType *type)
{
  return get_string (decoder, message->type, &type->type)
         && get_string (decoder, message->unit, &type->unit);
}

static gboolean
decode_header (Decoder *decoder)
{
  const ProfileMessage *message = decoder->message;
  PyroProfile *profile = decoder->profile;
  PyroValueType *types;
  const gchar **comments;
  gsize i;

  if (message->n_sample_type == 0) {
    g_set_error_literal (decoder->error, PYRO_PROFILE_ERROR,
                         PYRO_PROFILE_ERROR_NOT_A_PROFILE,
                         "is no pprof profile: it has no sample type");
    return FALSE;
  }
  types = allocate (decoder, message->n_sample_type, sizeof (*types));
  comments = allocate (decoder, message->n_comment, sizeof (*comments));
  if (types == NULL || comments == NULL)
    return FALSE;
  for (i = 0; i < message->n_sample_type; i++) {
    if (!decode_value_type (decoder, message->sample_type[i], &types[i]))
      return FALSE;
  }
  for (i = 0; i < message->n_comment; i++) {
    if (!get_string (decoder, message->comment[i], &comments[i]))
      return FALSE;
  }
  profile->sample_types = types;
  profile->n_sample_types = message->n_sample_type;
  profile->comments = comments;
  profile->n_comments = message->n_comment;
  profile->period_type = (PyroValueType){ "", "" };
  if (message->period_type != NULL
      && !decode_value_type (decoder, message->period_type,
                             &profile->period_type))
    return FALSE;
  profile->period = message->period;
  profile->time_ns = message->time_nanos;
  profile->duration_ns = message->duration_nanos;
  return get_string (decoder, message->default_sample_type,
                     &profile->default_sample_type);
}

/* IDS: room for N, filled by the caller. */
static gboolean
index_ids (Decoder *decoder, PyroIdMap *map, const guint64 *ids, gsize n,
           const gchar *what)
{
  guint64 bad;

  if (pyro_id_map_init (map, ids, n, &bad))
    return TRUE;
  INVALID (decoder, "is no valid profile: %s id %" G_GUINT64_FORMAT " is %s",
           what, bad, bad == 0 ? "not allowed" : "there twice");
  return FALSE;
}

static gboolean
find_id (Decoder *decoder, const PyroIdMap *map, guint64 id, const gchar *what,
         gsize *index)
{
  if (pyro_id_map_find (map, id, index))
    return TRUE;
  INVALID (decoder,
           "is no valid profile: %s id %" G_GUINT64_FORMAT
           " is used, but not in its table",
           what, id);
  return FALSE;
}

static gboolean
decode_mappings (Decoder *decoder)
{
  gsize n = decoder->message->n_mapping, i;
  PyroMapping *mappings = allocate (decoder, n, sizeof (*mappings));
  guint64 *ids = allocate (decoder, n, sizeof (*ids));

  if (mappings == NULL || ids == NULL)
    return FALSE;
  for (i = 0; i < n; i++) {
    const MappingMessage *message = decoder->message->mapping[i];
    PyroMapping *mapping = &mappings[i];

    ids[i] = message->id;
    mapping->start = message->memory_start;
    mapping->limit = message->memory_limit;
    mapping->file_offset = message->file_offset;
    mapping->has_functions = message->has_functions;
    mapping->has_filenames = message->has_filenames;
    mapping->has_line_numbers = message->has_line_numbers;
    mapping->has_inline_frames = message->has_inline_frames;
    if (!get_string (decoder, message->filename, &mapping->filename)
        || !get_string (decoder, message->build_id, &mapping->build_id))
      return FALSE;
  }
  decoder->profile->mappings = mappings;
  decoder->profile->n_mappings = n;
  return index_ids (decoder, &decoder->mapping_ids, ids, n, "mapping");
}

static gboolean
decode_functions (Decoder *decoder)
{
  gsize n = decoder->message->n_function, i;
  PyroFunction *functions = allocate (decoder, n, sizeof (*functions));
  guint64 *ids = allocate (decoder, n, sizeof (*ids));

  if (functions == NULL || ids == NULL)
    return FALSE;
  for (i = 0; i < n; i++) {
    const FunctionMessage *message = decoder->message->function[i];
    PyroFunction *function = &functions[i];

    ids[i] = message->id;
    function->start_line = message->start_line;
    if (!get_string (decoder, message->name, &function->name)
        || !get_string (decoder, message->system_name, &function->system_name)
        || !get_string (decoder, message->filename, &function->filename))
      return FALSE;
  }
  decoder->profile->functions = functions;
  decoder->profile->n_functions = n;
  return index_ids (decoder, &decoder->function_ids, ids, n, "function");
}

static gboolean
decode_location (Decoder *decoder, const LocationMessage *message,
                 PyroLocation *location)
{
  PyroSourceLine *lines;
  gsize index, i;

  location->address = message->address;
  if (message->mapping_id != 0) {
    if (!find_id (decoder, &decoder->mapping_ids, message->mapping_id,
                  "mapping", &index))
      return FALSE;
    location->mapping = &decoder->profile->mappings[index];
  }
  lines = allocate (decoder, message->n_line, sizeof (*lines));
  if (lines == NULL)
    return FALSE;
  for (i = 0; i < message->n_line; i++) {
    const LineMessage *line = message->line[i];

    if (!find_id (decoder, &decoder->function_ids, line->function_id,
                  "function", &index))
      return FALSE;
    lines[i].function = &decoder->profile->functions[index];
    lines[i].line = line->line;
  }
  location->lines = lines;
  location->n_lines = message->n_line;
  return TRUE;
}

static gboolean
decode_locations (Decoder *decoder)
{
  gsize n = decoder->message->n_location, i;
  PyroLocation *locations = allocate (decoder, n, sizeof (*locations));
  guint64 *ids = allocate (decoder, n, sizeof (*ids));

  if (locations == NULL || ids == NULL)
    return FALSE;
  for (i = 0; i < n; i++) {
    ids[i] = decoder->message->location[i]->id;
    if (!decode_location (decoder, decoder->message->location[i],
                          &locations[i]))
      return FALSE;
  }
  decoder->profile->locations = locations;
  decoder->profile->n_locations = n;
  return index_ids (decoder, &decoder->location_ids, ids, n, "location");
}

static gboolean
decode_label (Decoder *decoder, const LabelMessage *message,
              PyroSampleLabel *label)
{
  label->num = message->num;
  if (!get_string (decoder, message->key, &label->key)
      || !get_string (decoder, message->num_unit, &label->unit)
      || !get_string (decoder, message->str, &label->str))
    return FALSE;
  /* Proto3 writes no zero: what has no string is the number, 0 or not. */
  if (message->str == 0)
    label->str = NULL;
  return TRUE;
}

static gboolean
decode_sample (Decoder *decoder, const SampleMessage *message,
               PyroSample *sample)
{
  const PyroProfile *profile = decoder->profile;
  const PyroLocation **locations;
  PyroSampleLabel *labels;
  gint64 *values;
  gsize index, i;

  if (message->n_value != profile->n_sample_types) {
    INVALID (decoder,
             "is no valid profile: sample %" G_GSIZE_FORMAT
             " has %" G_GSIZE_FORMAT " values for %" G_GSIZE_FORMAT
             " sample types",
             (gsize)(sample - profile->samples), (gsize)message->n_value,
             profile->n_sample_types);
    return FALSE;
  }
  locations = allocate (decoder, message->n_location_id, sizeof (*locations));
  values = allocate (decoder, message->n_value, sizeof (*values));
  labels = allocate (decoder, message->n_label, sizeof (*labels));
  if (locations == NULL || values == NULL || labels == NULL)
    return FALSE;

  for (i = 0; i < message->n_location_id; i++) {
    if (!find_id (decoder, &decoder->location_ids, message->location_id[i],
                  "location", &index))
      return FALSE;
    locations[i] = &profile->locations[index];
  }
  for (i = 0; i < message->n_value; i++)
    values[i] = message->value[i];
  for (i = 0; i < message->n_label; i++) {
    if (!decode_label (decoder, message->label[i], &labels[i]))
      return FALSE;
  }
  sample->locations = locations;
  sample->n_locations = message->n_location_id;
  sample->values = values;
  sample->labels = labels;
  sample->n_labels = message->n_label;
  return TRUE;
}

static gboolean
decode_samples (Decoder *decoder)
{
  PyroProfile *profile = decoder->profile;
  gsize n = decoder->message->n_sample, i;

  profile->samples = allocate (decoder, n, sizeof (*profile->samples));
  if (profile->samples == NULL)
    return FALSE;
  for (i = 0; i < n; i++) {
    if (!decode_sample (decoder, decoder->message->sample[i],
                        &profile->samples[i]))
      return FALSE;
  }
  profile->n_samples = n;
  return TRUE;
}

static gpointer
message_alloc (void *arena, size_t size)
{
  return pyro_arena_alloc (arena, size);
}

static void
message_free (void *arena, void *memory)
{
  /* All of it goes with the arena. */
}

static const ProfileMessage *
unpack (PyroArena *arena, GBytes *bytes, GError **error)
{
  ProtobufCAllocator allocator = { message_alloc, message_free, arena };
  const ProfileMessage *message;
  gconstpointer data;
  gsize size;

  data = g_bytes_get_data (bytes, &size);
  if (size == 0) {
    g_set_error_literal (error, PYRO_PROFILE_ERROR,
                         PYRO_PROFILE_ERROR_NOT_A_PROFILE,
                         "is no pprof profile: it is empty");
    return NULL;
  }
  message = perftools__profiles__profile__unpack (&allocator, size, data);
  if (message == NULL && pyro_arena_is_exhausted (arena))
    set_out_of_memory (error);
  else if (message == NULL)
    g_set_error_literal (error, PYRO_PROFILE_ERROR,
                         PYRO_PROFILE_ERROR_NOT_A_PROFILE,
                         "is no pprof profile, or is cut off");
  return message;
}

static PyroProfile *
decode_message (const ProfileMessage *message, gsize budget, GError **error)
{
  g_autoptr (PyroProfile) profile = g_new0 (PyroProfile, 1);
  Decoder decoder = { .message = message, .profile = profile, .error = error };
  gboolean decoded;

  profile->arena = pyro_arena_new (budget);
  decoded = decode_strings (&decoder) && decode_header (&decoder)
            && decode_mappings (&decoder) && decode_functions (&decoder)
            && decode_locations (&decoder) && decode_samples (&decoder);
  pyro_id_map_clear (&decoder.mapping_ids);
  pyro_id_map_clear (&decoder.function_ids);
  pyro_id_map_clear (&decoder.location_ids);
  return decoded ? g_steal_pointer (&profile) : NULL;
}

PyroProfile *
pyro_profile_decode (GBytes *bytes, const PyroProfileLimits *limits,
                     GError **error)
{
  static const PyroProfileLimits defaults
      = { PYRO_PROFILE_MAX_SIZE, PYRO_PROFILE_MAX_MEMORY };
  g_autoptr (GBytes) unpacked = NULL;
  g_autoptr (PyroArena) message_arena = NULL;
  const ProfileMessage *message;
  gsize used;

  if (limits == NULL)
    limits = &defaults;
  if (pyro_is_gzip (bytes)) {
    unpacked = pyro_gunzip (bytes, limits->max_size, error);
    if (unpacked == NULL)
      return NULL;
    bytes = unpacked;
  } else if (g_bytes_get_size (bytes) > limits->max_size) {
    g_set_error (error, PYRO_PROFILE_ERROR, PYRO_PROFILE_ERROR_TOO_LARGE,
                 "has %" G_GSIZE_FORMAT
                 " bytes, more than the limit of %" G_GSIZE_FORMAT,
                 g_bytes_get_size (bytes), limits->max_size);
    return NULL;
  }

  if (pyro_profile_is_several (bytes)) {
    g_set_error_literal (
        error, PYRO_PROFILE_ERROR, PYRO_PROFILE_ERROR_INVALID,
        "is several profiles one after the other, which cannot "
        "be separated");
    return NULL;
  }
  message_arena = pyro_arena_new (limits->max_memory);
  message = unpack (message_arena, bytes, error);
  if (message == NULL)
    return NULL;
  used = pyro_arena_get_size (message_arena);
  /* 0 would be no limit at all. */
  return decode_message (message, MAX (limits->max_memory - used, 1), error);
}
