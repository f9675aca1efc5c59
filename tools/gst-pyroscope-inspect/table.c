/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "table.h"

#include <string.h>

#include "filter-option.h"
#include "frame-index.h"
#include "inspect-error.h"
#include "label-names.h"
#include "profile/saturated.h"
#include "sampling-noise.h"

/* Between the values of a group's labels; no printable text has it. */
#define SEPARATOR "\n"

typedef struct {
  PyroTable *table;
  const PyroProfile *profile;
  const gchar *const *keys;
  gint stack_key; /* index of the key of the stack, -1: there is none */
  PyroFrameIndex *frames;
  GHashTable *groups; /* values of the labels → Group */
  GArray *stack;      /* of the sample that is being added */
  PyroSamplingNoise noise;
} Sums;

/* The rows of samples with the same values of the labels among the keys. */
typedef struct {
  gchar **values;   /* one for each key, NULL for that of the stack */
  GHashTable *rows; /* frame's number → row */
} Group;

static void
row_free (gpointer data)
{
  PyroTableRow *row = data;

  g_free (row->name);
  g_strfreev (row->parts);
  g_free (row);
}

static void
group_free (gpointer data)
{
  Group *group = data;

  g_strfreev (group->values);
  g_hash_table_unref (group->rows);
  g_free (group);
}

static Group *
get_group (Sums *sums, const PyroSample *sample)
{
  guint n = g_strv_length ((gchar **)sums->keys), i;
  gchar **values = g_new0 (gchar *, n + 1);
  g_autofree gchar *text = NULL;
  Group *group;

  for (i = 0; i < n; i++)
    values[i] = (gint)i == sums->stack_key
                    ? g_strdup ("")
                    : pyro_label_value_or_none (sample,
                                                pyro_label_key (sums->keys[i]));
  text = g_strjoinv (SEPARATOR, values);
  group = g_hash_table_lookup (sums->groups, text);
  if (group != NULL) {
    g_strfreev (values);
    return group;
  }
  group = g_new (Group, 1);
  group->values = values;
  group->rows = g_hash_table_new (NULL, NULL);
  g_hash_table_insert (sums->groups, g_steal_pointer (&text), group);
  return group;
}

static PyroTableRow *
get_row (Sums *sums, Group *group, guint number, const gchar *name)
{
  PyroTableRow *row
      = g_hash_table_lookup (group->rows, GUINT_TO_POINTER (number));

  if (row != NULL)
    return row;
  row = g_new0 (PyroTableRow, 1);
  row->parts = g_strdupv (group->values);
  if (sums->stack_key >= 0) {
    g_free (row->parts[sums->stack_key]);
    row->parts[sums->stack_key] = g_strdup (name);
  }
  row->name = g_strjoinv (", ", row->parts);
  g_ptr_array_add (sums->table->rows, row);
  g_hash_table_insert (group->rows, GUINT_TO_POINTER (number), row);
  return row;
}

/* A sample counts once for a row, however often it recurs in the stack. */
static void
add_cum (PyroTableRow *row, gint64 value, gdouble variance, gsize sample_number)
{
  if (row->seen == sample_number)
    return;
  row->cum_variance += variance;
  row->seen = sample_number;
  row->cum = pyro_saturated_add (row->cum, value);
}

static void
add_sample (Sums *sums, Group *group, const PyroSample *sample, guint type,
            gsize number)
{
  gint64 value = sample->values[type];
  gdouble variance = pyro_sampling_noise_variance (&sums->noise, sample, type);
  PyroTableRow *leaf = NULL;
  guint i;

  if (sums->frames != NULL)
    pyro_frame_index_get_stack (sums->frames, sample, sums->stack);
  for (i = 0; i < sums->stack->len; i++) {
    guint frame = g_array_index (sums->stack, guint, i);
    PyroTableRow *row
        = get_row (sums, group, frame, sums->frames->names->pdata[frame]);

    if (leaf == NULL)
      leaf = row;
    add_cum (row, value, variance, number);
  }
  if (leaf == NULL) {
    leaf = get_row (sums, group, G_MAXUINT, PYRO_NO_STACK);
    add_cum (leaf, value, variance, number);
  }
  leaf->flat = pyro_saturated_add (leaf->flat, value);
  leaf->flat_variance += variance;
}

static gint
compare (gint64 a, gint64 b)
{
  return (a < b) - (a > b);
}

static gint
compare_rows (gconstpointer a, gconstpointer b, gpointer data)
{
  const PyroTableRow *x = *(const PyroTableRow *const *)a;
  const PyroTableRow *y = *(const PyroTableRow *const *)b;
  PyroTableSort sort = GPOINTER_TO_INT (data);
  gint flat = compare (x->flat, y->flat), cum = compare (x->cum, y->cum);
  gint first = sort == PYRO_SORT_CUM ? cum : flat;
  gint second = sort == PYRO_SORT_CUM ? flat : cum;

  if (sort == PYRO_SORT_NAME)
    return strcmp (x->name, y->name);
  if (first != 0)
    return first;
  return second != 0 ? second : strcmp (x->name, y->name);
}

