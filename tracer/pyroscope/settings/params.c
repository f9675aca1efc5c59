/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "settings/params.h"
#include "settings/check.h"
#include "settings/message.h"
#include "settings/pairs.h"

typedef struct {
  const gchar *start; /* of all parameters */
  const gchar *p;     /* what is read next */
  const PyroSetting *table;
  guint n_settings;
  gchar **values;
  /* The name of what was read last. */
  const gchar *last;
  /* What was read last is a secret or may be meant for one, so what follows
   * and is not understood may be a piece of it: it is not shown. */
  gboolean hide;
  GPtrArray *messages;
} Scanner;

static gsize
position (const Scanner *scanner, const gchar *p)
{
  return (gsize)(p - scanner->start) + 1;
}

static const gchar *
skip_blanks (const gchar *p)
{
  while (g_ascii_isspace (*p))
    p++;
  return p;
}

static gboolean
is_list (const PyroSetting *setting)
{
  return setting->type == PYRO_SETTING_PAIRS
         || setting->type == PYRO_SETTING_FLAGS;
}

/* The value of SETTING, or what follows it if its quotes were forgotten, has
 * something in it that must not end in a message: REST is all of that. */
static gboolean
may_hold_secrets (const PyroSetting *setting, const gchar *rest)
{
  return setting->secret
         || (setting->check == pyro_check_url && strchr (rest, '@') != NULL);
}

void
pyro_settings_say_unknown (const gchar *name, const gchar *where,
                           GPtrArray *messages)
{
  const PyroSetting *nearest = pyro_setting_nearest (name, NULL);
  g_autofree gchar *shown = pyro_settings_quote (name);
  g_autofree gchar *names = NULL;

  if (nearest != NULL) {
    pyro_settings_say (messages, PYRO_MESSAGE_WARNING,
                       "unknown setting %s (%s) is not used; did you mean %s?",
                       shown, where, nearest->name);
    return;
  }
  names = pyro_setting_names ();
  pyro_settings_say (messages, PYRO_MESSAGE_WARNING,
                     "unknown setting %s (%s) is not used; the settings are %s",
                     shown, where, names);
}

/* The length of the name before a '=' at P; 0 where there is none. */
static gsize
name_length (const gchar *p)
{
  gsize length = 0;

  while (g_ascii_isalnum (p[length]) || p[length] == '-' || p[length] == '_')
    length++;
  return *skip_blanks (p + length) == '=' ? length : 0;
}

/* Behind the comma of a bare list: whether a setting begins at P. */
static gboolean
begins_setting (const PyroSetting *list, const gchar *p)
{
  g_autofree gchar *name = NULL;
  gboolean is_misspelling;
  gsize length;

  p = skip_blanks (p);
  length = name_length (p);
  if (length == 0)
    return FALSE;
  if (list->type == PYRO_SETTING_FLAGS)
    return TRUE;
  name = g_strndup (p, length);
  if (pyro_setting_find (name) != NULL)
    return TRUE;
  pyro_setting_nearest (name, &is_misspelling);
  return is_misspelling;
}

/* The comma that ends the bare value at P, or the text's end. */
static const gchar *
bare_end (const PyroSetting *setting, const gchar *p)
{
  const gchar *start = p;

  if (!is_list (setting)) {
    for (; *p != '\0' && *p != ','; p++)
      if (*p == '\\' && p[1] != '\0')
        p++;
    return p;
  }
  for (;;) {
    p = pyro_pairs_item_end (start, p);
    if (*p == '\0' || begins_setting (setting, p + 1))
      return p;
    p++;
  }
}

/* Behind the bracket that closes the one at P, or NULL. */
static const gchar *
bracket_end (const gchar *p)
{
  const gchar *start = p;
  gchar open = *p, close = open == '{' ? '}' : open == '[' ? ']' : '>';
  guint depth = 0;

  for (; *p != '\0'; p++) {
    if (*p == '\\' && p[1] != '\0') {
      p++;
    } else if (pyro_pairs_opens_quote (start, p)) {
      g_autofree gchar *text = pyro_pairs_unquote (&p, FALSE);

      if (text == NULL)
        return NULL;
      p--;
    } else if (*p == open) {
      depth++;
    } else if (*p == close && --depth == 0) {
      return p + 1;
    }
  }
  return NULL;
}

