/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "numberless.h"

/* Cuts the number off the part of TEXT that begins at START. */
static void
strip_last_part (GString *text, gsize start)
{
  gsize end = text->len;

  while (end > start && g_ascii_isdigit (text->str[end - 1]))
    end--;
  if (end == start)
    return;
  if (end < text->len && text->str[end - 1] == '-' && end - 1 > start)
    end--;
  g_string_truncate (text, end);
}

gchar *
pyro_strip_numbers (const gchar *name)
{
  GString *stripped = g_string_new (NULL);
  gsize start = 0;

  for (const gchar *c = name; *c != '\0'; c++) {
    if (*c == '/' || *c == ':')
      strip_last_part (stripped, start);
    g_string_append_c (stripped, *c);
    if (*c == '/' || *c == ':')
      start = stripped->len;
  }
  strip_last_part (stripped, start);
  return g_string_free (stripped, FALSE);
}
