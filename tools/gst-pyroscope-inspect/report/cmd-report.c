/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../command.h"
#include "../commands.h"

#include <stdio.h>
#include <string.h>

#include "../inspect-error.h"
#include "../output.h"
#include "../selection.h"
#include "report-data.h"
#include "report-page.h"

#define WITHOUT                                                              \
  "this gst-pyroscope-inspect was built without the report (meson's option " \
  "\"report\", which needs npm); convert --to speedscope and folded write "  \
  "what other viewers open"

typedef struct {
  gchar *path;
  gchar *title;
} Report;

gboolean
pyro_report_is_built (void)
{
  return pyro_report_page_head != NULL;
}

static gboolean
prepare (gpointer self, PyroOptions *options, GError **error)
{
  const Report *report = self;

  options->mark_captures = TRUE;
  options->all_series = TRUE;
  if (pyro_report_is_built () && report->path != NULL)
    return TRUE;
  g_set_error_literal (error, PYRO_INSPECT_ERROR, PYRO_INSPECT_ERROR_VALUE,
                       pyro_report_is_built ()
                           ? "the file to write is not given: -o report.html"
                           : WITHOUT);
  return FALSE;
}

/* The group with the asked type, else that with cpu, comes first. */
static void
sort_groups (PyroInput *input, const gchar *type)
{
  for (guint i = 1; i < input->groups->len; i++) {
    const PyroInputGroup *group = input->groups->pdata[i];

    if (pyro_selection_find_type (group->profile, type != NULL ? type : "cpu")
        >= 0) {
      gpointer first = input->groups->pdata[0];

      input->groups->pdata[0] = input->groups->pdata[i];
      input->groups->pdata[i] = first;
      return;
    }
    if (pyro_selection_find_type (
            ((PyroInputGroup *)input->groups->pdata[0])->profile,
            type != NULL ? type : "cpu")
        >= 0)
      return;
  }
}

static gboolean
has_type (const PyroInput *input, const gchar *type)
{
  for (guint i = 0; i < input->groups->len; i++) {
    const PyroInputGroup *group = input->groups->pdata[i];

    if (pyro_selection_find_type (group->profile, type) >= 0)
      return TRUE;
  }
  return FALSE;
}

static gboolean
show (gpointer self, PyroInput *input, const PyroOptions *options,
      GError **error)
{
  const Report *report = self;
  g_autofree gchar *name = g_path_get_basename (options->paths[0]);
  PyroOutput output;

  if (options->type != NULL && !has_type (input, options->type)) {
    pyro_selection_set_unknown_type (input, options->type, error);
    return FALSE;
  }
  if (!pyro_selection_check (input->groups, options, error))
    return FALSE;
  sort_groups (input, options->type);
  if (!pyro_output_begin (&output, report->path, FALSE, error))
    return FALSE;
  fputs (pyro_report_page_head, stdout);
  pyro_report_data_write (input, report->title != NULL ? report->title : name,
                          options->type);
  fputs (pyro_report_page_tail, stdout);
  return pyro_output_end (&output, TRUE, error);
}

int
pyro_cmd_report (int argc, char **argv)
{
  Report report = { 0 };
  const GOptionEntry extra[] = {
    { "output", 'o', 0, G_OPTION_ARG_FILENAME, &report.path,
      "The HTML file to write, - for standard output", "FILE" },
    { "title", 0, 0, G_OPTION_ARG_FILENAME, &report.title,
      "The report's title (default: the first path's name)", "TEXT" },
    { NULL },
  };
  const PyroCommand command = {
    .options = {
      .summary = "Writes one HTML file with flame graphs by element, by "
                 "function, by thread and of\ncallers, which needs no network.",
      .description = "Keys in the page: 1 to 4 views, / search, arrows move, "
                     "Enter zooms, Escape goes\nback, ? lists them.",
      .extra = extra,
    },
    .prepare = prepare,
    .show = show,
    .self = &report,
  };
  int status = pyro_command_run (&command, argc, argv);

  g_free (report.path);
  g_free (report.title);
  return status;
}
