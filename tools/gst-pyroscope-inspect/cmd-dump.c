/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "command.h"
#include "commands.h"

#include <stdio.h>

#include "converters.h"
#include "frame.h"
#include "json.h"
#include "selection.h"
#include "text.h"

/* For one call; several may be in one printf(). */
static const gchar *
printable (const gchar *text, gchar **keep)
{
  g_free (*keep);
  *keep = pyro_text_printable (text);
  return *keep;
}

static void
print_header (const PyroProfile *profile)
{
  g_autofree gchar *a = NULL, *b = NULL;
  gsize i;

  printf ("time_nanos      %" G_GINT64_FORMAT "\n", profile->time_ns);
  printf ("duration_nanos  %" G_GINT64_FORMAT "\n", profile->duration_ns);
  printf ("period          %" G_GINT64_FORMAT " %s/%s\n", profile->period,
          printable (profile->period_type.type, &a),
          printable (profile->period_type.unit, &b));
  for (i = 0; i < profile->n_sample_types; i++)
    printf ("sample_type     %s/%s\n",
            printable (profile->sample_types[i].type, &a),
            printable (profile->sample_types[i].unit, &b));
  if (*profile->default_sample_type != '\0')
    printf ("default_type    %s\n",
            printable (profile->default_sample_type, &a));
  for (i = 0; i < profile->n_comments; i++)
    printf ("comment         %s\n", printable (profile->comments[i], &a));
}

static void
print_mapping (const PyroProfile *profile, gsize index)
{
  const PyroMapping *mapping = &profile->mappings[index];
  g_autofree gchar *a = NULL, *b = NULL;

  printf ("mapping %-7" G_GSIZE_FORMAT " 0x%" G_GINT64_MODIFIER
          "x-0x%" G_GINT64_MODIFIER "x +0x%" G_GINT64_MODIFIER "x %s%s%s"
          "%s%s%s%s\n",
          index + 1, mapping->start, mapping->limit, mapping->file_offset,
          printable (mapping->filename, &a),
          *mapping->build_id != '\0' ? " build-id " : "",
          printable (mapping->build_id, &b),
          mapping->has_functions ? " [functions]" : "",
          mapping->has_filenames ? " [files]" : "",
          mapping->has_line_numbers ? " [lines]" : "",
          mapping->has_inline_frames ? " [inlines]" : "");
}

static void
print_line (const PyroSourceLine *line)
{
  g_autofree gchar *name
      = pyro_text_printable (pyro_frame_function_name (line->function));

  printf ("%s", name);
  if (*line->function->filename != '\0') {
    g_autofree gchar *file = pyro_text_printable (line->function->filename);

    printf (" %s", file);
    if (line->line != 0)
      printf (":%" G_GINT64_FORMAT, line->line);
  }
}

/* "  #0 0x1234 libx264.so.164  x264_frame_end encoder.c:12" */
static void
print_location (const PyroLocation *location, gsize depth)
{
  g_autofree gchar *file
      = g_path_get_basename (pyro_frame_mapping_name (location));
  g_autofree gchar *mapping = pyro_text_printable (file);
  gsize i;

  printf ("  #%-3" G_GSIZE_FORMAT " 0x%" G_GINT64_MODIFIER "x %s ", depth,
          location->address, mapping);
  for (i = 0; i < location->n_lines; i++) {
    fputs (i == 0 ? " " : " < ", stdout);
    print_line (&location->lines[i]);
  }
  printf ("\n");
}

static void
print_sample (const PyroProfile *profile, gsize index)
{
  const PyroSample *sample = &profile->samples[index];
  g_autofree gchar *a = NULL, *b = NULL;
  gsize i;

  printf ("sample %" G_GSIZE_FORMAT "\n ", index + 1);
  for (i = 0; i < profile->n_sample_types; i++)
    printf (" %s=%" G_GINT64_FORMAT,
            printable (profile->sample_types[i].type, &a), sample->values[i]);
  printf ("\n");
  for (i = 0; i < sample->n_labels; i++) {
    g_autofree gchar *value = pyro_sample_label_to_string (&sample->labels[i]);

    printf ("  %s: %s\n", printable (sample->labels[i].key, &a),
            printable (value, &b));
  }
  for (i = 0; i < sample->n_locations; i++)
    print_location (sample->locations[i], i);
}

static void
print_text (const PyroProfile *profile)
{
  gsize i;

  print_header (profile);
  for (i = 0; i < profile->n_mappings; i++)
    print_mapping (profile, i);
  for (i = 0; i < profile->n_samples; i++)
    print_sample (profile, i);
}

static void
json_value_type (PyroJson *json, const gchar *key, const PyroValueType *type)
{
  pyro_json_begin_object (json, key);
  pyro_json_string (json, "type", type->type);
  pyro_json_string (json, "unit", type->unit);
  pyro_json_end_object (json);
}

static void
json_header (PyroJson *json, const PyroProfile *profile)
{
  gsize i;

  pyro_json_int (json, "time_nanos", profile->time_ns);
  pyro_json_int (json, "duration_nanos", profile->duration_ns);
  pyro_json_int (json, "period", profile->period);
  json_value_type (json, "period_type", &profile->period_type);
  pyro_json_string (json, "default_sample_type", profile->default_sample_type);
  pyro_json_begin_array (json, "sample_types");
  for (i = 0; i < profile->n_sample_types; i++)
    json_value_type (json, NULL, &profile->sample_types[i]);
  pyro_json_end_array (json);
  pyro_json_begin_array (json, "comments");
  for (i = 0; i < profile->n_comments; i++)
    pyro_json_string (json, NULL, profile->comments[i]);
  pyro_json_end_array (json);
}

