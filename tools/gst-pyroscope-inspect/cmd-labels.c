/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "command.h"
#include "commands.h"

#include <stdio.h>
#include <string.h>

#include "csv.h"
#include "json.h"
#include "label-names.h"
#include "quantity.h"
#include "selection.h"
#include "table.h"
#include "text.h"

#define DEFAULT_ROWS 10

static const gchar *const sorts[] = { "value", "name", NULL };

typedef struct {
  PyroSelection selection;
  const gchar *unit;
  guint rows; /* of each label, 0: all */
  PyroTableSort sort;
} Labels;

static void
print_value (const Labels *labels, const PyroTableRow *row)
{
  g_autofree gchar *value = pyro_quantity_to_string (row->flat, labels->unit);
  g_autofree gchar *name = pyro_text_printable (row->name);

  printf ("%12s %6.2f%%  %s\n", value,
          pyro_percent (row->flat, labels->selection.total), name);
}

static void
print_label (const Labels *labels, const PyroTerminal *terminal,
             const gchar *key, const GPtrArray *rows, guint n)
{
  g_autofree gchar *name = pyro_text_printable (key);

  printf ("%s%s%s: %u %s\n", pyro_terminal_bold (terminal), name,
          pyro_terminal_reset (terminal), rows->len,
          rows->len == 1 ? "value" : "values");
  for (guint i = 0; i < n; i++)
    print_value (labels, rows->pdata[i]);
  if (n < rows->len)
    printf ("%12s and %u more (-n 0 shows all)\n", "", rows->len - n);
}

static void
json_label (const Labels *labels, PyroJson *json, const gchar *key,
            const GPtrArray *rows, guint n)
{
  pyro_json_begin_object (json, NULL);
  pyro_json_string (json, "name", key);
  pyro_json_uint (json, "n_values", rows->len);
  pyro_json_begin_array (json, "values");
  for (guint i = 0; i < n; i++) {
    const PyroTableRow *row = rows->pdata[i];

    pyro_json_begin_object (json, NULL);
    pyro_json_string (json, "name", row->name);
    pyro_json_int (json, "value", row->flat);
    pyro_json_double (json, "percent",
                      pyro_percent (row->flat, labels->selection.total));
    pyro_json_end_object (json);
  }
  pyro_json_end_array (json);
  pyro_json_end_object (json);
}

static void
csv_label (const Labels *labels, const gchar *key, const GPtrArray *rows,
           guint n)
{
  for (guint i = 0; i < n; i++) {
    const PyroTableRow *row = rows->pdata[i];

    pyro_csv_text (TRUE, key);
    pyro_csv_text (FALSE, row->name);
    pyro_csv_int (FALSE, row->flat);
    pyro_csv_double (FALSE, pyro_percent (row->flat, labels->selection.total));
    pyro_csv_text (FALSE, labels->unit);
    pyro_csv_end ();
  }
}

static void
begin (const Labels *labels, const PyroOptions *options, PyroJson *json)
{
  const PyroProfile *profile = labels->selection.profile;
  guint type = labels->selection.type;
  g_autofree gchar *total
      = pyro_selection_describe_total (profile, type, labels->selection.total);
  g_autofree gchar *text = pyro_text_printable (total);

  if (options->json) {
    pyro_json_begin (json, stdout);
    pyro_json_begin_object (json, NULL);
    pyro_json_string (json, "type", profile->sample_types[type].type);
    pyro_json_string (json, "unit", labels->unit);
    pyro_json_int (json, "total", labels->selection.total);
    pyro_json_begin_array (json, "labels");
  } else if (options->csv) {
    pyro_csv_header ("label", "name", "value", "percent", "unit", NULL);
  } else {
    printf ("%s\n", text);
  }
}

static gboolean
prepare (gpointer self, PyroOptions *options, GError **error)
{
  Labels *labels = self;

  options->all_series = TRUE;
  labels->sort
      = strcmp (options->sort, "name") == 0 ? PYRO_SORT_NAME : PYRO_SORT_FLAT;
  labels->rows = (guint)options->rows;
  return TRUE;
}

static gboolean
show (gpointer self, PyroInput *input, const PyroOptions *options,
      GError **error)
{
  Labels *labels = self;
  PyroSelection *selection = &labels->selection;
  g_auto (GStrv) keys = NULL;
  PyroTerminal terminal;
  PyroJson json;

  pyro_terminal_init (&terminal, options->color);
  if (!pyro_selection_make (selection, input, options, error))
    return FALSE;
  labels->unit = selection->profile->sample_types[selection->type].unit;
  keys = pyro_label_names (selection->profile);
  begin (labels, options, &json);
  for (guint i = 0; keys[i] != NULL; i++) {
    g_autofree gchar *key = g_strconcat ("label:", keys[i], NULL);
    const gchar *const by[] = { key, NULL };
    g_autoptr (PyroTable) table = pyro_table_new (
        selection->profile, selection->type, by, labels->sort);
    guint n = labels->rows > 0 ? MIN (labels->rows, table->rows->len)
                               : table->rows->len;

    if (options->json)
      json_label (labels, &json, keys[i], table->rows, n);
    else if (options->csv)
      csv_label (labels, keys[i], table->rows, n);
    else
      print_label (labels, &terminal, keys[i], table->rows, n);
  }
  if (options->json) {
    pyro_json_end_array (&json);
    pyro_json_end_object (&json);
    pyro_json_end (&json);
  }
  return TRUE;
}

int
pyro_cmd_labels (int argc, char **argv)
{
  Labels labels = { 0 };
  const PyroCommand command = {
    .options = {
      .summary = "Shows the labels of samples and series, and what their "
                 "values sum up to.",
      .csv = TRUE,
      .sorts = sorts,
      .rows = DEFAULT_ROWS,
    },
    .prepare = prepare,
    .show = show,
    .self = &labels,
  };

  return pyro_command_run (&command, argc, argv);
}
