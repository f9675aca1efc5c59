/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "inspect-error.h"

#include <stdio.h>

#include "text.h"

G_DEFINE_QUARK (pyro_inspect_error, pyro_inspect_error)

void
pyro_report (const gchar *format, ...)
{
  g_autofree gchar *message = NULL, *printable = NULL;
  va_list args;

  va_start (args, format);
  message = g_strdup_vprintf (format, args);
  va_end (args);
  printable = pyro_text_printable (message);
  /* What was printed before belongs before. */
  fflush (stdout);
  fprintf (stderr, "gst-pyroscope-inspect: %s\n", printable);
}
