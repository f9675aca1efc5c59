/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fail-rule.h"

#include <math.h>
#include <string.h>

#include "inspect-error.h"

#define TOTAL "total"

void
pyro_fail_rule_free (gpointer data)
{
  PyroFailRule *rule = data;

  g_free (rule->text);
  g_free (rule->key);
  g_free (rule->name);
  g_free (rule);
}

static gboolean
parse_fraction (const gchar *text, gdouble *fraction)
{
  gchar *end;

  *fraction = g_ascii_strtod (text, &end) / 100;
  return (*text == '+' || *text == '-') && end > text + 1
         && strcmp (end, "%") == 0 && isfinite (*fraction);
}

PyroFailRule *
pyro_fail_rule_parse (const gchar *text, GError **error)
{
  /* A name may have colons. */
  const gchar *colon = strrchr (text, ':');
  const gchar *equals = strchr (text, '=');
  PyroFailRule *rule = g_new0 (PyroFailRule, 1);

  rule->text = g_strdup (text);
  if (colon != NULL && parse_fraction (colon + 1, &rule->fraction)) {
    if (equals != NULL && equals > text && equals < colon) {
      rule->key = g_strndup (text, equals - text);
      rule->name = g_strndup (equals + 1, colon - equals - 1);
      return rule;
    }
    if (g_str_has_prefix (text, TOTAL) && colon == text + strlen (TOTAL)) {
      rule->name = g_strdup (TOTAL);
      return rule;
    }
  }
  pyro_fail_rule_free (rule);
  g_set_error (error, PYRO_INSPECT_ERROR, PYRO_INSPECT_ERROR_VALUE,
               "--fail-on \"%s\" is not a rule, such as element=x264enc0:+5%%, "
               "function=main:-10%% or total:+2%%",
               text);
  return NULL;
}

static const PyroDiffRow *
find_row (const PyroDiff *diff, const gchar *name)
{
  for (guint i = 0; i < diff->rows->len; i++) {
    const PyroDiffRow *row = diff->rows->pdata[i];

    if (strcmp (row->name, name) == 0)
      return row;
  }
  return NULL;
}

gboolean
pyro_fail_rule_check (const PyroFailRule *rule, const PyroSelection *a,
                      const PyroSelection *b, gboolean by_cum,
                      PyroNormalise normalise, gchar **message, GError **error)
{
  const gchar *const keys[]
      = { rule->key != NULL ? rule->key : "mapping", NULL };
  g_autoptr (PyroDiff) diff = pyro_diff_new (a, b, keys, by_cum, normalise);
  const PyroDiffRow *row
      = rule->key != NULL ? find_row (diff, rule->name) : &diff->total;

  if (row == NULL || !row->is_known) {
    g_set_error (error, PYRO_INSPECT_ERROR, PYRO_INSPECT_ERROR_UNKNOWN,
                 row == NULL ? "--fail-on %s: this is in neither profile"
                             : "--fail-on %s: nothing is known of the sampling",
                 rule->text);
    return FALSE;
  }
  if (!pyro_diff_row_exceeds (row, rule->fraction))
    return FALSE;
  *message = row->a.scaled == 0
                 ? g_strdup_printf ("--fail-on %s: it is new", rule->text)
                 : g_strdup_printf ("--fail-on %s: it has changed by %+.2f%%",
                                    rule->text,
                                    100 * row->delta / fabs (row->a.scaled));
  return TRUE;
}
