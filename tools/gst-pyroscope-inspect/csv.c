/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "csv.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void
separate (gboolean first)
{
  if (!first)
    putchar (',');
}

void
pyro_csv_text (gboolean first, const gchar *text)
{
  separate (first);
  if (text[strcspn (text, ",\"\r\n")] == '\0') {
    fputs (text, stdout);
    return;
  }
  putchar ('"');
  for (; *text != '\0'; text++) {
    if (*text == '"')
      putchar ('"');
    putchar (*text);
  }
  putchar ('"');
}

void
pyro_csv_int (gboolean first, gint64 value)
{
  separate (first);
  printf ("%" G_GINT64_FORMAT, value);
}

void
pyro_csv_double (gboolean first, gdouble value)
{
  gchar text[G_ASCII_DTOSTR_BUF_SIZE];

  separate (first);
  fputs (g_ascii_formatd (text, sizeof text, "%.6g", value), stdout);
}

void
pyro_csv_end (void)
{
  putchar ('\n');
}

void
pyro_csv_header (const gchar *first, ...)
{
  const gchar *name;
  va_list args;

  pyro_csv_text (TRUE, first);
  va_start (args, first);
  while ((name = va_arg (args, const gchar *)) != NULL)
    pyro_csv_text (FALSE, name);
  va_end (args);
  pyro_csv_end ();
}
