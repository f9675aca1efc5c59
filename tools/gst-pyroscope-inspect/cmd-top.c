/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "command.h"
#include "commands.h"

#include <stdio.h>

#include "csv.h"
#include "json.h"
#include "profile/saturated.h"
#include "quantity.h"
#include "selection.h"
#include "table.h"
#include "text.h"

#define DEFAULT_ROWS 30
#define BAR_WIDTH 16

typedef struct {
  /* options */
  gchar *by_text;
  gboolean cum;

  gchar **by; /* keys */
  PyroTableSort sort;

  PyroSelection selection;
  PyroTable *table;
  guint n_rows; /* to be shown */
} Top;

/* In the order of PyroTableSort. */
static const gchar *const sorts[] = { "flat", "cum", "name", NULL };

static const gchar *
unit (const Top *top)
{
  return top->selection.profile->sample_types[top->selection.type].unit;
}

/* The flat sum of the rows that are not shown. */
static gint64
rest (const Top *top)
{
  gint64 sum = 0;
  guint i;

  for (i = top->n_rows; i < top->table->rows->len; i++) {
    const PyroTableRow *row = top->table->rows->pdata[i];

    sum = pyro_saturated_add (sum, row->flat);
  }
  return sum;
}

static void
print_row (const Top *top, const PyroTerminal *terminal,
           const PyroTableRow *row, gint64 running)
{
  gint64 total = top->selection.total;
  const PyroTableRow *first = top->table->rows->pdata[0];
  gint64 value = top->sort == PYRO_SORT_CUM ? row->cum : row->flat;
  gint64 largest = top->sort == PYRO_SORT_CUM ? first->cum : first->flat;
  g_autofree gchar *flat = pyro_quantity_to_string (row->flat, unit (top));
  g_autofree gchar *cum = pyro_quantity_to_string (row->cum, unit (top));
  g_autofree gchar *name = pyro_text_printable (row->name);

  printf ("%s%10s %6.2f%% %6.2f%% %10s %6.2f%%  ",
          pyro_terminal_heat (terminal, pyro_percent (value, total)), flat,
          pyro_percent (row->flat, total), pyro_percent (running, total), cum,
          pyro_percent (row->cum, total));
  if (terminal->fancy) {
    g_autofree gchar *bar = pyro_terminal_bar (
        terminal, pyro_percent (value, largest) / 100, BAR_WIDTH);

    printf ("%s  ", bar);
  }
  printf ("%s%s\n", name, pyro_terminal_reset (terminal));
}

static void
print_text (const Top *top, const PyroTerminal *terminal)
{
  const PyroSelection *selection = &top->selection;
  g_autofree gchar *total = pyro_selection_describe_total (
      selection->profile, selection->type, selection->total);
  g_autofree gchar *text = pyro_text_printable (total);
  g_autofree gchar *keys = g_strjoinv (", ", top->by);
  g_autofree gchar *by = pyro_text_printable (keys);
  guint n = top->table->rows->len, i;
  gint64 running = 0;

  printf ("%s, %u %s\n", text, selection->n_files,
          selection->n_files == 1 ? "file" : "files");
  printf ("%s%10s %7s %7s %10s %7s  %*s%s%s\n", pyro_terminal_bold (terminal),
          "flat", "flat%", "sum%", "cum", "cum%",
          terminal->fancy ? BAR_WIDTH + 2 : 0, "", by,
          pyro_terminal_reset (terminal));
  for (i = 0; i < top->n_rows; i++) {
    const PyroTableRow *row = top->table->rows->pdata[i];

    running = pyro_saturated_add (running, row->flat);
    print_row (top, terminal, row, running);
  }
  if (n > top->n_rows) {
    gint64 sum = rest (top);
    g_autofree gchar *value = pyro_quantity_to_string (sum, unit (top));

    printf ("and %u more with %s, %.2f%% (-n 0 shows all)\n", n - top->n_rows,
            value, pyro_percent (sum, top->selection.total));
  }
}

