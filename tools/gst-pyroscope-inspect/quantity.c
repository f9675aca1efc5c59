/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "quantity.h"

#include <math.h>
#include <string.h>

typedef struct {
  const gchar *name;
  gdouble scale; /* in the base unit */
  gboolean is_time;
} Unit;

/* pprof's names; bases are the second and the byte. */
static const Unit units[] = {
  { "nanoseconds", 1e-9, TRUE },   { "microseconds", 1e-6, TRUE },
  { "milliseconds", 1e-3, TRUE },  { "seconds", 1, TRUE },
  { "bytes", 1, FALSE },           { "kilobytes", 1024, FALSE },
  { "megabytes", 1048576, FALSE },
};

typedef struct {
  gdouble from; /* in the base unit */
  const gchar *suffix;
} Step;

static const Step time_steps[] = {
  { 3600, "h" },  { 60, "min" },  { 1, "s" },
  { 1e-3, "ms" }, { 1e-6, "us" }, { 1e-9, "ns" },
};

static const Step size_steps[] = {
  { 1099511627776.0, "TiB" },
  { 1073741824.0, "GiB" },
  { 1048576, "MiB" },
  { 1024, "KiB" },
  { 1, "B" },
};

static const Unit *
find_unit (const gchar *name)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (units); i++) {
    if (strcmp (units[i].name, name) == 0)
      return &units[i];
  }
  return NULL;
}

static gchar *
in_steps (gdouble value, const Step *steps, guint n_steps)
{
  guint i = 0;

  if (value == 0)
    return g_strdup ("0");
  /* A value that would be printed as 1000.00 belongs to the next step up. */
  while (i + 1 < n_steps && fabs (value) < steps[i].from * 0.999995)
    i++;
  return g_strdup_printf ("%.2f%s", value / steps[i].from, steps[i].suffix);
}

gchar *
pyro_quantity_to_string (gint64 value, const gchar *unit)
{
  const Unit *known = find_unit (unit);

  if (known == NULL)
    return strcmp (unit, "count") == 0 || *unit == '\0'
               ? g_strdup_printf ("%" G_GINT64_FORMAT, value)
               : g_strdup_printf ("%" G_GINT64_FORMAT " %s", value, unit);
  if (known->is_time)
    return in_steps (value * known->scale, time_steps,
                     G_N_ELEMENTS (time_steps));
  return in_steps (value * known->scale, size_steps, G_N_ELEMENTS (size_steps));
}

gboolean
pyro_quantity_to_seconds (gint64 value, const gchar *unit, gdouble *seconds)
{
  const Unit *known = find_unit (unit);

  if (known == NULL || !known->is_time)
    return FALSE;
  *seconds = value * known->scale;
  return TRUE;
}

gdouble
pyro_percent (gint64 part, gint64 whole)
{
  return whole == 0 ? 0 : 100.0 * (gdouble)part / (gdouble)whole;
}