gboolean
pyro_table_is_by_stack (const gchar *key)
{
  PyroFrameKind kind;

  return pyro_frame_kind_parse (key, &kind);
}

PyroTable *
pyro_table_new (const PyroProfile *profile, guint type,
                const gchar *const *keys, PyroTableSort sort)
{
  Sums sums = { g_new0 (PyroTable, 1), profile, keys, -1 };
  PyroFrameKind kind;
  Group *only = NULL;
  gsize i;

  sums.noise = pyro_sampling_noise_of (profile, type);
  sums.table->noise_is_known = sums.noise.is_known;
  sums.table->rows = g_ptr_array_new_with_free_func (row_free);
  for (i = 0; keys[i] != NULL; i++) {
    if (pyro_frame_kind_parse (keys[i], &kind)) {
      sums.stack_key = (gint)i;
      sums.frames = pyro_frame_index_new (profile, kind);
    }
  }
  sums.groups
      = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, group_free);
  sums.stack = g_array_new (FALSE, FALSE, sizeof (guint));
  for (i = 0; i < profile->n_samples; i++) {
    const PyroSample *sample = &profile->samples[i];
    Group *group = only != NULL ? only : get_group (&sums, sample);

    if (keys[1] == NULL && sums.stack_key == 0)
      only = group;
    add_sample (&sums, group, sample, type, i + 1);
  }
  g_hash_table_unref (sums.groups);
  g_array_unref (sums.stack);
  pyro_frame_index_free (sums.frames);
  g_ptr_array_sort_with_data (sums.table->rows, compare_rows,
                              GINT_TO_POINTER (sort));
  return sums.table;
}

PyroTable *
pyro_table_new_by (const PyroProfile *profile, guint type, const gchar *key)
{
  const gchar *const keys[] = { key, NULL };

  return pyro_table_new (profile, type, keys, PYRO_SORT_FLAT);
}

void
pyro_table_free (PyroTable *table)
{
  if (table == NULL)
    return;
  g_ptr_array_unref (table->rows);
  g_free (table);
}

gboolean
pyro_table_parse_keys (const gchar *text, gchar ***keys, GPtrArray *wanted,
                       GError **error)
{
  g_auto (GStrv) parts = g_strsplit (text, ",", -1);
  const gchar *of_stack = NULL;
  guint i, k;

  for (i = 0; parts[i] != NULL; i++) {
    gboolean is_stack = pyro_table_is_by_stack (g_strstrip (parts[i]));

    for (k = 0; k < i && strcmp (parts[k], parts[i]) != 0; k++)
      ;
    if (*parts[i] == '\0' || k < i || (is_stack && of_stack != NULL)) {
      g_set_error (error, PYRO_INSPECT_ERROR, PYRO_INSPECT_ERROR_VALUE,
                   "--by \"%s\": %s", text,
                   *parts[i] == '\0' ? "a key is empty"
                   : k < i           ? "a key is there twice"
                                     : "only one of function, line and mapping "
                                       "can be there");
      return FALSE;
    }
    if (is_stack)
      of_stack = parts[i];
  }
  if (i == 0) {
    g_set_error_literal (error, PYRO_INSPECT_ERROR, PYRO_INSPECT_ERROR_VALUE,
                         "--by is empty");
    return FALSE;
  }
  *keys = g_steal_pointer (&parts);
  for (i = 0; (*keys)[i] != NULL; i++) {
    if (!pyro_table_is_by_stack ((*keys)[i]) && wanted != NULL)
      g_ptr_array_add (wanted, (gpointer)pyro_label_key ((*keys)[i]));
  }
  return TRUE;
}

/* A label that samples were left out for was there. */
static gboolean
is_filtered (const GArray *filters, const gchar *key)
{
  for (guint i = 0; i < filters->len; i++) {
    if (strcmp (g_array_index (filters, PyroLabelFilter, i).key, key) == 0)
      return TRUE;
  }
  return FALSE;
}

gboolean
pyro_table_check_keys (const PyroProfile *profile, const gchar *const *keys,
                       const GArray *filters, GError **error)
{
  for (; *keys != NULL; keys++) {
    if (!pyro_table_is_by_stack (*keys)
        && !is_filtered (filters, pyro_label_key (*keys))
        && !pyro_label_check (profile, pyro_label_key (*keys), error)) {
      g_prefix_error (error, "--by %s: not function, line or mapping, and ",
                      *keys);
      return FALSE;
    }
  }
  return TRUE;
}
