/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "settings/value.h"
#include "settings/check.h"
#include "settings/message.h"
#include "settings/pairs.h"

G_STATIC_ASSERT (sizeof (gboolean) == sizeof (guint));

static gboolean
refuse (gchar **why, const gchar *reason)
{
  *why = g_strdup (reason);
  return FALSE;
}

/* The digits at *P, which moves behind them; what is too large for 64 bits
 * stays at their maximum. */
static guint64
take_digits (const gchar **p)
{
  guint64 number = 0;

  for (; g_ascii_isdigit (**p); (*p)++) {
    guint64 digit = **p - '0';

    if (number > (G_MAXUINT64 - digit) / 10)
      number = G_MAXUINT64;
    else
      number = number * 10 + digit;
  }
  return number;
}

/* "100", "+100", "100." and "100.00". */
static gboolean
parse_whole (const gchar *text, guint64 *number, gchar **why)
{
  gboolean negative = *text == '-';
  const gchar *p = text + (negative || *text == '+' ? 1 : 0);

  if (!g_ascii_isdigit (*p))
    return refuse (why, "is not a whole number");
  *number = take_digits (&p);
  if (*p == '.')
    p += 1 + strspn (p + 1, "0");
  if (*p != '\0')
    return refuse (why, "is not a whole number");
  if (negative && *number != 0)
    return refuse (why, "is negative");
  return TRUE;
}

/* A duration as Go's time.ParseDuration() reads it: "1m30s", "1.5m", "500ms".
 * Whole seconds only. */
static gboolean
parse_duration (const gchar *text, guint64 *seconds, gchar **why)
{
  static const struct {
    const gchar *name;
    guint64 ns;
  } units[] = {
    { "h", 3600 * G_GUINT64_CONSTANT (1000000000) },
    { "ms", 1000000 },
    { "m", 60 * G_GUINT64_CONSTANT (1000000000) },
    { "s", 1000000000 },
    { "us", 1000 },
    { "\302\265s", 1000 },
    { "\316\274s", 1000 },
    { "ns", 1 },
  };
  const gchar *p = text + (*text == '+' ? 1 : 0);
  guint64 total = 0;

  do {
    guint64 number, part = 0, scale = 1;
    guint unit = 0;

    if (!g_ascii_isdigit (*p))
      return refuse (why, "is not a number of seconds or a duration");
    number = take_digits (&p);
    if (*p == '.') {
      /* Nine digits are a nanosecond of a second; no one means the rest. */
      for (p++; g_ascii_isdigit (*p); p++)
        if (scale < 1000000000) {
          part = part * 10 + (*p - '0');
          scale *= 10;
        }
    }
    while (unit < G_N_ELEMENTS (units)
           && !g_str_has_prefix (p, units[unit].name))
      unit++;
    if (unit == G_N_ELEMENTS (units))
      return refuse (why, "is not a number of seconds or a duration");
    p += strlen (units[unit].name);
    /* Far out of any range, and far from an overflow. */
    if (total > G_MAXUINT64 / 4 || number > G_MAXUINT64 / 4 / units[unit].ns)
      total = G_MAXUINT64 / 2;
    else
      total += number * units[unit].ns
               + (guint64)((gdouble)part / scale * units[unit].ns + 0.5);
  } while (*p != '\0');
  if (total % 1000000000 != 0 && total < G_MAXUINT64 / 4)
    return refuse (why, "is not a whole number of seconds");
  *seconds = total / 1000000000;
  return TRUE;
}

static gboolean
parse_number (const PyroSetting *setting, const gchar *text, guint *result,
              gchar **why)
{
  guint64 number;
  gboolean duration;

  duration = setting->type == PYRO_SETTING_SECONDS && *text != '-'
             && text[strspn (text, "+.0123456789")] != '\0';
  if (!(duration ? parse_duration (text, &number, why)
                 : parse_whole (text, &number, why)))
    return FALSE;
  if (number < setting->min)
    return refuse (why, "is too small");
  if (number > setting->max)
    return refuse (why, "is too large");
  *result = number;
  return TRUE;
}

