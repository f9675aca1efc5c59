/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "terminal.h"

#include <unistd.h>

/* Shares from which on a line is hot, and warm, in percent. */
#define HOT 10.0
#define WARM 2.0

void
pyro_terminal_init (PyroTerminal *terminal, PyroColorMode mode)
{
  const gchar *no_color = g_getenv ("NO_COLOR");
  const gchar *term = g_getenv ("TERM");

  terminal->utf8 = g_get_charset (NULL);
  terminal->fancy = mode == PYRO_COLOR_ALWAYS;
  /* no-color.org: present and not empty. */
  if (mode == PYRO_COLOR_AUTO)
    terminal->fancy = isatty (STDOUT_FILENO)
                      && (no_color == NULL || *no_color == '\0') && term != NULL
                      && g_strcmp0 (term, "dumb") != 0;
}

const gchar *
pyro_terminal_bold (const PyroTerminal *terminal)
{
  return terminal->fancy ? "\033[1m" : "";
}

const gchar *
pyro_terminal_reset (const PyroTerminal *terminal)
{
  return terminal->fancy ? "\033[0m" : "";
}

const gchar *
pyro_terminal_heat (const PyroTerminal *terminal, gdouble percent)
{
  if (!terminal->fancy)
    return "";
  if (percent >= HOT)
    return "\033[31m"; /* red */
  return percent >= WARM ? "\033[33m" /* yellow */ : "";
}

gchar *
pyro_terminal_bar (const PyroTerminal *terminal, gdouble fraction, guint width)
{
  /* Eighths of a cell: U+2588 is a whole one, U+258F one eighth. */
  guint eighths = (guint)(CLAMP (fraction, 0, 1) * width * 8 + 0.5);
  guint cells = eighths / 8, i;
  GString *bar = g_string_new (NULL);

  for (i = 0; i < cells; i++)
    g_string_append (bar, terminal->utf8 ? "\u2588" : "#");
  if (terminal->utf8 && eighths % 8 != 0) {
    g_string_append_unichar (bar, 0x2590 - eighths % 8);
    cells++;
  }
  for (i = cells; i < width; i++)
    g_string_append_c (bar, ' ');
  return g_string_free (bar, FALSE);
}
