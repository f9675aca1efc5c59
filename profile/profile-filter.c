/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "profile/profile-filter.h"

#include <fnmatch.h>
#include <string.h>

void
pyro_label_filter_clear (PyroLabelFilter *filter)
{
  g_clear_pointer (&filter->key, g_free);
  g_clear_pointer (&filter->value, g_free);
  g_clear_pointer (&filter->regex, g_regex_unref);
}

gboolean
pyro_label_filter_matches (const PyroLabelFilter *filter, const gchar *value)
{
  switch (filter->match) {
  case PYRO_LABEL_EQUALS:
    return strcmp (value, filter->value) == 0;
  case PYRO_LABEL_GLOB:
    return strcmp (value, filter->value) == 0
           || fnmatch (filter->value, value, 0) == 0;
  case PYRO_LABEL_REGEX:
    return g_regex_match (filter->regex, value, 0, NULL);
  case PYRO_LABEL_ABSENT:
  default:
    return FALSE;
  }
}

/* Strings of a profile are one for each text, so that their address stands for
 * them: KNOWN keeps what a pattern has said of them. */
static gboolean
label_matches (const PyroLabelFilter *filter, const PyroSampleLabel *label,
               GHashTable *known)
{
  gpointer answer;
  gboolean matches;

  if (label->str == NULL) {
    g_autofree gchar *text = pyro_sample_label_to_string (label);

    return pyro_label_filter_matches (filter, text);
  }
  if (filter->match == PYRO_LABEL_EQUALS)
    return pyro_label_filter_matches (filter, label->str);
  if (g_hash_table_lookup_extended (known, label->str, NULL, &answer))
    return GPOINTER_TO_INT (answer);
  matches = pyro_label_filter_matches (filter, label->str);
  g_hash_table_insert (known, (gpointer)label->str, GINT_TO_POINTER (matches));
  return matches;
}

static gboolean
sample_matches (const PyroSample *sample, const PyroLabelFilter *filter,
                GHashTable *known)
{
  gsize i;

  if (filter->match == PYRO_LABEL_ABSENT)
    return (pyro_sample_get_label (sample, filter->key) == NULL)
           != filter->negated;
  for (i = 0; i < sample->n_labels; i++) {
    if (strcmp (sample->labels[i].key, filter->key) == 0
        && label_matches (filter, &sample->labels[i], known))
      return !filter->negated;
  }
  return filter->negated;
}

void
pyro_profile_filter_labels (PyroProfile *profile,
                            const PyroLabelFilter *filters, guint n_filters)
{
  guint k;

  for (k = 0; k < n_filters; k++) {
    g_autoptr (GHashTable) known = g_hash_table_new (NULL, NULL);
    gsize i, kept = 0;

    for (i = 0; i < profile->n_samples; i++) {
      if (sample_matches (&profile->samples[i], &filters[k], known))
        profile->samples[kept++] = profile->samples[i];
    }
    profile->n_samples = kept;
  }
}

void
pyro_stack_filter_clear (PyroStackFilter *filter)
{
  g_clear_pointer (&filter->focus, g_regex_unref);
  g_clear_pointer (&filter->ignore, g_regex_unref);
  g_clear_pointer (&filter->hide, g_regex_unref);
  g_clear_pointer (&filter->show_from, g_regex_unref);
}

gboolean
pyro_stack_filter_is_empty (const PyroStackFilter *filter)
{
  return filter->focus == NULL && filter->ignore == NULL && filter->hide == NULL
         && filter->show_from == NULL;
}

/* What the filter says of a location. */
typedef enum {
  FOCUSED = 1 << 0,
  IGNORED = 1 << 1,
  HIDDEN = 1 << 2,
  SHOWN_FROM = 1 << 3,
} LocationFlags;

static gboolean
function_matches (const PyroFunction *function, const GRegex *regex)
{
  return g_regex_match (regex, function->name, 0, NULL)
         || g_regex_match (regex, function->filename, 0, NULL);
}