static gboolean
parse_bool (const gchar *text, guint *result, gchar **why)
{
  static const gchar *const yes[] = { "true", "yes", "on", "1", "t" };
  static const gchar *const no[] = { "false", "no", "off", "0", "f" };

  for (guint i = 0; i < G_N_ELEMENTS (yes); i++) {
    if (g_ascii_strcasecmp (text, yes[i]) == 0) {
      *result = TRUE;
      return TRUE;
    }
    if (g_ascii_strcasecmp (text, no[i]) == 0) {
      *result = FALSE;
      return TRUE;
    }
  }
  return refuse (why, "is neither true nor false");
}

static gboolean
find_nick (const PyroSetting *setting, const gchar *nick, guint *value)
{
  PyroSettingChoice choice;

  for (guint i = 0; pyro_setting_choice (setting, i, &choice); i++)
    if (strcmp (choice.nick, nick) == 0) {
      *value = choice.value;
      return TRUE;
    }
  return FALSE;
}

/* Nicks between blanks and any of , + |, each bare or quoted, all of it in
 * brackets of some kind or not. */
static gboolean
parse_flags (const PyroSetting *setting, const gchar *text, guint *result,
             gchar **why)
{
  g_autofree gchar *bare = pyro_pairs_strip_brackets (text);
  g_auto (GStrv) words = g_strsplit_set (bare, ",+| \t\r\n", -1);
  guint n_nicks = 0;

  *result = 0;
  for (guint i = 0; words[i] != NULL && *why == NULL; i++) {
    gchar *word = words[i];
    gsize length = strlen (word);
    guint flag;

    if (length >= 2 && (*word == '"' || *word == '\'')
        && word[length - 1] == *word) {
      word[length - 1] = '\0';
      word++;
    }
    if (*word == '\0' || strcmp (word, "none") == 0)
      continue;
    if (find_nick (setting, word, &flag)) {
      *result |= flag;
      n_nicks++;
    } else {
      g_autofree gchar *shown = pyro_settings_quote (word);

      *why = g_strdup_printf ("has %s in it", shown);
    }
  }
  if (*why == NULL && n_nicks < setting->min)
    *why = g_strdup ("is empty");
  return *why == NULL;
}

gboolean
pyro_setting_parse (const PyroSetting *setting, const gchar *text,
                    const gchar *origin, PyroSettingValue *value, gchar **why,
                    GPtrArray *messages)
{
  g_autofree gchar *own = g_strdup (text);
  g_autofree gchar *note = NULL;

  *value = (PyroSettingValue){ 0 };
  *why = NULL;
  switch (setting->type) {
  case PYRO_SETTING_STRING:
    if (!setting->check (&own, &note, why))
      return FALSE;
    if (note != NULL) {
      g_autofree gchar *shown = pyro_setting_show_text (setting, text);

      pyro_settings_say (messages, PYRO_MESSAGE_INFO, "%s: %s from %s %s",
                         setting->name, shown, origin, note);
    }
    value->string = g_steal_pointer (&own);
    return TRUE;
  case PYRO_SETTING_UINT:
  case PYRO_SETTING_SECONDS:
    return parse_number (setting, g_strstrip (own), &value->number, why);
  case PYRO_SETTING_BOOL:
    return parse_bool (g_strstrip (own), &value->number, why);
  case PYRO_SETTING_FLAGS:
    return parse_flags (setting, g_strstrip (own), &value->number, why);
  case PYRO_SETTING_ENUM:
    return find_nick (setting, g_strstrip (own), &value->number)
           || refuse (why, "is none of them");
  case PYRO_SETTING_PAIRS:
    value->list = pyro_pairs_parse (setting, own, origin, why, messages);
    if (value->list == NULL)
      return FALSE;
    value->string = g_steal_pointer (&own);
    return TRUE;
  }
  g_return_val_if_reached (FALSE);
}

