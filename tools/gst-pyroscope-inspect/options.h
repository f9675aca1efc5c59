/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the options that all commands have in common, parsed and checked.
 * Owner: pyro_options_clear() frees what they hold.
 * Threads: main only.
 */
#pragma once

#include "profile/profile.h"
#include "terminal.h"

G_BEGIN_DECLS

typedef struct {
  gboolean json;
  PyroColorMode color;
  const gchar *type; /* asked sample type, or NULL; points into the strings */
  GArray *filters;   /* PyroLabel; a value of NULL: has no such label */
  PyroProfileLimits limits;
  gchar **paths; /* at least one */

  /*< private >*/
  gchar *format_text;
  gchar *type_text;
  gchar *color_text;
  gchar **filter_texts;
  gint max_size_mib;
} PyroOptions;

/* Parses ARGV, whose first entry is the command's name. SUMMARY says what the
 * command does; EXTRA are its own options, with DESCRIPTION below all of them
 * (both may be NULL). FALSE where it was reported why not. --help ends the
 * process. */
gboolean pyro_options_parse (PyroOptions *options, int argc, char **argv,
                             const gchar *summary, const GOptionEntry *extra,
                             const gchar *description);
void pyro_options_clear (PyroOptions *options);

G_END_DECLS
