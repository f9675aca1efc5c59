/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frame-index.h"

#include <string.h>

#include "frame.h"

static guint
number_of (PyroFrameIndex *index, GHashTable *known, gchar *name)
{
  gpointer number;

  if (g_hash_table_lookup_extended (known, name, NULL, &number)) {
    g_free (name);
    return GPOINTER_TO_UINT (number);
  }
  number = GUINT_TO_POINTER (index->names->len);
  g_ptr_array_add (index->names, name);
  g_hash_table_insert (known, name, number);
  return GPOINTER_TO_UINT (number);
}

static gchar *
line_name (const PyroSourceLine *line)
{
  const gchar *name = pyro_frame_function_name (line->function);

  if (*line->function->filename == '\0')
    return g_strdup (name);
  if (line->line == 0)
    return g_strdup_printf ("%s %s", name, line->function->filename);
  return g_strdup_printf ("%s %s:%" G_GINT64_FORMAT, name,
                          line->function->filename, line->line);
}

static void
add_location (PyroFrameIndex *index, GHashTable *known, guint *by_function,
              const PyroLocation *location, PyroFrameKind kind)
{
  gsize i;
  guint number;

  if (kind == PYRO_FRAMES_MAPPING || location->n_lines == 0) {
    number = number_of (index, known,
                        kind == PYRO_FRAMES_MAPPING
                            ? g_strdup (pyro_frame_mapping_name (location))
                            : pyro_frame_address_name (location));
    g_array_append_val (index->numbers, number);
    return;
  }
  for (i = 0; i < location->n_lines; i++) {
    const PyroFunction *function = location->lines[i].function;
    guint *known_number = &by_function[function - index->profile->functions];

    if (kind == PYRO_FRAMES_LINE) {
      number = number_of (index, known, line_name (&location->lines[i]));
    } else {
      /* One more, 0: not known yet. */
      if (*known_number == 0)
        *known_number
            = number_of (index, known,
                         g_strdup (pyro_frame_function_name (function)))
              + 1;
      number = *known_number - 1;
    }
    g_array_append_val (index->numbers, number);
  }
}

PyroFrameIndex *
pyro_frame_index_new (const PyroProfile *profile, PyroFrameKind kind)
{
  PyroFrameIndex *index = g_new0 (PyroFrameIndex, 1);
  g_autoptr (GHashTable) known = g_hash_table_new (g_str_hash, g_str_equal);
  g_autofree guint *by_function = g_new0 (guint, profile->n_functions);
  gsize i;

  index->names = g_ptr_array_new_with_free_func (g_free);
  index->profile = profile;
  index->first = g_new (guint, profile->n_locations + 1);
  index->numbers = g_array_new (FALSE, FALSE, sizeof (guint));
  for (i = 0; i < profile->n_locations; i++) {
    index->first[i] = index->numbers->len;
    add_location (index, known, by_function, &profile->locations[i], kind);
  }
  index->first[i] = index->numbers->len;
  return index;
}

void
pyro_frame_index_free (PyroFrameIndex *index)
{
  if (index == NULL)
    return;
  g_ptr_array_unref (index->names);
  g_array_unref (index->numbers);
  g_free (index->first);
  g_free (index);
}

const guint *
pyro_frame_index_get (const PyroFrameIndex *index, const PyroLocation *location,
                      guint *n)
{
  gsize at = location - index->profile->locations;

  *n = index->first[at + 1] - index->first[at];
  return (const guint *)(gpointer)index->numbers->data + index->first[at];
}

void
pyro_frame_index_get_stack (const PyroFrameIndex *index,
                            const PyroSample *sample, GArray *stack)
{
  gsize i;

  g_array_set_size (stack, 0);
  for (i = 0; i < sample->n_locations; i++) {
    guint n;
    const guint *numbers
        = pyro_frame_index_get (index, sample->locations[i], &n);

    g_array_append_vals (stack, numbers, n);
  }
}

gboolean
pyro_frame_kind_parse (const gchar *text, PyroFrameKind *kind)
{
  static const gchar *const names[] = { "function", "line", "mapping" };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (names); i++) {
    if (strcmp (text, names[i]) == 0) {
      *kind = (PyroFrameKind)i;
      return TRUE;
    }
  }
  return FALSE;
}
