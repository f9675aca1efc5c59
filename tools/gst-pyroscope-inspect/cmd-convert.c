/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The commands convert and merge: the latter is a conversion to pprof. */
#include "command.h"
#include "commands.h"

#include <stdio.h>
#include <string.h>

#include "converters.h"
#include "filter-option.h"
#include "inspect-error.h"
#include "label-names.h"
#include "output.h"
#include "profile/gzip.h"
#include "text.h"

typedef enum { TO_FOLDED, TO_SPEEDSCOPE, TO_PPROF, TO_JSON } Target;

static const gchar *const targets[]
    = { "folded", "speedscope", "pprof", "json", NULL };

typedef struct {
  gchar *to_text;
  gchar *path;
  gchar *by;
  Target to;
} Convert;

static gboolean
prepare (gpointer self, PyroOptions *options, GError **error)
{
  Convert *convert = self;
  g_autofree gchar *suggestion = NULL;
  guint i;

  if (convert->by != NULL)
    g_ptr_array_add (options->wanted, (gpointer)pyro_label_key (convert->by));
  if (convert->to_text == NULL) {
    g_set_error_literal (error, PYRO_INSPECT_ERROR, PYRO_INSPECT_ERROR_VALUE,
                         "--to is not given; there are: folded, speedscope, "
                         "pprof, json");
    return FALSE;
  }
  for (i = 0; targets[i] != NULL; i++) {
    if (strcmp (targets[i], convert->to_text) == 0) {
      convert->to = (Target)i;
      return TRUE;
    }
  }
  suggestion = pyro_text_suggest (convert->to_text, targets);
  g_set_error (error, PYRO_INSPECT_ERROR, PYRO_INSPECT_ERROR_VALUE,
               "--to \"%s\" is not known%s", convert->to_text, suggestion);
  return FALSE;
}

static void
write_pprof (const PyroProfile *profile)
{
  g_autoptr (GBytes) bytes = pyro_profile_encode (profile);
  g_autoptr (GBytes) zipped = pyro_gzip (bytes);
  gsize size;
  gconstpointer data = g_bytes_get_data (zipped, &size);

  fwrite (data, 1, size, stdout);
}

static void
write_as (const Convert *convert, const PyroSelection *selection)
{
  const gchar *by = convert->by != NULL ? pyro_label_key (convert->by) : NULL;
  const gchar *const roots[] = { by, NULL };

  switch (convert->to) {
  case TO_FOLDED:
    pyro_print_folded (selection, roots);
    break;
  case TO_SPEEDSCOPE:
    pyro_print_speedscope (selection, by);
    break;
  case TO_PPROF:
    write_pprof (selection->profile);
    break;
  case TO_JSON:
    pyro_print_profile_json (selection->profile);
    break;
  }
}

static gboolean
show (gpointer self, PyroInput *input, const PyroOptions *options,
      GError **error)
{
  Convert *convert = self;
  PyroSelection selection;
  PyroOutput output;

  if (!pyro_selection_make (&selection, input, options, error))
    return FALSE;
  if (convert->by != NULL
      && !pyro_label_check (selection.profile, pyro_label_key (convert->by),
                            error)) {
    g_prefix_error (error, "--by %s: ", convert->by);
    return FALSE;
  }
  if (!pyro_output_begin (&output, convert->path, convert->to == TO_PPROF,
                          error))
    return FALSE;
  write_as (convert, &selection);
  return pyro_output_end (&output, TRUE, error);
}

int
pyro_cmd_convert (int argc, char **argv)
{
  Convert convert = { 0 };
  const GOptionEntry extra[] = {
    { "to", 0, 0, G_OPTION_ARG_STRING, &convert.to_text,
      "folded, speedscope, pprof or json", "FORMAT" },
    { "output", 'o', 0, G_OPTION_ARG_FILENAME, &convert.path,
      "The file to write (default: standard output)", "FILE" },
    { "by", 'b', 0, G_OPTION_ARG_STRING, &convert.by,
      "speedscope: one profile for each value of this label; folded: begin "
      "stacks with it",
      "LABEL" },
    { NULL },
  };
  const PyroCommand command = {
    .options = {
      .summary = "Writes what was read in the format of another program.",
      .description
      = "folded: for flamegraph.pl, inferno; speedscope: for "
        "https://www.speedscope.app;\npprof: gzipped, all sample types; json: "
        "as dump --format json.",
      .extra = extra,
    },
    .prepare = prepare,
    .show = show,
    .self = &convert,
  };
  int status = pyro_command_run (&command, argc, argv);

  g_free (convert.to_text);
  g_free (convert.path);
  g_free (convert.by);
  return status;
}

int
pyro_cmd_merge (int argc, char **argv)
{
  Convert convert = { .to_text = (gchar *)"pprof" };
  const GOptionEntry extra[] = {
    { "output", 'o', 0, G_OPTION_ARG_FILENAME, &convert.path,
      "The file to write (default: standard output)", "FILE" },
    { NULL },
  };
  const PyroCommand command = {
    .options = {
      .summary = "Writes the sum of several profiles as one, without what the "
                 "options leave out.",
      .description = "Samples with the same stack and labels become one; "
                     "counters of the tracer add up.",
      .extra = extra,
    },
    .prepare = prepare,
    .show = show,
    .self = &convert,
  };
  int status = pyro_command_run (&command, argc, argv);

  g_free (convert.path);
  return status;
}
