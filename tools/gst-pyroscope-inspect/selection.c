/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "selection.h"

#include <string.h>

#include "inspect-error.h"
#include "profile/saturated.h"
#include "quantity.h"
#include "text.h"

gint
pyro_selection_find_type (const PyroProfile *profile, const gchar *name)
{
  gsize i;

  for (i = 0; i < profile->n_sample_types; i++) {
    if (strcmp (profile->sample_types[i].type, name) == 0)
      return (gint)i;
  }
  return -1;
}

guint
pyro_selection_default_type (const PyroProfile *profile)
{
  gint type = pyro_selection_find_type (profile, profile->default_sample_type);

  if (type < 0)
    type = pyro_selection_find_type (profile, "cpu");
  return type >= 0 ? (guint)type : (guint)profile->n_sample_types - 1;
}

gint64
pyro_selection_sum (const PyroProfile *profile, guint type)
{
  gint64 sum = 0;
  gsize i;

  for (i = 0; i < profile->n_samples; i++)
    sum = pyro_saturated_add (sum, profile->samples[i].values[type]);
  return sum;
}

gboolean
pyro_selection_check (GPtrArray *groups, const PyroOptions *options,
                      GError **error)
{
  gsize n_read = 0, n_left = 0;
  guint n_filters = options->filters->len;
  guint i;

  for (i = 0; i < groups->len; i++) {
    const PyroInputGroup *group = groups->pdata[i];

    n_read += group->n_read;
    n_left += group->profile->n_samples;
  }
  n_filters
      += (options->stacks.focus != NULL) + (options->stacks.ignore != NULL)
         + (options->stacks.hide != NULL) + (options->stacks.show_from != NULL);
  if (n_read == 0 || n_left > 0)
    return TRUE;
  g_set_error (error, PYRO_INSPECT_ERROR, PYRO_INSPECT_ERROR_NO_MATCH,
               "no sample of %" G_GSIZE_FORMAT " matches the %s", n_read,
               n_filters == 1 ? "filter" : "filters together");
  return FALSE;
}

static gboolean
has_type (const PyroInputGroup *group, const gchar *name)
{
  return pyro_selection_find_type (group->profile, name) >= 0;
}

static const PyroInputGroup *
choose_group (const PyroInput *input, const gchar *type)
{
  guint i;

  for (i = 0; i < input->groups->len; i++) {
    if (has_type (input->groups->pdata[i], type))
      return input->groups->pdata[i];
  }
  return NULL;
}

void
pyro_selection_set_unknown_type (const PyroInput *input, const gchar *type,
                                 GError **error)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new ();
  g_autofree gchar *suggestion = NULL;
  guint i;
  gsize k;

  for (i = 0; i < input->groups->len; i++) {
    const PyroInputGroup *group = input->groups->pdata[i];

    for (k = 0; k < group->profile->n_sample_types; k++) {
      const gchar *name = group->profile->sample_types[k].type;

      if (!g_ptr_array_find_with_equal_func (names, name, g_str_equal, NULL))
        g_ptr_array_add (names, (gpointer)name);
    }
  }
  g_ptr_array_add (names, NULL);
  suggestion = pyro_text_suggest (type, (const gchar *const *)names->pdata);
  g_set_error (error, PYRO_INSPECT_ERROR, PYRO_INSPECT_ERROR_UNKNOWN,
               "no profile has the sample type \"%s\"%s", type, suggestion);
}

static void
report_left_aside (const PyroInput *input, const PyroInputGroup *chosen)
{
  guint i;

  for (i = 0; i < input->groups->len; i++) {
    const PyroInputGroup *group = input->groups->pdata[i];
    g_autoptr (GString) types = g_string_new (NULL);
    gsize k;

    if (group == chosen)
      continue;
    for (k = 0; k < group->profile->n_sample_types; k++)
      g_string_append_printf (types, "%s%s/%s", k == 0 ? "" : ", ",
                              group->profile->sample_types[k].type,
                              group->profile->sample_types[k].unit);
    pyro_report ("note: %u %s of other types left aside (%s; see --type)",
                 group->n_files, group->n_files == 1 ? "file" : "files",
                 types->str);
  }
}

gboolean
pyro_selection_make (PyroSelection *selection, PyroInput *input,
                     const PyroOptions *options, GError **error)
{
  g_autoptr (GPtrArray) chosen = g_ptr_array_new ();
  const PyroInputGroup *group;

  g_return_val_if_fail (input->groups->len > 0, FALSE);
  if (options->type != NULL) {
    group = choose_group (input, options->type);
    if (group == NULL) {
      pyro_selection_set_unknown_type (input, options->type, error);
      return FALSE;
    }
  } else {
    group = choose_group (input, "cpu");
    if (group == NULL)
      group = input->groups->pdata[0];
  }
  g_ptr_array_add (chosen, (gpointer)group);
  selection->profile = group->profile;
  selection->n_files = group->n_files;
  selection->type
      = options->type != NULL
            ? (guint)pyro_selection_find_type (group->profile, options->type)
            : pyro_selection_default_type (group->profile);
  selection->total = pyro_selection_sum (group->profile, selection->type);
  if (!pyro_selection_check (chosen, options, error))
    return FALSE;
  report_left_aside (input, group);
  return TRUE;
}

gchar *
pyro_selection_describe_total (const PyroProfile *profile, guint type,
                               gint64 total)
{
  const PyroValueType *of = &profile->sample_types[type];
  g_autofree gchar *value = pyro_quantity_to_string (total, of->unit);
  g_autofree gchar *duration = NULL, *cores = NULL;
  gdouble seconds;

  if (profile->duration_ns <= 0)
    return g_strdup_printf ("%s: %s", of->type, value);
  duration = pyro_quantity_to_string (profile->duration_ns, "nanoseconds");
  if (pyro_quantity_to_seconds (total, of->unit, &seconds))
    cores = g_strdup_printf (" (%.1f%% of one core)",
                             100 * seconds / (profile->duration_ns * 1e-9));
  return g_strdup_printf ("%s: %s in %s%s", of->type, value, duration,
                          cores != NULL ? cores : "");
}