gchar **
pyro_setting_string (const PyroSetting *setting, PyroSettings *settings)
{
  return G_STRUCT_MEMBER_P (settings, setting->offset);
}

guint *
pyro_setting_number (const PyroSetting *setting, PyroSettings *settings)
{
  return G_STRUCT_MEMBER_P (settings, setting->offset);
}

GArray **
pyro_setting_list (const PyroSetting *setting, PyroSettings *settings)
{
  return G_STRUCT_MEMBER_P (settings, setting->list_offset);
}

void
pyro_setting_store (const PyroSetting *setting, PyroSettings *settings,
                    PyroSettingValue *value)
{
  switch (setting->type) {
  case PYRO_SETTING_PAIRS:
    g_clear_pointer (pyro_setting_list (setting, settings), g_array_unref);
    *pyro_setting_list (setting, settings) = g_steal_pointer (&value->list);
    /* fall through */
  case PYRO_SETTING_STRING:
    g_free (*pyro_setting_string (setting, settings));
    *pyro_setting_string (setting, settings) = g_steal_pointer (&value->string);
    break;
  default:
    *pyro_setting_number (setting, settings) = value->number;
  }
}

gchar *
pyro_setting_show_text (const PyroSetting *setting, const gchar *text)
{
  g_autofree gchar *masked = NULL;

  if (setting->secret)
    return g_strdup ("the value (not shown)");
  if (setting->check == pyro_check_url)
    masked = pyro_url_mask (text);
  return pyro_settings_quote (masked != NULL ? masked : text);
}

static gchar *
show_nicks (const PyroSetting *setting, guint number)
{
  GString *nicks = g_string_new (NULL);
  PyroSettingChoice choice;

  for (guint i = 0; pyro_setting_choice (setting, i, &choice); i++)
    if (setting->type == PYRO_SETTING_FLAGS ? number & choice.value
                                            : number == choice.value)
      g_string_append_printf (nicks, "%s%s", nicks->len > 0 ? "," : "",
                              choice.nick);
  if (nicks->len == 0)
    g_string_append (nicks, "none");
  return g_string_free (nicks, FALSE);
}

gchar *
pyro_setting_show_value (const PyroSetting *setting,
                         const PyroSettings *settings)
{
  /* Nothing is written through it. */
  PyroSettings *own = (PyroSettings *)settings;
  const gchar *text;

  switch (setting->type) {
  case PYRO_SETTING_STRING:
  case PYRO_SETTING_PAIRS:
    text = *pyro_setting_string (setting, own);
    return *text == '\0' ? g_strdup ("none")
                         : pyro_setting_show_text (setting, text);
  case PYRO_SETTING_UINT:
  case PYRO_SETTING_SECONDS:
    return g_strdup_printf ("%u", *pyro_setting_number (setting, own));
  case PYRO_SETTING_BOOL:
    return g_strdup (*pyro_setting_number (setting, own) ? "true" : "false");
  case PYRO_SETTING_FLAGS:
  case PYRO_SETTING_ENUM:
    return show_nicks (setting, *pyro_setting_number (setting, own));
  }
  g_return_val_if_reached (NULL);
}

static void
clear_label (gpointer data)
{
  PyroLabel *label = data;

  g_free ((gchar *)label->key);
  g_free ((gchar *)label->value);
}

GArray *
pyro_label_list_new (void)
{
  GArray *list = g_array_new (FALSE, FALSE, sizeof (PyroLabel));

  g_array_set_clear_func (list, clear_label);
  return list;
}

GArray *
pyro_label_list_copy (const GArray *list)
{
  GArray *copy = pyro_label_list_new ();

  for (guint i = 0; i < list->len; i++) {
    const PyroLabel *from = &g_array_index (list, PyroLabel, i);
    PyroLabel to = { g_strdup (from->key), g_strdup (from->value) };

    g_array_append_val (copy, to);
  }
  return copy;
}