/* What is not closed takes all that follows with it, so nothing of it counts.
 * GStreamer does this to values with ';' in them, before 1.24 to those with ')'
 * as well. */
static void
say_open (Scanner *scanner, const PyroSetting *setting, const gchar *p)
{
  g_autofree gchar *environment = pyro_setting_environment_name (setting);

  pyro_settings_say (
      scanner->messages, PYRO_MESSAGE_WARNING,
      "%s: the %c at byte %" G_GSIZE_FORMAT " of the parameters is not "
      "closed, so they are not used from this setting on; close it. If it is "
      "closed: GStreamer drops all from the first ';' on, before 1.24 from the "
      "first ')', too, and a value with one of these can be given in the "
      "environment, as %s",
      setting->name, *p, position (scanner, p), environment);
  scanner->p = p + strlen (p);
}

/* What stands between the end of a value, at P, and the next comma. */
static void
finish_value (Scanner *scanner, const PyroSetting *setting, const gchar *p)
{
  p = skip_blanks (p);
  if (*p != '\0' && *p != ',') {
    pyro_settings_say (scanner->messages, PYRO_MESSAGE_WARNING,
                       "%s: the text at byte %" G_GSIZE_FORMAT
                       " of the parameters, between the value and the next "
                       "comma, is not used; put all of the value in quotes, "
                       "or a comma behind it",
                       setting->name, position (scanner, p));
    p += strcspn (p, ",");
  }
  scanner->p = p;
}

/* The value at the scanner's place, which moves behind it. NULL: reported.
 * Transfer full. */
static gchar *
read_value (Scanner *scanner, const PyroSetting *setting)
{
  const gchar *p = skip_blanks (scanner->p), *start;
  gchar *value;

  p = skip_blanks (p + pyro_pairs_type_prefix (p));
  start = p;
  if (*p == '"' || *p == '\'') {
    value = pyro_pairs_unquote (&p, setting->type == PYRO_SETTING_PAIRS);
    if (value == NULL)
      say_open (scanner, setting, start);
    else
      finish_value (scanner, setting, p);
    return value;
  }
  if (is_list (setting) && *p != '\0' && strchr ("{[<", *p) != NULL) {
    p = bracket_end (start);
    if (p == NULL) {
      say_open (scanner, setting, start);
      return NULL;
    }
    finish_value (scanner, setting, p);
    return g_strndup (start, p - start);
  }
  p = bare_end (setting, start);
  scanner->p = p;
  if (setting->type == PYRO_SETTING_PAIRS)
    return g_strstrip (g_strndup (start, p - start));
  return pyro_pairs_unescape (start, p - start);
}

/* "name", without '=', from P up to END. */
static void
say_no_value (Scanner *scanner, const gchar *p, const gchar *end)
{
  g_autofree gchar *text = g_strndup (p, end - p);
  g_autofree gchar *shown = NULL;

  if (scanner->last != NULL) {
    pyro_settings_say (scanner->messages, PYRO_MESSAGE_WARNING,
                       "the text at byte %" G_GSIZE_FORMAT
                       " of the parameters, behind %s and a comma, has no "
                       "'=' and is not used; put a value that has a comma in "
                       "it in quotes",
                       position (scanner, p), scanner->last);
    return;
  }
  shown = pyro_settings_quote (g_strchomp (text));
  pyro_settings_say (scanner->messages, PYRO_MESSAGE_WARNING,
                     "%s at byte %" G_GSIZE_FORMAT
                     " of the parameters has no '=' and is not used; write "
                     "name=value",
                     shown, position (scanner, p));
}

