/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "options.h"

#include <string.h>

#include "inspect-error.h"
#include "label-names.h"
#include "text.h"

#define DEFAULT_MAX_SIZE_MIB 256
#define MAX_MAX_SIZE_MIB (1024 * 1024)

#define COMMON_HELP                                                          \
  "Paths are files of any tool's pprof profiles, gzipped or not, folders\n"  \
  "of them (*.pb.gz, *.pb and *.pprof, at any depth), or - for standard\n"   \
  "input. Profiles of the same types are merged. The exit status is 0, or\n" \
  "1 where anything was wrong."

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

/* "LABEL=VALUE" is cut in two in place. */
static gboolean
parse_filters (PyroOptions *options, GError **error)
{
  gchar **text;

  for (text = options->filter_texts; text != NULL && *text != NULL; text++) {
    PyroLabel filter = { *text, NULL };
    gchar *equals = strchr (*text, '=');

    if (equals == NULL || equals == *text) {
      g_set_error (error, PYRO_INSPECT_ERROR, PYRO_INSPECT_ERROR_VALUE,
                   "--filter \"%s\" is not LABEL=VALUE", *text);
      return FALSE;
    }
    *equals = '\0';
    if (strcmp (equals + 1, PYRO_LABEL_NONE) != 0)
      filter.value = equals + 1;
    g_array_append_val (options->filters, filter);
  }
  return TRUE;
}

static gboolean
check (PyroOptions *options, GError **error)
{
  static const gchar *const formats[] = { "text", "json", NULL };
  static const gchar *const colors[] = { "auto", "always", "never", NULL };
  guint format = 0, color = 0;
  guint64 max_size;

  if (!choose ("--format", options->format_text, formats, &format, error)
      || !choose ("--color", options->color_text, colors, &color, error)
      || !parse_filters (options, error))
    return FALSE;
  if (options->max_size_mib < 1 || options->max_size_mib > MAX_MAX_SIZE_MIB) {
    g_set_error (error, PYRO_INSPECT_ERROR, PYRO_INSPECT_ERROR_VALUE,
                 "--max-size %d is not between 1 and %d MiB",
                 options->max_size_mib, MAX_MAX_SIZE_MIB);
    return FALSE;
  }
  if (options->paths == NULL) {
    g_set_error_literal (error, PYRO_INSPECT_ERROR, PYRO_INSPECT_ERROR_VALUE,
                         "no file or folder is given (see --help)");
    return FALSE;
  }
  options->json = format == 1;
  options->color = color;
  options->type = options->type_text;
  max_size = (guint64)options->max_size_mib * 1024 * 1024;
  options->limits.max_size = (gsize)MIN (max_size, G_MAXSIZE);
  /* As the defaults relate. */
  options->limits.max_memory = (gsize)MIN (
      max_size * (PYRO_PROFILE_MAX_MEMORY / PYRO_PROFILE_MAX_SIZE), G_MAXSIZE);
  return TRUE;
}

gboolean
pyro_options_parse (PyroOptions *options, int argc, char **argv,
                    const gchar *summary, const GOptionEntry *extra,
                    const gchar *description)
{
  const GOptionEntry common[] = {
    { "format", 'f', 0, G_OPTION_ARG_STRING, &options->format_text,
      "Output: text (default) or json", "FORMAT" },
    { "type", 't', 0, G_OPTION_ARG_STRING, &options->type_text,
      "Sample type (default: the profile's own, else cpu, else the last)",
      "TYPE" },
    { "filter", 'F', 0, G_OPTION_ARG_STRING_ARRAY, &options->filter_texts,
      "Only samples with this label, " PYRO_LABEL_NONE
      " for those without; again: all must match",
      "LABEL=VALUE" },
    { "color", 0, 0, G_OPTION_ARG_STRING, &options->color_text,
      "Colour and bars: auto (default), always or never", "WHEN" },
    { "max-size", 0, 0, G_OPTION_ARG_INT, &options->max_size_mib,
      "Refuse profiles that unpack to more (default: 256)", "MIB" },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options->paths,
      NULL, "PATH..." },
    { NULL },
  };
  g_autofree gchar *program
      = g_strdup_printf ("gst-pyroscope-inspect %s", argv[0]);
  g_autofree gchar *below
      = g_strdup_printf ("%s%s%s", description != NULL ? description : "",
                         description != NULL ? "\n\n" : "", COMMON_HELP);
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;

  *options = (PyroOptions){ .max_size_mib = DEFAULT_MAX_SIZE_MIB };
  options->filters = g_array_new (FALSE, FALSE, sizeof (PyroLabel));
  g_set_prgname (program);
  g_option_context_set_summary (context, summary);
  g_option_context_set_description (context, below);
  if (extra != NULL)
    g_option_context_add_main_entries (context, extra, NULL);
  g_option_context_add_main_entries (context, common, NULL);
  if (g_option_context_parse (context, &argc, &argv, &error)
      && check (options, &error))
    return TRUE;
  pyro_report ("%s", error->message);
  return FALSE;
}

void
pyro_options_clear (PyroOptions *options)
{
  g_array_unref (options->filters);
  g_free (options->format_text);
  g_free (options->type_text);
  g_free (options->color_text);
  g_strfreev (options->filter_texts);
  g_strfreev (options->paths);
}
