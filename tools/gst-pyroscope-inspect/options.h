/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the options that all commands have in common, parsed and checked.
 * Owner: pyro_options_clear() frees what they hold.
 * Threads: main only.
 */
#pragma once

#include "profile/profile-filter.h"
#include "terminal.h"
#include "time-range.h"

G_BEGIN_DECLS

typedef struct {
  gboolean json; /* else csv, else text */
  gboolean csv;
  PyroColorMode color;
  const gchar *type; /* asked sample type, or NULL; points into the strings */
  GArray *filters;   /* PyroLabelFilter */
  PyroStackFilter stacks;
  PyroTimeRange range;
  gint rows;         /* how many to show, 0: all */
  const gchar *sort; /* one of the command's, its first by default, or NULL */
  PyroProfileLimits limits;
  gchar **arguments; /* what the command wants before the paths */
  gchar **paths;     /* at least one */

  /* Keys of labels (borrowed) that are wanted of the series, too, where samples
   * do not have them; the command adds to them before the input is read. */
  GPtrArray *wanted;
  gboolean all_series;        /* all of the series' labels are wanted */
  gboolean may_match_nothing; /* filters without a match are the command's to
                                 report */
  gboolean mark_captures; /* samples get PYRO_CAPTURE_LABEL, "TIME:DURATION" of
                             their capture in nanoseconds */

  /*< private >*/
  gchar *format_text;
  gchar *type_text;
  gchar *color_text;
  gchar *sort_text;
  gchar *since_text;
  gchar *until_text;
  gchar *last_text;
  gchar *focus_text;
  gchar *ignore_text;
  gchar *hide_text;
  gchar *show_from_text;
  gchar **filter_texts;
  gchar **rest;
  gint max_size_mib;
} PyroOptions;

#define PYRO_CAPTURE_LABEL "(capture)"

/* What a command adds to them. */
typedef struct {
  const gchar *summary;      /* for --help */
  const gchar *description;  /* for --help, or NULL */
  const gchar *arguments;    /* names of what comes before the paths, or NULL */
  guint n_arguments;         /* how many these are */
  const GOptionEntry *extra; /* the command's own options, or NULL */
  gboolean csv;              /* --format csv is there */
  const gchar *const *sorts; /* what --sort may be, the first is the default */
  gint rows;                 /* the default of -n; 0 with no SORTS: has none */
} PyroOptionsSpec;

/* Parses ARGV, whose first entry is the command's name. FALSE where it was
 * reported why not. --help ends the process. */
gboolean pyro_options_parse (PyroOptions *options, int argc, char **argv,
                             const PyroOptionsSpec *spec);
void pyro_options_clear (PyroOptions *options);

G_END_DECLS
