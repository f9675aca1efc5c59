/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "diff.h"

#include <math.h>
#include <string.h>

/* Of the normal distribution: 95 % lie within so many standard deviations. */
#define Z_95 1.96

static void
row_clear (PyroDiffRow *row)
{
  g_free (row->name);
  g_strfreev (row->parts);
}

static void
row_free (gpointer data)
{
  row_clear (data);
  g_free (data);
}

static PyroDiffRow *
get_row (PyroDiff *diff, GHashTable *by_name, const PyroTableRow *from)
{
  g_autofree gchar *key = g_strjoinv ("\n", from->parts);
  PyroDiffRow *row = g_hash_table_lookup (by_name, key);

  if (row == NULL) {
    row = g_new0 (PyroDiffRow, 1);
    row->name = g_strdup (from->name);
    row->parts = g_strdupv (from->parts);
    g_ptr_array_add (diff->rows, row);
    g_hash_table_insert (by_name, g_steal_pointer (&key), row);
  }
  return row;
}

/* What a value is multiplied by. */
static gdouble
scale_of (const PyroSelection *selection, PyroNormalise normalise)
{
  switch (normalise) {
  case PYRO_NORMALISE_TIME:
    return selection->profile->duration_ns > 0
               ? 1e9 / (gdouble)selection->profile->duration_ns
               : 0;
  case PYRO_NORMALISE_CPU:
    return selection->total != 0 ? 1 / (gdouble)selection->total : 0;
  case PYRO_NORMALISE_NONE:
  default:
    return 1;
  }
}

/* A share varies less than its parts: what is in the row is in the total. */
static PyroDiffSide
make_side (gint64 value, gint64 cum, gint64 chosen, gdouble variance,
           const PyroSelection *selection, PyroNormalise normalise)
{
  gdouble scale = scale_of (selection, normalise);
  PyroDiffSide side
      = { value, cum, (gdouble)chosen * scale, variance * scale * scale };

  if (normalise == PYRO_NORMALISE_CPU)
    side.variance *= MAX (0, 1 - side.scaled);
  return side;
}

static void
finish_row (PyroDiffRow *row, gboolean is_known)
{
  row->is_known = is_known;
  row->delta = row->b.scaled - row->a.scaled;
  row->half = Z_95 * sqrt (row->a.variance + row->b.variance);
  row->significant = is_known && fabs (row->delta) > row->half;
}

static PyroDiffSide *
side_of (PyroDiffRow *row, gboolean is_b)
{
  return is_b ? &row->b : &row->a;
}

/* TRUE where the noise is known. */
static gboolean
add_side (PyroDiff *diff, GHashTable *by_name, const PyroSelection *selection,
          const gchar *const *keys, gboolean by_cum, PyroNormalise normalise,
          gboolean is_b)
{
  g_autoptr (PyroTable) table = pyro_table_new (
      selection->profile, selection->type, keys, PYRO_SORT_NAME);
  gdouble variance = 0;

  for (guint i = 0; i < table->rows->len; i++) {
    const PyroTableRow *from = table->rows->pdata[i];

    *side_of (get_row (diff, by_name, from), is_b)
        = make_side (from->flat, from->cum, by_cum ? from->cum : from->flat,
                     by_cum ? from->cum_variance : from->flat_variance,
                     selection, normalise);
    variance += from->flat_variance;
  }
  *side_of (&diff->total, is_b)
      = make_side (selection->total, selection->total, selection->total,
                   variance, selection, normalise);
  return table->noise_is_known;
}

PyroDiff *
pyro_diff_new (const PyroSelection *a, const PyroSelection *b,
               const gchar *const *keys, gboolean by_cum,
               PyroNormalise normalise)
{
  PyroDiff *diff = g_new0 (PyroDiff, 1);
  g_autoptr (GHashTable) by_name
      = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  gboolean is_known;

  diff->rows = g_ptr_array_new_with_free_func (row_free);
  diff->total.name = g_strdup ("total");
  is_known = add_side (diff, by_name, a, keys, by_cum, normalise, FALSE);
  is_known
      = add_side (diff, by_name, b, keys, by_cum, normalise, TRUE) && is_known;
  for (guint i = 0; i < diff->rows->len; i++)
    finish_row (diff->rows->pdata[i], is_known);
  finish_row (&diff->total, is_known);
  return diff;
}

void
pyro_diff_free (PyroDiff *diff)
{
  if (diff == NULL)
    return;
  g_ptr_array_unref (diff->rows);
  row_clear (&diff->total);
  g_free (diff);
}

gboolean
pyro_diff_row_exceeds (const PyroDiffRow *row, gdouble fraction)
{
  gdouble factor = 1 + fraction;
  gdouble over = row->b.scaled - factor * row->a.scaled;
  gdouble noise
      = Z_95 * sqrt (row->b.variance + factor * factor * row->a.variance);

  return row->is_known && (fraction < 0 ? -over : over) > noise;
}
