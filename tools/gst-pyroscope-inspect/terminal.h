/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: colour and bars where stdout can show them.
 * Owner: plain data.
 * Threads: main only.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum {
  PYRO_COLOR_AUTO, /* on a terminal, unless NO_COLOR or TERM=dumb say no */
  PYRO_COLOR_ALWAYS,
  PYRO_COLOR_NEVER,
} PyroColorMode;

typedef struct {
  gboolean fancy; /* colour and bars */
  gboolean utf8;
} PyroTerminal;

void pyro_terminal_init (PyroTerminal *terminal, PyroColorMode mode);

/* Escape sequences, or "". */
const gchar *pyro_terminal_bold (const PyroTerminal *terminal);
const gchar *pyro_terminal_reset (const PyroTerminal *terminal);
/* The hotter, the larger the share. PERCENT: of the total. */
const gchar *pyro_terminal_heat (const PyroTerminal *terminal, gdouble percent);

/* A bar of FRACTION (0 to 1) of WIDTH cells, padded with spaces to WIDTH.
 * (transfer full) */
gchar *
pyro_terminal_bar (const PyroTerminal *terminal, gdouble fraction, guint width);

G_END_DECLS