static gboolean
mapping_matches (const PyroLocation *location, const GRegex *regex)
{
  return location->mapping != NULL
         && g_regex_match (regex, location->mapping->filename, 0, NULL);
}

static gboolean
location_matches (const PyroLocation *location, const GRegex *regex)
{
  gsize i;

  for (i = 0; i < location->n_lines; i++) {
    if (function_matches (location->lines[i].function, regex))
      return TRUE;
  }
  return mapping_matches (location, regex);
}

/* The lines are the location's own, so that they can be moved together. TRUE
 * where none is left. */
static gboolean
hide_lines (PyroLocation *location, const GRegex *hide)
{
  PyroSourceLine *lines = (PyroSourceLine *)location->lines;
  gsize i, kept = 0;

  if (mapping_matches (location, hide))
    return TRUE;
  for (i = 0; i < location->n_lines; i++) {
    if (!function_matches (lines[i].function, hide))
      lines[kept++] = lines[i];
  }
  location->n_lines = kept;
  return kept == 0;
}

static gboolean
show_lines_from (PyroLocation *location, const GRegex *show_from)
{
  gsize i;

  if (mapping_matches (location, show_from))
    return TRUE;
  for (i = location->n_lines; i-- > 0;) {
    if (function_matches (location->lines[i].function, show_from)) {
      location->n_lines = i + 1;
      return TRUE;
    }
  }
  return FALSE;
}

/* In pprof's order: --hide takes lines away before --show-from looks. */
static guint8
look_at_location (PyroLocation *location, const PyroStackFilter *filter)
{
  guint8 flags = 0;

  if (filter->ignore != NULL && location_matches (location, filter->ignore))
    flags |= IGNORED;
  else if (filter->focus == NULL || location_matches (location, filter->focus))
    flags |= FOCUSED;
  if (filter->hide != NULL && location_matches (location, filter->hide)
      && hide_lines (location, filter->hide))
    flags |= HIDDEN;
  else if (filter->show_from != NULL
           && show_lines_from (location, filter->show_from))
    flags |= SHOWN_FROM;
  return flags;
}

/* FALSE: the sample is left out. Its array of locations is its own. */
static gboolean
filter_sample (PyroSample *sample, const PyroProfile *profile,
               const guint8 *flags, const PyroStackFilter *filter)
{
  const PyroLocation **locations = (const PyroLocation **)sample->locations;
  gboolean focused = FALSE, samples_stacks = FALSE;
  gsize i, kept = 0, shown = 0;

  samples_stacks
      = filter->focus != NULL || filter->ignore != NULL || filter->hide != NULL;
  for (i = 0; i < sample->n_locations; i++) {
    guint8 flag = flags[locations[i] - profile->locations];

    if (flag & IGNORED)
      return FALSE;
    if (flag & FOCUSED)
      focused = TRUE;
    if (flag & HIDDEN)
      continue;
    locations[kept++] = locations[i];
    if (flag & SHOWN_FROM)
      shown = kept;
  }
  if (samples_stacks && (!focused || (kept == 0 && sample->n_locations > 0)))
    return FALSE;
  sample->n_locations = filter->show_from != NULL ? shown : kept;
  return filter->show_from == NULL || shown > 0;
}

void
pyro_profile_filter_stacks (PyroProfile *profile, const PyroStackFilter *filter)
{
  g_autofree guint8 *flags = NULL;
  gsize i, kept = 0;

  if (pyro_stack_filter_is_empty (filter))
    return;
  flags = g_malloc (MAX (profile->n_locations, 1));
  for (i = 0; i < profile->n_locations; i++)
    flags[i]
        = look_at_location ((PyroLocation *)&profile->locations[i], filter);
  for (i = 0; i < profile->n_samples; i++) {
    if (filter_sample (&profile->samples[i], profile, flags, filter))
      profile->samples[kept++] = profile->samples[i];
  }
  profile->n_samples = kept;
}
