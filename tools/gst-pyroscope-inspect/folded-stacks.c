/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "folded-stacks.h"

#include <string.h>

#include "frame.h"
#include "label-names.h"
#include "profile/saturated.h"
#include "text.h"

/* Between the names of a stack. No printable name contains it, and it sorts
 * before all that they do contain. */
#define SEPARATOR '\n'

typedef struct {
  const PyroProfile *profile;
  /* By index; NULL: not made yet. */
  gchar **function_names;
  gchar **location_names;
} Names;

static const gchar *
function_name (Names *names, const PyroFunction *function)
{
  gchar **name = &names->function_names[function - names->profile->functions];

  if (*name == NULL)
    *name = pyro_text_printable (pyro_frame_function_name (function));
  return *name;
}

static const gchar *
location_name (Names *names, const PyroLocation *location)
{
  gchar **name = &names->location_names[location - names->profile->locations];

  if (*name == NULL) {
    g_autofree gchar *text = pyro_frame_address_name (location);

    *name = pyro_text_printable (text);
  }
  return *name;
}

static void
append_frame (GString *key, const gchar *name)
{
  if (key->len > 0)
    g_string_append_c (key, SEPARATOR);
  g_string_append (key, *name != '\0' ? name : "(unknown)");
}

static void
append_stack (GString *key, Names *names, const PyroSample *sample)
{
  gsize i, k;

  for (i = sample->n_locations; i-- > 0;) {
    const PyroLocation *location = sample->locations[i];

    if (location->n_lines == 0)
      append_frame (key, location_name (names, location));
    for (k = location->n_lines; k-- > 0;)
      append_frame (key, function_name (names, location->lines[k].function));
  }
}

static GHashTable *
sum_by_stack (Names *names, guint type, const gchar *const *roots)
{
  GHashTable *sums
      = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_autoptr (GString) key = g_string_new (NULL);
  const PyroProfile *profile = names->profile;
  guint r;
  gsize i;

  for (i = 0; i < profile->n_samples; i++) {
    const PyroSample *sample = &profile->samples[i];
    gint64 *sum;

    g_string_truncate (key, 0);
    for (r = 0; roots != NULL && roots[r] != NULL; r++) {
      g_autofree gchar *value = pyro_label_value_or_none (sample, roots[r]);
      g_autofree gchar *name = pyro_text_printable (value);

      append_frame (key, name);
    }
    append_stack (key, names, sample);
    if (key->len == 0)
      append_frame (key, "(no stack)");

    sum = g_hash_table_lookup (sums, key->str);
    if (sum == NULL) {
      sum = g_new0 (gint64, 1);
      g_hash_table_insert (sums, g_strdup (key->str), sum);
    }
    *sum = pyro_saturated_add (*sum, sample->values[type]);
  }
  return sums;
}

static gint
compare_keys (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const gchar *const *)a, *(const gchar *const *)b);
}

static void
stack_free (gpointer data)
{
  PyroFoldedStack *stack = data;

  g_strfreev (stack->frames);
  g_free (stack);
}

static GPtrArray *
to_stacks (GHashTable *sums)
{
  static const gchar separator[] = { SEPARATOR, '\0' };
  GPtrArray *stacks = g_ptr_array_new_with_free_func (stack_free);
  guint n, i;
  g_autofree gpointer *keys = g_hash_table_get_keys_as_array (sums, &n);

  qsort (keys, n, sizeof (*keys), compare_keys);
  for (i = 0; i < n; i++) {
    gint64 value = *(gint64 *)g_hash_table_lookup (sums, keys[i]);
    PyroFoldedStack *stack;

    if (value == 0)
      continue;
    stack = g_new (PyroFoldedStack, 1);
    stack->frames = g_strsplit (keys[i], separator, -1);
    stack->value = value;
    g_ptr_array_add (stacks, stack);
  }
  return stacks;
}

static void
free_names (gchar **names, gsize n)
{
  gsize i;

  for (i = 0; i < n; i++)
    g_free (names[i]);
  g_free (names);
}

GPtrArray *
pyro_folded_stacks (const PyroProfile *profile, guint type,
                    const gchar *const *roots)
{
  Names names = { profile, g_new0 (gchar *, profile->n_functions),
                  g_new0 (gchar *, profile->n_locations) };
  g_autoptr (GHashTable) sums = sum_by_stack (&names, type, roots);

  free_names (names.function_names, profile->n_functions);
  free_names (names.location_names, profile->n_locations);
  return to_stacks (sums);
}
