/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "table.h"

#include <string.h>

#include "frame.h"
#include "label-names.h"
#include "profile/saturated.h"

static void
row_free (gpointer data)
{
  PyroTableRow *row = data;

  g_free (row->name);
  g_free (row);
}

static PyroTableRow *
get_row (PyroTable *table, const gchar *name)
{
  PyroTableRow *row = g_hash_table_lookup (table->by_name, name);

  if (row == NULL) {
    row = g_new0 (PyroTableRow, 1);
    row->name = g_strdup (name);
    g_ptr_array_add (table->rows, row);
    g_hash_table_insert (table->by_name, row->name, row);
  }
  return row;
}

/* A sample counts once for a row, however often it recurs in the stack. */
static void
add_cum (PyroTableRow *row, gint64 value, gsize sample_number)
{
  if (row->seen == sample_number)
    return;
  row->seen = sample_number;
  row->cum = pyro_saturated_add (row->cum, value);
}

/* Rows of frames, found once for each location and function. */
typedef struct {
  PyroTable *table;
  const PyroProfile *profile;
  gboolean by_mapping;
  PyroTableRow **location_rows; /* of locations that are one frame */
  PyroTableRow **function_rows;
} StackRows;

static PyroTableRow *
location_row (StackRows *rows, const PyroLocation *location)
{
  PyroTableRow **row
      = &rows->location_rows[location - rows->profile->locations];

  if (*row == NULL && rows->by_mapping) {
    *row = get_row (rows->table, pyro_frame_mapping_name (location));
  } else if (*row == NULL) {
    g_autofree gchar *name = pyro_frame_address_name (location);

    *row = get_row (rows->table, name);
  }
  return *row;
}

static PyroTableRow *
function_row (StackRows *rows, const PyroFunction *function)
{
  PyroTableRow **row
      = &rows->function_rows[function - rows->profile->functions];

  if (*row == NULL)
    *row = get_row (rows->table, pyro_frame_function_name (function));
  return *row;
}

static gboolean
is_one_frame (const StackRows *rows, const PyroLocation *location)
{
  return rows->by_mapping || location->n_lines == 0;
}

static void
add_stack (StackRows *rows, const PyroSample *sample, gint64 value,
           gsize number)
{
  PyroTableRow *leaf = NULL;
  gsize i, k;

  for (i = 0; i < sample->n_locations; i++) {
    const PyroLocation *location = sample->locations[i];
    gsize n = is_one_frame (rows, location) ? 1 : location->n_lines;

    for (k = 0; k < n; k++) {
      PyroTableRow *row
          = is_one_frame (rows, location)
                ? location_row (rows, location)
                : function_row (rows, location->lines[k].function);

      if (leaf == NULL)
        leaf = row;
      add_cum (row, value, number);
    }
  }
  if (leaf == NULL) {
    leaf = get_row (rows->table, "(no stack)");
    add_cum (leaf, value, number);
  }
  leaf->flat = pyro_saturated_add (leaf->flat, value);
}

static void
sum_by_stack (PyroTable *table, const PyroProfile *profile, guint type,
              gboolean by_mapping)
{
  StackRows rows = { table, profile, by_mapping };
  gsize i;

  rows.location_rows = g_new0 (PyroTableRow *, profile->n_locations);
  rows.function_rows = g_new0 (PyroTableRow *, profile->n_functions);
  for (i = 0; i < profile->n_samples; i++)
    add_stack (&rows, &profile->samples[i], profile->samples[i].values[type],
               i + 1);
  g_free (rows.location_rows);
  g_free (rows.function_rows);
}

static void
sum_by_label (PyroTable *table, const PyroProfile *profile, guint type,
              const gchar *key)
{
  gsize i;

  for (i = 0; i < profile->n_samples; i++) {
    const PyroSample *sample = &profile->samples[i];
    g_autofree gchar *name = pyro_label_value_or_none (sample, key);
    PyroTableRow *row = get_row (table, name);

    row->flat = pyro_saturated_add (row->flat, sample->values[type]);
    row->cum = row->flat;
  }
}

static gint
compare (gint64 a, gint64 b)
{
  return (a < b) - (a > b);
}

static gint
compare_rows (gconstpointer a, gconstpointer b, gpointer by_cum)
{
  const PyroTableRow *x = *(const PyroTableRow *const *)a;
  const PyroTableRow *y = *(const PyroTableRow *const *)b;
  gint flat = compare (x->flat, y->flat), cum = compare (x->cum, y->cum);
  gint first = by_cum != NULL ? cum : flat;
  gint second = by_cum != NULL ? flat : cum;

  if (first != 0)
    return first;
  return second != 0 ? second : strcmp (x->name, y->name);
}

gboolean
pyro_table_is_by_stack (const gchar *by)
{
  return strcmp (by, "function") == 0 || strcmp (by, "mapping") == 0;
}

PyroTable *
pyro_table_new (const PyroProfile *profile, guint type, const gchar *by,
                gboolean by_cum)
{
  PyroTable *table = g_new0 (PyroTable, 1);

  table->rows = g_ptr_array_new_with_free_func (row_free);
  table->by_name = g_hash_table_new (g_str_hash, g_str_equal);
  if (pyro_table_is_by_stack (by))
    sum_by_stack (table, profile, type, strcmp (by, "mapping") == 0);
  else
    sum_by_label (table, profile, type, by);
  g_ptr_array_sort_with_data (table->rows, compare_rows,
                              GINT_TO_POINTER (by_cum));
  return table;
}

void
pyro_table_free (PyroTable *table)
{
  if (table == NULL)
    return;
  g_hash_table_unref (table->by_name);
  g_ptr_array_unref (table->rows);
  g_free (table);
}
