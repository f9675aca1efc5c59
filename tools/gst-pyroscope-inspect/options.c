/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "options.h"

#include <string.h>

#include "filter-option.h"
#include "inspect-error.h"
#include "label-names.h"
#include "text.h"

#define DEFAULT_MAX_SIZE_MIB 256
#define MAX_MAX_SIZE_MIB (1024 * 1024)

#define COMMON_HELP                                                            \
  "Paths are files of any tool's pprof profiles, gzipped or not, folders\n"    \
  "of them (*.pb.gz, *.pb and *.pprof, at any depth), or - for standard\n"     \
  "input. Profiles of the same types are merged, a file that is given twice\n" \
  "counts once. VALUE of --filter may be a pattern (*, ?, [...]); LABEL~\n"    \
  "takes a regular expression, != and !~ the opposite; the labels of the\n"    \
  "series (service_name, hostname, ...) count, too. TIME is\n"                 \
  "2026-11-29T12:30:00, 12:30, @UNIX or 10m (ago).\n"                          \
  "The exit status is 0, or 1 where anything was wrong."

static gboolean
choose (const gchar *option, const gchar *text, const gchar *const *names,
        guint *index, GError **error)
{
  g_autofree gchar *suggestion = NULL;

  if (text == NULL)
    return TRUE;
  for (*index = 0; names[*index] != NULL; (*index)++) {
    if (strcmp (names[*index], text) == 0)
      return TRUE;
  }
  suggestion = pyro_text_suggest (text, names);
  g_set_error (error, PYRO_INSPECT_ERROR, PYRO_INSPECT_ERROR_VALUE,
               "%s \"%s\" is not known%s", option, text, suggestion);
  return FALSE;
}

static gboolean
parse_filters (PyroOptions *options, GError **error)
{
  gchar **text;

  for (text = options->filter_texts; text != NULL && *text != NULL; text++) {
    PyroLabelFilter filter;
    gboolean right = pyro_filter_parse (*text, &filter, error);

    g_array_append_val (options->filters, filter);
    if (!right)
      return FALSE;
  }
  return TRUE;
}

static gboolean
parse_regex (const gchar *option, const gchar *text, GRegex **regex,
             GError **error)
{
  if (text == NULL)
    return TRUE;
  *regex = pyro_regex_parse (option, text, error);
  return *regex != NULL;
}

static gboolean
parse_stack_filters (PyroOptions *options, GError **error)
{
  PyroStackFilter *stacks = &options->stacks;

  return parse_regex ("--focus", options->focus_text, &stacks->focus, error)
         && parse_regex ("--ignore", options->ignore_text, &stacks->ignore,
                         error)
         && parse_regex ("--hide", options->hide_text, &stacks->hide, error)
         && parse_regex ("--show-from", options->show_from_text,
                         &stacks->show_from, error);
}

static gboolean
check_numbers (PyroOptions *options, GError **error)
{
  guint64 max_size;

  if (options->max_size_mib < 1 || options->max_size_mib > MAX_MAX_SIZE_MIB) {
    g_set_error (error, PYRO_INSPECT_ERROR, PYRO_INSPECT_ERROR_VALUE,
                 "--max-size %d is not between 1 and %d MiB",
                 options->max_size_mib, MAX_MAX_SIZE_MIB);
    return FALSE;
  }
  if (options->rows < 0) {
    g_set_error (error, PYRO_INSPECT_ERROR, PYRO_INSPECT_ERROR_VALUE,
                 "-n %d is not a number of rows; 0 shows all", options->rows);
    return FALSE;
  }
  max_size = (guint64)options->max_size_mib * 1024 * 1024;
  options->limits.max_size = (gsize)MIN (max_size, G_MAXSIZE);
  /* As the defaults relate. */
  options->limits.max_memory = (gsize)MIN (
      max_size * (PYRO_PROFILE_MAX_MEMORY / PYRO_PROFILE_MAX_SIZE), G_MAXSIZE);
  return TRUE;
}

/* Cuts what was given into arguments and paths. */
static gboolean
take_paths (PyroOptions *options, const PyroOptionsSpec *spec, GError **error)
{
  guint n = options->rest != NULL ? g_strv_length (options->rest) : 0;

  if (n < spec->n_arguments) {
    g_set_error (error, PYRO_INSPECT_ERROR, PYRO_INSPECT_ERROR_VALUE,
                 "%s is not given (see --help)", spec->arguments);
    return FALSE;
  }
  options->arguments = g_new0 (gchar *, spec->n_arguments + 1);
  for (guint i = 0; i < spec->n_arguments; i++)
    options->arguments[i] = g_strdup (options->rest[i]);
  if (n == spec->n_arguments) {
    g_set_error_literal (error, PYRO_INSPECT_ERROR, PYRO_INSPECT_ERROR_VALUE,
                         "no file or folder is given (see --help)");
    return FALSE;
  }
  options->paths = g_strdupv (options->rest + spec->n_arguments);
  return TRUE;
}

static gboolean
check (PyroOptions *options, const PyroOptionsSpec *spec, GError **error)
{
  static const gchar *const formats[] = { "text", "json", NULL };
  static const gchar *const formats_csv[] = { "text", "json", "csv", NULL };
  static const gchar *const colors[] = { "auto", "always", "never", NULL };
  guint format = 0, color = 0, sort = 0;

  if (!choose ("--format", options->format_text,
               spec->csv ? formats_csv : formats, &format, error)
      || !choose ("--color", options->color_text, colors, &color, error)
      || (spec->sorts != NULL
          && !choose ("--sort", options->sort_text, spec->sorts, &sort, error))
      || !parse_filters (options, error)
      || !parse_stack_filters (options, error)
      || !pyro_time_range_parse (&options->range, options->since_text,
                                 options->until_text, options->last_text, error)
      || !check_numbers (options, error) || !take_paths (options, spec, error))
    return FALSE;
  options->json = format == 1;
  options->csv = format == 2;
  options->color = color;
  options->type = options->type_text;
  options->sort = spec->sorts != NULL ? spec->sorts[sort] : NULL;
  return TRUE;
}

