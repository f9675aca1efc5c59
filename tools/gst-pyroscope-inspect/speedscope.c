/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "converters.h"

#include <stdio.h>
#include <string.h>

#include "frame-index.h"
#include "json.h"
#include "label-names.h"
#include "profile/saturated.h"

typedef struct {
  const PyroSelection *selection;
  const gchar *by; /* or NULL */
  const gchar *value;
  PyroFrameIndex *frames;
  GArray *stack;
  PyroJson json;
} Writer;

static const gchar *
unit_of (const PyroSelection *selection)
{
  static const gchar *const known[]
      = { "nanoseconds", "microseconds", "milliseconds",
          "seconds",     "bytes",        NULL };
  const gchar *unit = selection->profile->sample_types[selection->type].unit;

  return g_strv_contains (known, unit) ? unit : "none";
}

/* A sample of no value is none to it, and a negative one is an error. */
static gboolean
is_written (const Writer *writer, const PyroSample *sample)
{
  g_autofree gchar *value = NULL;

  if (sample->values[writer->selection->type] <= 0)
    return FALSE;
  if (writer->by == NULL)
    return TRUE;
  value = pyro_label_value_or_none (sample, writer->by);
  return strcmp (value, writer->value) == 0;
}

static void
write_stack (Writer *writer, const PyroSample *sample)
{
  guint i;

  pyro_frame_index_get_stack (writer->frames, sample, writer->stack);
  pyro_json_begin_array (&writer->json, NULL);
  if (writer->stack->len == 0)
    pyro_json_uint (&writer->json, NULL, writer->frames->names->len);
  for (i = writer->stack->len; i-- > 0;)
    pyro_json_uint (&writer->json, NULL,
                    g_array_index (writer->stack, guint, i));
  pyro_json_end_array (&writer->json);
}

static void
write_profile (Writer *writer, const gchar *name)
{
  const PyroSelection *selection = writer->selection;
  const PyroProfile *profile = selection->profile;
  PyroJson *json = &writer->json;
  gint64 total = 0;
  gsize i;

  pyro_json_begin_object (json, NULL);
  pyro_json_string (json, "type", "sampled");
  pyro_json_string (json, "name", name);
  pyro_json_string (json, "unit", unit_of (selection));
  pyro_json_begin_array (json, "samples");
  for (i = 0; i < profile->n_samples; i++) {
    if (is_written (writer, &profile->samples[i]))
      write_stack (writer, &profile->samples[i]);
  }
  pyro_json_end_array (json);
  pyro_json_begin_array (json, "weights");
  for (i = 0; i < profile->n_samples; i++) {
    if (is_written (writer, &profile->samples[i])) {
      gint64 value = profile->samples[i].values[selection->type];

      total = pyro_saturated_add (total, value);
      pyro_json_int (json, NULL, value);
    }
  }
  pyro_json_end_array (json);
  pyro_json_int (json, "startValue", 0);
  pyro_json_int (json, "endValue", total);
  pyro_json_end_object (json);
}

static void
write_frames (Writer *writer)
{
  const GPtrArray *names = writer->frames->names;

  pyro_json_begin_object (&writer->json, "shared");
  pyro_json_begin_array (&writer->json, "frames");
  for (guint i = 0; i <= names->len; i++) {
    pyro_json_begin_object (&writer->json, NULL);
    pyro_json_string (&writer->json, "name",
                      i < names->len ? names->pdata[i] : PYRO_NO_STACK);
    pyro_json_end_object (&writer->json);
  }
  pyro_json_end_array (&writer->json);
  pyro_json_end_object (&writer->json);
}

/* The values of the label, (none) included. (transfer full) */
static gchar **
values_of (const PyroProfile *profile, const gchar *by)
{
  g_autoptr (GHashTable) set
      = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (gsize i = 0; i < profile->n_samples; i++)
    g_hash_table_add (set, pyro_label_value_or_none (&profile->samples[i], by));
  return pyro_names_sorted (set);
}

void
pyro_print_speedscope (const PyroSelection *selection, const gchar *by)
{
  const PyroProfile *profile = selection->profile;
  const gchar *type = profile->sample_types[selection->type].type;
  Writer writer = { .selection = selection, .by = by };
  PyroJson *json = &writer.json;

  writer.frames = pyro_frame_index_new (profile, PYRO_FRAMES_FUNCTION);
  writer.stack = g_array_new (FALSE, FALSE, sizeof (guint));
  pyro_json_begin (json, stdout);
  pyro_json_begin_object (json, NULL);
  pyro_json_string (json, "$schema",
                    "https://www.speedscope.app/file-format-schema.json");
  pyro_json_string (json, "exporter", "gst-pyroscope-inspect " PYRO_VERSION);
  pyro_json_string (json, "name", type);
  pyro_json_int (json, "activeProfileIndex", 0);
  write_frames (&writer);
  pyro_json_begin_array (json, "profiles");
  if (by == NULL) {
    write_profile (&writer, type);
  } else {
    g_auto (GStrv) values = values_of (profile, by);

    for (guint i = 0; values[i] != NULL; i++) {
      writer.value = values[i];
      write_profile (&writer, values[i]);
    }
  }
  pyro_json_end_array (json);
  pyro_json_end_object (json);
  pyro_json_end (json);
  pyro_frame_index_free (writer.frames);
  g_array_unref (writer.stack);
}
