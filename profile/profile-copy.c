/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "profile/profile-copy.h"

#include <string.h>

#include "profile/profile-comments.h"

struct _PyroProfileCopy {
  const PyroProfile *source;
  PyroProfileBuilder *target;
  /* The target's ids by the source's index, 0: not copied yet. */
  guint64 *mapping_ids;
  guint64 *function_ids;
  guint64 *location_ids;

  GArray *stack; /* guint64, the ids of the sample that is being copied */
  GArray *lines; /* PyroLine, of the location that is being copied */
};

static guint64
copy_mapping (PyroProfileCopy *copy, const PyroMapping *mapping)
{
  guint64 *id;

  if (mapping == NULL)
    return 0;
  id = &copy->mapping_ids[mapping - copy->source->mappings];
  if (*id == 0)
    *id = pyro_profile_builder_add_mapping (copy->target, mapping);
  return *id;
}

static guint64
copy_function (PyroProfileCopy *copy, const PyroFunction *function)
{
  guint64 *id = &copy->function_ids[function - copy->source->functions];

  if (*id == 0)
    *id = pyro_profile_builder_add_function (
        copy->target, function->name, function->system_name, function->filename,
        function->start_line);
  return *id;
}

static guint64
copy_location (PyroProfileCopy *copy, const PyroLocation *location)
{
  guint64 *id = &copy->location_ids[location - copy->source->locations];
  gsize i;

  if (*id != 0)
    return *id;
  g_array_set_size (copy->lines, 0);
  for (i = 0; i < location->n_lines; i++) {
    PyroLine line = { 0 };

    line.function_id = copy_function (copy, location->lines[i].function);
    line.line = location->lines[i].line;
    g_array_append_val (copy->lines, line);
  }
  *id = pyro_profile_builder_add_location (
      copy->target, copy_mapping (copy, location->mapping), location->address,
      (const PyroLine *)(gpointer)copy->lines->data, copy->lines->len);
  return *id;
}

PyroProfileCopy *
pyro_profile_copy_new (const PyroProfile *source, PyroProfileBuilder *target)
{
  PyroProfileCopy *copy = g_new0 (PyroProfileCopy, 1);

  copy->source = source;
  copy->target = target;
  copy->mapping_ids = g_new0 (guint64, source->n_mappings);
  copy->function_ids = g_new0 (guint64, source->n_functions);
  copy->location_ids = g_new0 (guint64, source->n_locations);
  copy->stack = g_array_new (FALSE, FALSE, sizeof (guint64));
  copy->lines = g_array_new (FALSE, FALSE, sizeof (PyroLine));

  /* The first mapping is the program itself by convention. */
  if (source->n_mappings > 0)
    copy_mapping (copy, &source->mappings[0]);
  return copy;
}

void
pyro_profile_copy_free (PyroProfileCopy *copy)
{
  if (copy == NULL)
    return;
  g_free (copy->mapping_ids);
  g_free (copy->function_ids);
  g_free (copy->location_ids);
  g_array_unref (copy->stack);
  g_array_unref (copy->lines);
  g_free (copy);
}

void
pyro_profile_copy_sample (PyroProfileCopy *copy, const PyroSample *sample)
{
  gsize i;

  g_array_set_size (copy->stack, 0);
  for (i = 0; i < sample->n_locations; i++) {
    guint64 id = copy_location (copy, sample->locations[i]);

    g_array_append_val (copy->stack, id);
  }
  pyro_profile_builder_merge_sample (
      copy->target, (const guint64 *)(gpointer)copy->stack->data,
      copy->stack->len, sample->values, sample->labels, sample->n_labels);
}

GBytes *
pyro_profile_encode_range (const PyroProfile *profile, gsize first, gsize end,
                           gint64 shift_ns, gboolean with_stats)
{
  g_autoptr (PyroProfileBuilder) builder = pyro_profile_builder_new (
      profile->sample_types, profile->n_sample_types, profile->period_type,
      profile->period);
  g_autoptr (PyroProfileCopy) copy = pyro_profile_copy_new (profile, builder);
  gsize i;

  pyro_profile_builder_set_time (
      builder, profile->time_ns > 0 ? profile->time_ns + shift_ns : 0,
      profile->duration_ns - shift_ns);
  pyro_profile_builder_set_default_sample_type (builder,
                                                profile->default_sample_type);
  for (i = 0; i < profile->n_comments; i++) {
    if (with_stats
        || !g_str_has_prefix (profile->comments[i], PYRO_COMMENT_STATS))
      pyro_profile_builder_add_comment (builder, profile->comments[i], NULL);
  }
  for (i = first; i < end; i++)
    pyro_profile_copy_sample (copy, &profile->samples[i]);
  return pyro_profile_builder_encode (builder);
}