/* "How many rows (default: 30), 0: all"; (transfer full) */
static gchar *
describe_rows (const PyroOptionsSpec *spec)
{
  return spec->rows == 0 ? g_strdup ("How many rows (default: all)")
                         : g_strdup_printf (
                             "How many rows (default: %d), 0: all", spec->rows);
}

gboolean
pyro_options_parse (PyroOptions *options, int argc, char **argv,
                    const PyroOptionsSpec *spec)
{
  g_autofree gchar *sorts
      = spec->sorts != NULL ? g_strjoinv (", ", (gchar **)spec->sorts) : NULL;
  g_autofree gchar *sort_help
      = g_strdup_printf ("Order of the rows: %s", sorts != NULL ? sorts : "");
  g_autofree gchar *rows_help = describe_rows (spec);
  const GOptionEntry of_rows[] = {
    { "sort", 0, 0, G_OPTION_ARG_STRING, &options->sort_text, sort_help, "BY" },
    { "rows", 'n', 0, G_OPTION_ARG_INT, &options->rows, rows_help, "N" },
    { NULL },
  };
  const GOptionEntry common[] = {
    { "format", 'f', 0, G_OPTION_ARG_STRING, &options->format_text,
      spec->csv ? "Output: text (default), json or csv"
                : "Output: text (default) or json",
      "FORMAT" },
    { "type", 't', 0, G_OPTION_ARG_STRING, &options->type_text,
      "Sample type (default: the profile's own, else cpu, else the last)",
      "TYPE" },
    { "filter", 'F', 0, G_OPTION_ARG_STRING_ARRAY, &options->filter_texts,
      "Only samples with this label, " PYRO_LABEL_NONE
      " for those without; again: all must match",
      "LABEL=VALUE" },
    { "focus", 0, 0, G_OPTION_ARG_STRING, &options->focus_text,
      "Only stacks with a function, file or mapping that matches", "REGEX" },
    { "ignore", 0, 0, G_OPTION_ARG_STRING, &options->ignore_text,
      "Only stacks without one", "REGEX" },
    { "hide", 0, 0, G_OPTION_ARG_STRING, &options->hide_text,
      "Leave such frames out", "REGEX" },
    { "show-from", 0, 0, G_OPTION_ARG_STRING, &options->show_from_text,
      "Begin stacks at the outermost such frame", "REGEX" },
    { "since", 0, 0, G_OPTION_ARG_STRING, &options->since_text,
      "Only captures that end after this", "TIME" },
    { "until", 0, 0, G_OPTION_ARG_STRING, &options->until_text,
      "Only captures that begin before this", "TIME" },
    { "last", 0, 0, G_OPTION_ARG_STRING, &options->last_text,
      "Only captures of so long before the end of the newest", "LENGTH" },
    { "color", 0, 0, G_OPTION_ARG_STRING, &options->color_text,
      "Colour and bars: auto (default), always or never", "WHEN" },
    { "max-size", 0, 0, G_OPTION_ARG_INT, &options->max_size_mib,
      "Refuse profiles that unpack to more (default: 256)", "MIB" },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options->rest,
      NULL, spec->arguments != NULL ? spec->arguments : "[PATH...]" },
    { NULL },
  };
  g_autofree gchar *program
      = g_strdup_printf ("gst-pyroscope-inspect %s", argv[0]);
  g_autofree gchar *below
      = g_strdup_printf ("%s%s%s", spec->description ? spec->description : "",
                         spec->description ? "\n\n" : "", COMMON_HELP);
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;

  *options = (PyroOptions){ .max_size_mib = DEFAULT_MAX_SIZE_MIB,
                            .rows = spec->rows };
  options->filters = g_array_new (FALSE, FALSE, sizeof (PyroLabelFilter));
  options->wanted = g_ptr_array_new ();
  g_array_set_clear_func (options->filters,
                          (GDestroyNotify)pyro_label_filter_clear);
  g_set_prgname (program);
  g_option_context_set_summary (context, spec->summary);
  g_option_context_set_description (context, below);
  if (spec->extra != NULL)
    g_option_context_add_main_entries (context, spec->extra, NULL);
  if (spec->sorts != NULL)
    g_option_context_add_main_entries (context, of_rows, NULL);
  g_option_context_add_main_entries (context, common, NULL);
  if (g_option_context_parse (context, &argc, &argv, &error)
      && check (options, spec, &error))
    return TRUE;
  pyro_report ("%s", error->message);
  return FALSE;
}

void
pyro_options_clear (PyroOptions *options)
{
  g_array_unref (options->filters);
  g_ptr_array_unref (options->wanted);
  pyro_stack_filter_clear (&options->stacks);
  g_free (options->format_text);
  g_free (options->type_text);
  g_free (options->color_text);
  g_free (options->sort_text);
  g_free (options->since_text);
  g_free (options->until_text);
  g_free (options->last_text);
  g_free (options->focus_text);
  g_free (options->ignore_text);
  g_free (options->hide_text);
  g_free (options->show_from_text);
  g_strfreev (options->filter_texts);
  g_strfreev (options->arguments);
  g_strfreev (options->paths);
  g_strfreev (options->rest);
}