static void
json_mapping (PyroJson *json, const PyroMapping *mapping, gsize id)
{
  pyro_json_begin_object (json, NULL);
  pyro_json_uint (json, "id", id);
  pyro_json_uint (json, "memory_start", mapping->start);
  pyro_json_uint (json, "memory_limit", mapping->limit);
  pyro_json_uint (json, "file_offset", mapping->file_offset);
  pyro_json_string (json, "filename", mapping->filename);
  pyro_json_string (json, "build_id", mapping->build_id);
  pyro_json_bool (json, "has_functions", mapping->has_functions);
  pyro_json_bool (json, "has_filenames", mapping->has_filenames);
  pyro_json_bool (json, "has_line_numbers", mapping->has_line_numbers);
  pyro_json_bool (json, "has_inline_frames", mapping->has_inline_frames);
  pyro_json_end_object (json);
}

static void
json_location (PyroJson *json, const PyroProfile *profile, gsize index)
{
  const PyroLocation *location = &profile->locations[index];
  gsize i;

  pyro_json_begin_object (json, NULL);
  pyro_json_uint (json, "id", index + 1);
  pyro_json_uint (json, "mapping_id",
                  location->mapping != NULL
                      ? location->mapping - profile->mappings + 1
                      : 0);
  pyro_json_uint (json, "address", location->address);
  pyro_json_begin_array (json, "lines");
  for (i = 0; i < location->n_lines; i++) {
    const PyroFunction *function = location->lines[i].function;

    pyro_json_begin_object (json, NULL);
    pyro_json_string (json, "name", function->name);
    pyro_json_string (json, "system_name", function->system_name);
    pyro_json_string (json, "filename", function->filename);
    pyro_json_int (json, "start_line", function->start_line);
    pyro_json_int (json, "line", location->lines[i].line);
    pyro_json_end_object (json);
  }
  pyro_json_end_array (json);
  pyro_json_end_object (json);
}

/* An array of pairs: a key may be there several times. */
static void
json_labels (PyroJson *json, const PyroSample *sample)
{
  gsize i;

  pyro_json_begin_array (json, "labels");
  for (i = 0; i < sample->n_labels; i++) {
    const PyroSampleLabel *label = &sample->labels[i];

    pyro_json_begin_object (json, NULL);
    pyro_json_string (json, "key", label->key);
    if (label->str != NULL) {
      pyro_json_string (json, "value", label->str);
    } else {
      pyro_json_int (json, "value", label->num);
      pyro_json_string (json, "unit", label->unit);
    }
    pyro_json_end_object (json);
  }
  pyro_json_end_array (json);
}

static void
json_sample (PyroJson *json, const PyroProfile *profile,
             const PyroSample *sample)
{
  gsize i;

  pyro_json_begin_object (json, NULL);
  pyro_json_begin_array (json, "location_ids");
  for (i = 0; i < sample->n_locations; i++)
    pyro_json_uint (json, NULL, sample->locations[i] - profile->locations + 1);
  pyro_json_end_array (json);
  pyro_json_begin_array (json, "values");
  for (i = 0; i < profile->n_sample_types; i++)
    pyro_json_int (json, NULL, sample->values[i]);
  pyro_json_end_array (json);
  json_labels (json, sample);
  pyro_json_end_object (json);
}

void
pyro_print_profile_json (const PyroProfile *profile)
{
  PyroJson json;
  gsize i;

  pyro_json_begin (&json, stdout);
  pyro_json_begin_object (&json, NULL);
  json_header (&json, profile);
  pyro_json_begin_array (&json, "mappings");
  for (i = 0; i < profile->n_mappings; i++)
    json_mapping (&json, &profile->mappings[i], i + 1);
  pyro_json_end_array (&json);
  pyro_json_begin_array (&json, "locations");
  for (i = 0; i < profile->n_locations; i++)
    json_location (&json, profile, i);
  pyro_json_end_array (&json);
  pyro_json_begin_array (&json, "samples");
  for (i = 0; i < profile->n_samples; i++)
    json_sample (&json, profile, &profile->samples[i]);
  pyro_json_end_array (&json);
  pyro_json_end_object (&json);
  pyro_json_end (&json);
}

static gboolean
show (gpointer self, PyroInput *input, const PyroOptions *options,
      GError **error)
{
  PyroSelection selection;

  if (!pyro_selection_make (&selection, input, options, error))
    return FALSE;
  if (options->json)
    pyro_print_profile_json (selection.profile);
  else
    print_text (selection.profile);
  return TRUE;
}

int
pyro_cmd_dump (int argc, char **argv)
{
  const PyroCommand command = {
    .options.summary
    = "Prints all of a profile: header, comments, mappings, and each "
      "sample with values,\nlabels and stack, leaf first. Addresses "
      "are the files' own.",
    .options.description
    = "Of several files, the sum is printed. --type chooses among "
      "files of different\ntypes; all types of the chosen ones "
      "are printed.",
    .show = show,
  };

  return pyro_command_run (&command, argc, argv);
}