static void
take_unknown (Scanner *scanner, const gchar *p, const gchar *name)
{
  gboolean is_misspelling;
  const PyroSetting *nearest = pyro_setting_nearest (name, &is_misspelling);
  const gchar *start;

  if (scanner->hide && !is_misspelling) {
    pyro_settings_say (scanner->messages, PYRO_MESSAGE_WARNING,
                       "what begins at byte %" G_GSIZE_FORMAT
                       " of the parameters is no setting and is not used; put "
                       "a value that has a comma in it in quotes",
                       position (scanner, p));
  } else {
    g_autofree gchar *where = g_strdup_printf (
        "byte %" G_GSIZE_FORMAT " of the parameters", position (scanner, p));

    pyro_settings_say_unknown (name, where, scanner->messages);
    scanner->hide = nearest != NULL && may_hold_secrets (nearest, p);
  }
  scanner->last = "an unknown setting";

  /* Its value is skipped, as what it may have been meant for. */
  start = scanner->p = skip_blanks (scanner->p);
  if (*start == '"' || *start == '\'') {
    g_autofree gchar *value = pyro_pairs_unquote (&scanner->p, TRUE);

    if (value == NULL)
      scanner->p = start + strlen (start);
  } else if (is_misspelling) {
    scanner->p = bare_end (nearest, start);
    return;
  }
  scanner->p += strcspn (scanner->p, ",");
}

/* One "name=value" at the scanner's place, which is no blank and no comma. */
static void
take_item (Scanner *scanner)
{
  const gchar *p = scanner->p;
  gsize length = strcspn (p, "=,");
  g_autofree gchar *name = g_strchomp (g_strndup (p, length));
  const PyroSetting *setting;
  gchar *value;
  guint i;

  if (p[length] != '=') {
    /* The name of a GstStructure. */
    gboolean is_name
        = position (scanner, p) == 1 + strspn (scanner->start, " ")
          && (strcmp (name, "pyroscope") == 0 || strcmp (name, "params") == 0);

    if (!is_name)
      say_no_value (scanner, p, p + length);
    scanner->p = p + length;
    return;
  }
  scanner->p = p + length + 1;
  setting = pyro_setting_find (name);
  if (setting == NULL) {
    take_unknown (scanner, p, name);
    return;
  }
  scanner->last = setting->name;
  scanner->hide = may_hold_secrets (setting, p);
  value = read_value (scanner, setting);
  if (value == NULL)
    return;
  i = setting - scanner->table;
  if (scanner->values[i] != NULL)
    pyro_settings_say (scanner->messages, PYRO_MESSAGE_WARNING,
                       "%s is given twice in the parameters; the last one, at "
                       "byte %" G_GSIZE_FORMAT ", counts",
                       setting->name, position (scanner, p));
  g_free (scanner->values[i]);
  scanner->values[i] = value;
}

/* GStreamer before 1.24 ends the parameters at the first ')', which shows where
 * one is missing. */
static void
check_brackets (Scanner *scanner)
{
  const gchar *open = NULL;
  gint depth = 0;

  for (const gchar *p = scanner->start; *p != '\0'; p++) {
    if (*p == '(' && depth++ == 0)
      open = p;
    else if (*p == ')' && depth > 0)
      depth--;
  }
  if (depth > 0)
    pyro_settings_say (scanner->messages, PYRO_MESSAGE_WARNING,
                       "the '(' at byte %" G_GSIZE_FORMAT
                       " of the parameters has no ')'; if it had one: "
                       "GStreamer before 1.24 drops all from the first ')' "
                       "on, and a value with brackets can be given in the "
                       "environment, as GST_PYROSCOPE_<NAME>",
                       position (scanner, open));
}

gchar **
pyro_settings_params_split (const gchar *params, GPtrArray *messages)
{
  g_autofree gchar *own = g_strdup (params != NULL ? params : "");
  Scanner scanner = { .start = own, .p = own, .messages = messages };
  gsize length = strlen (own);

  scanner.table = pyro_setting_table (&scanner.n_settings);
  scanner.values = g_new0 (gchar *, scanner.n_settings);
  /* A GstStructure ends in ';'. */
  while (length > 0
         && (own[length - 1] == ';' || g_ascii_isspace (own[length - 1])))
    own[--length] = '\0';
  for (;;) {
    while (*scanner.p == ',' || g_ascii_isspace (*scanner.p))
      scanner.p++;
    if (*scanner.p == '\0')
      break;
    take_item (&scanner);
  }
  check_brackets (&scanner);
  return scanner.values;
}

void
pyro_settings_params_free (gchar **values)
{
  guint n_settings;

  pyro_setting_table (&n_settings);
  for (guint i = 0; i < n_settings; i++)
    g_free (values[i]);
  g_free (values);
}
