/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "settings/message.h"

/* Characters of a given text that a message shows. */
#define MAX_SHOWN 96

static void
message_free (gpointer data)
{
  PyroSettingsMessage *message = data;

  g_free (message->text);
  g_free (message);
}

GPtrArray *
pyro_settings_messages_new (void)
{
  return g_ptr_array_new_with_free_func (message_free);
}

static void
add (GPtrArray *messages, PyroMessageLevel level, gchar *text)
{
  PyroSettingsMessage *message = g_new (PyroSettingsMessage, 1);

  message->level = level;
  message->text = text;
  g_ptr_array_add (messages, message);
}

void
pyro_settings_say (GPtrArray *messages, PyroMessageLevel level,
                   const gchar *format, ...)
{
  va_list args;

  if (messages == NULL || messages->len >= PYRO_SETTINGS_MAX_MESSAGES)
    return;
  if (messages->len == PYRO_SETTINGS_MAX_MESSAGES - 1) {
    add (messages, PYRO_MESSAGE_WARNING,
         g_strdup ("more is wrong with the settings than is listed here: "
                   "mend what is listed first"));
    return;
  }
  va_start (args, format);
  add (messages, level, g_strdup_vprintf (format, args));
  va_end (args);
}

gchar *
pyro_settings_quote (const gchar *text)
{
  GString *out = g_string_new ("\"");
  gsize length = strlen (text);
  /* Four bytes are the most that a UTF-8 character takes. */
  g_autofree gchar *head = g_strndup (text, MIN (length, MAX_SHOWN * 4));
  g_autofree gchar *valid = g_utf8_make_valid (head, -1);
  const gchar *p = valid;
  guint shown = 0;

  for (; *p != '\0' && shown < MAX_SHOWN; p = g_utf8_next_char (p), shown++) {
    gunichar c = g_utf8_get_char (p);

    if (c == '"' || c == '\\')
      g_string_append_printf (out, "\\%c", (gchar)c);
    else if (g_unichar_isprint (c))
      g_string_append_unichar (out, c);
    else
      g_string_append_printf (out, "\\u%04x", c);
  }
  g_string_append_c (out, '"');
  if (*p != '\0' || length > MAX_SHOWN * 4)
    g_string_append_printf (out, "... (%" G_GSIZE_FORMAT " bytes)", length);
  return g_string_free (out, FALSE);
}
