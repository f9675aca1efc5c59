/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "time-range.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "inspect-error.h"
#include "profile/saturated.h"

#define NS_PER_SECOND G_GINT64_CONSTANT (1000000000)
/* What a gint64 holds in nanoseconds. */
#define MAX_SECONDS 9.2e9

static gboolean
parse_length (const gchar *text, gint64 *length_ns)
{
  static const struct {
    const gchar *name;
    gdouble seconds;
  } units[] = { { "ms", 1e-3 }, { "s", 1 },    { "m", 60 },
                { "min", 60 },  { "h", 3600 }, { "d", 86400 } };
  gchar *end;
  gdouble number = g_ascii_strtod (text, &end);
  guint i;

  if (end == text || !isfinite (number) || number < 0
      || g_ascii_isspace (*text))
    return FALSE;
  for (i = 0; i < G_N_ELEMENTS (units); i++) {
    if (strcmp (end, units[i].name) == 0) {
      gdouble seconds = MIN (number * units[i].seconds, MAX_SECONDS);

      *length_ns = (gint64)(seconds * NS_PER_SECOND);
      return TRUE;
    }
  }
  return FALSE;
}

static GDateTime *
parse_clock_time (const gchar *text)
{
  g_autoptr (GDateTime) now = g_date_time_new_now_local ();
  gint hour, minute, length = 0;
  gdouble second = 0;

  if (!g_ascii_isdigit (*text)
      || (sscanf (text, "%2d:%2d%n", &hour, &minute, &length) != 2))
    return NULL;
  if (text[length] == ':') {
    gchar *end;

    second = g_ascii_strtod (text + length + 1, &end);
    if (end == text + length + 1 || *end != '\0')
      return NULL;
  } else if (text[length] != '\0') {
    return NULL;
  }
  return g_date_time_new_local (
      g_date_time_get_year (now), g_date_time_get_month (now),
      g_date_time_get_day_of_month (now), hour, minute, second);
}

static GDateTime *
parse_date_time (const gchar *text)
{
  g_autoptr (GTimeZone) local = g_time_zone_new_local ();
  g_autofree gchar *whole = NULL;
  GDateTime *time = g_date_time_new_from_iso8601 (text, local);

  /* GLib wants seconds. */
  if (time == NULL && strlen (text) == strlen ("2026-11-29")) {
    whole = g_strdup_printf ("%sT00:00:00", text);
    time = g_date_time_new_from_iso8601 (whole, local);
  } else if (time == NULL && strlen (text) == strlen ("2026-11-29T12:30")) {
    whole = g_strdup_printf ("%s:00", text);
    time = g_date_time_new_from_iso8601 (whole, local);
  }
  return time;
}

static gboolean
parse_point (const gchar *option, const gchar *text, gint64 *time_ns,
             GError **error)
{
  g_autoptr (GDateTime) time = NULL;
  gint64 ago_ns;

  if (*text == '@') {
    gchar *end;
    gdouble seconds = g_ascii_strtod (text + 1, &end);

    if (end != text + 1 && *end == '\0' && isfinite (seconds)) {
      *time_ns = (gint64)(CLAMP (seconds, -MAX_SECONDS, MAX_SECONDS) * 1e9);
      return TRUE;
    }
  } else if (parse_length (text, &ago_ns)) {
    *time_ns = g_get_real_time () * 1000 - ago_ns;
    return TRUE;
  } else {
    time = parse_clock_time (text);
    if (time == NULL)
      time = parse_date_time (text);
    if (time != NULL) {
      *time_ns = CLAMP (g_date_time_to_unix (time), -(gint64)MAX_SECONDS,
                        (gint64)MAX_SECONDS)
                     * NS_PER_SECOND
                 + g_date_time_get_microsecond (time) * 1000;
      return TRUE;
    }
  }
  g_set_error (error, PYRO_INSPECT_ERROR, PYRO_INSPECT_ERROR_VALUE,
               "%s \"%s\" is not a time, such as 2026-11-29T12:30:00, 12:30, "
               "@1795955400, or 10m (ago)",
               option, text);
  return FALSE;
}

gboolean
pyro_time_range_parse (PyroTimeRange *range, const gchar *since,
                       const gchar *until, const gchar *last, GError **error)
{
  *range = (PyroTimeRange){ G_MININT64, G_MAXINT64, 0 };
  if (since != NULL && !parse_point ("--since", since, &range->since_ns, error))
    return FALSE;
  if (until != NULL && !parse_point ("--until", until, &range->until_ns, error))
    return FALSE;
  if (range->since_ns >= range->until_ns) {
    g_set_error (error, PYRO_INSPECT_ERROR, PYRO_INSPECT_ERROR_VALUE,
                 "--since %s is not before --until %s", since, until);
    return FALSE;
  }
  if (last != NULL
      && (!parse_length (last, &range->last_ns) || range->last_ns == 0)) {
    g_set_error (error, PYRO_INSPECT_ERROR, PYRO_INSPECT_ERROR_VALUE,
                 "--last \"%s\" is not a length of time, such as 30s, 10m, 2h",
                 last);
    return FALSE;
  }
  return TRUE;
}

gboolean
pyro_time_range_is_limited (const PyroTimeRange *range)
{
  return range->since_ns != G_MININT64 || range->until_ns != G_MAXINT64;
}

gboolean
pyro_time_range_has (const PyroTimeRange *range, gint64 time_ns,
                     gint64 duration_ns)
{
  gint64 end_ns = pyro_saturated_add (time_ns, MAX (duration_ns, 1));

  if (!pyro_time_range_is_limited (range))
    return TRUE;
  return time_ns != 0 && end_ns > range->since_ns && time_ns < range->until_ns;
}