static void
print_json (const Top *top)
{
  const PyroProfile *profile = top->selection.profile;
  gint64 total = top->selection.total, running = 0;
  g_autofree gchar *by = g_strjoinv (",", top->by);
  PyroJson json;
  guint i;

  pyro_json_begin (&json, stdout);
  pyro_json_begin_object (&json, NULL);
  pyro_json_string (&json, "type",
                    profile->sample_types[top->selection.type].type);
  pyro_json_string (&json, "unit", unit (top));
  pyro_json_string (&json, "by", by);
  pyro_json_string (&json, "sorted_by", sorts[top->sort]);
  pyro_json_int (&json, "total", total);
  pyro_json_int (&json, "duration_nanos", profile->duration_ns);
  pyro_json_uint (&json, "files", top->selection.n_files);
  pyro_json_begin_array (&json, "rows");
  for (i = 0; i < top->n_rows; i++) {
    const PyroTableRow *row = top->table->rows->pdata[i];

    running = pyro_saturated_add (running, row->flat);
    pyro_json_begin_object (&json, NULL);
    pyro_json_string (&json, "name", row->name);
    if (top->by[1] != NULL) {
      pyro_json_begin_array (&json, "names");
      for (guint k = 0; row->parts[k] != NULL; k++)
        pyro_json_string (&json, NULL, row->parts[k]);
      pyro_json_end_array (&json);
    }
    pyro_json_int (&json, "flat", row->flat);
    pyro_json_double (&json, "flat_percent", pyro_percent (row->flat, total));
    pyro_json_double (&json, "sum_percent", pyro_percent (running, total));
    pyro_json_int (&json, "cum", row->cum);
    pyro_json_double (&json, "cum_percent", pyro_percent (row->cum, total));
    pyro_json_end_object (&json);
  }
  pyro_json_end_array (&json);
  pyro_json_begin_object (&json, "left_out");
  pyro_json_uint (&json, "rows", top->table->rows->len - top->n_rows);
  pyro_json_int (&json, "flat", rest (top));
  pyro_json_end_object (&json);
  pyro_json_end_object (&json);
  pyro_json_end (&json);
}

static void
print_csv (const Top *top)
{
  gint64 total = top->selection.total;
  guint i, k;

  for (k = 0; top->by[k] != NULL; k++)
    pyro_csv_text (k == 0, top->by[k]);
  pyro_csv_text (FALSE, "flat");
  pyro_csv_text (FALSE, "flat_percent");
  pyro_csv_text (FALSE, "cum");
  pyro_csv_text (FALSE, "cum_percent");
  pyro_csv_text (FALSE, "unit");
  pyro_csv_end ();
  for (i = 0; i < top->n_rows; i++) {
    const PyroTableRow *row = top->table->rows->pdata[i];

    for (k = 0; row->parts[k] != NULL; k++)
      pyro_csv_text (k == 0, row->parts[k]);
    pyro_csv_int (FALSE, row->flat);
    pyro_csv_double (FALSE, pyro_percent (row->flat, total));
    pyro_csv_int (FALSE, row->cum);
    pyro_csv_double (FALSE, pyro_percent (row->cum, total));
    pyro_csv_text (FALSE, unit (top));
    pyro_csv_end ();
  }
}

static gboolean
prepare (gpointer self, PyroOptions *options, GError **error)
{
  Top *top = self;

  for (guint i = 0; sorts[i] != NULL; i++) {
    if (options->sort == sorts[i])
      top->sort = (PyroTableSort)i;
  }
  if (top->cum)
    top->sort = PYRO_SORT_CUM;
  return pyro_table_parse_keys (top->by_text != NULL ? top->by_text
                                                     : "function",
                                &top->by, options->wanted, error);
}

static gboolean
show (gpointer self, PyroInput *input, const PyroOptions *options,
      GError **error)
{
  Top *top = self;
  const gchar *const *keys = (const gchar *const *)top->by;

  if (!pyro_selection_make (&top->selection, input, options, error)
      || !pyro_table_check_keys (top->selection.profile, keys, options->filters,
                                 error))
    return FALSE;
  top->table = pyro_table_new (top->selection.profile, top->selection.type,
                               keys, top->sort);
  top->n_rows = top->table->rows->len;
  if (options->rows > 0)
    top->n_rows = MIN (top->n_rows, (guint)options->rows);
  if (options->json) {
    print_json (top);
  } else if (options->csv) {
    print_csv (top);
  } else {
    PyroTerminal terminal;

    pyro_terminal_init (&terminal, options->color);
    print_text (top, &terminal);
  }
  return TRUE;
}

int
pyro_cmd_top (int argc, char **argv)
{
  Top top = { 0 };
  const GOptionEntry extra[] = {
    { "by", 'b', 0, G_OPTION_ARG_STRING, &top.by_text,
      "function (default), line, mapping, or a label: element, factory, "
      "thread, pipeline, ...; several between commas",
      "WHAT" },
    { "cum", 'c', 0, G_OPTION_ARG_NONE, &top.cum, "The same as --sort cum",
      NULL },
    { NULL },
  };
  const PyroCommand command = {
    .options = {
      .summary
      = "Shows where the time (or the sample type that --type names) went.",
      .description
      = "flat is what was spent in the function itself, cum includes what it "
        "called. For\nlines and mappings alike; for labels, which have no "
        "stack, both are the same.\n--by label:function is a label of that "
        "name.",
      .extra = extra,
      .csv = TRUE,
      .sorts = sorts,
      .rows = DEFAULT_ROWS,
    },
    .prepare = prepare,
    .show = show,
    .self = &top,
  };
  int status = pyro_command_run (&command, argc, argv);

  pyro_table_free (top.table);
  g_strfreev (top.by);
  g_free (top.by_text);
  return status;
}
