/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "filter-option.h"

#include <string.h>

#include "inspect-error.h"
#include "label-names.h"

#define LABEL_PREFIX "label:"

const gchar *
pyro_label_key (const gchar *key)
{
  return g_str_has_prefix (key, LABEL_PREFIX) ? key + strlen (LABEL_PREFIX)
                                              : key;
}

GRegex *
pyro_regex_parse (const gchar *option, const gchar *text, GError **error)
{
  g_autoptr (GError) wrong = NULL;
  GRegex *regex = g_regex_new (text, G_REGEX_OPTIMIZE, 0, &wrong);

  if (regex == NULL)
    g_set_error (error, PYRO_INSPECT_ERROR, PYRO_INSPECT_ERROR_VALUE,
                 "%s \"%s\" is not a regular expression: %s", option, text,
                 wrong->message);
  return regex;
}

gboolean
pyro_filter_parse (const gchar *text, PyroLabelFilter *filter, GError **error)
{
  gsize length = strcspn (text, "=~"), key_length = length;
  const gchar *value = text + length + 1;

  *filter = (PyroLabelFilter){ 0 };
  if (length > 0 && text[length] != '\0' && text[length - 1] == '!') {
    filter->negated = TRUE;
    key_length--;
  }
  if (text[length] == '\0' || key_length == 0) {
    g_set_error (error, PYRO_INSPECT_ERROR, PYRO_INSPECT_ERROR_VALUE,
                 "--filter \"%s\" is not LABEL=VALUE, LABEL!=VALUE, "
                 "LABEL~EXPRESSION or LABEL!~EXPRESSION",
                 text);
    return FALSE;
  }
  if (text[length] == '~') {
    filter->match = PYRO_LABEL_REGEX;
    filter->regex = pyro_regex_parse ("--filter", value, error);
    if (filter->regex == NULL)
      return FALSE;
  } else if (strcmp (value, PYRO_LABEL_NONE) == 0) {
    filter->match = PYRO_LABEL_ABSENT;
  } else {
    filter->match
        = strpbrk (value, "*?[") != NULL ? PYRO_LABEL_GLOB : PYRO_LABEL_EQUALS;
    filter->value = g_strdup (value);
  }
  filter->key = g_strndup (text, key_length);
  if (pyro_label_key (filter->key) != filter->key) {
    gchar *key = g_strdup (pyro_label_key (filter->key));

    g_free (filter->key);
    filter->key = key;
  }
  return TRUE;
}
