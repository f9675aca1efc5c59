/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "commands.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "csv.h"
#include "diff.h"
#include "fail-rule.h"
#include "inspect-error.h"
#include "json.h"
#include "quantity.h"
#include "text.h"

#define DEFAULT_ROWS 30
#define STATUS_FAILED_RULE 3

static const gchar *const sorts[] = { "delta", "name", "value", NULL };
static const gchar *const normalisations[] = { "none", "time", "cpu", NULL };

typedef struct {
  /* options */
  gchar *by_text;
  gchar *normalise_text;
  gchar **fail_texts;
  gboolean cum;

  gchar **by;
  PyroNormalise normalise;
  GPtrArray *rules; /* PyroFailRule */
  PyroOptions options;
  PyroInput *inputs[2];
  PyroSelection sides[2];
  GError *nothing[2]; /* why a side has no sample, or NULL */
  PyroDiff *diff;
  guint n_rows; /* to be shown */
} Diff;

static const PyroValueType *
type_of (const Diff *diff)
{
  return &diff->sides[0].profile->sample_types[diff->sides[0].type];
}

static gdouble
size_of (const PyroDiffRow *row)
{
  return MAX (fabs (row->a.scaled), fabs (row->b.scaled));
}

static gint
compare_rows (gconstpointer a, gconstpointer b, gpointer sort)
{
  const PyroDiffRow *x = *(const PyroDiffRow *const *)a;
  const PyroDiffRow *y = *(const PyroDiffRow *const *)b;
  gdouble first, second;

  if (strcmp (sort, "name") == 0)
    return strcmp (x->name, y->name);
  first = strcmp (sort, "value") == 0 ? size_of (x) : fabs (x->delta);
  second = strcmp (sort, "value") == 0 ? size_of (y) : fabs (y->delta);
  if (first != second)
    return first < second ? 1 : -1;
  return strcmp (x->name, y->name);
}

/* "12.50ms", "12.50ms/s", "1.25%" (transfer full) */
static gchar *
format_value (const Diff *diff, gdouble value, gboolean with_sign)
{
  const gchar *sign = with_sign && value > 0 ? "+" : "";
  g_autofree gchar *text = NULL;

  if (diff->normalise == PYRO_NORMALISE_CPU)
    return g_strdup_printf ("%s%.2f%%", sign, 100 * value);
  text = pyro_quantity_to_string ((gint64)CLAMP (value, -9e18, 9e18),
                                  type_of (diff)->unit);
  return g_strdup_printf ("%s%s%s", sign, text,
                          diff->normalise == PYRO_NORMALISE_TIME ? "/s" : "");
}

/* "+12.50%" of what it was; "new" and "gone" (transfer full) */
static gchar *
format_change (const PyroDiffRow *row)
{
  if (row->a.scaled == 0)
    return g_strdup (row->b.scaled == 0 ? "" : "new");
  if (row->b.scaled == 0)
    return g_strdup ("gone");
  return g_strdup_printf ("%+.2f%%", 100 * row->delta / fabs (row->a.scaled));
}

static void
print_row (const Diff *diff, const PyroTerminal *terminal,
           const PyroDiffRow *row)
{
  g_autofree gchar *a = format_value (diff, row->a.scaled, FALSE);
  g_autofree gchar *b = format_value (diff, row->b.scaled, FALSE);
  g_autofree gchar *delta = format_value (diff, row->delta, TRUE);
  g_autofree gchar *half = format_value (diff, row->half, FALSE);
  g_autofree gchar *change = format_change (row);
  g_autofree gchar *name = pyro_text_printable (row->name);
  const gchar *mark = !row->is_known ? "?" : row->significant ? "*" : "~";

  printf ("%s%11s %11s %12s %12s %9s %s %s%s\n",
          row->significant ? pyro_terminal_bold (terminal) : "", a, b, delta,
          row->is_known ? half : "", change, mark, name,
          row->significant ? pyro_terminal_reset (terminal) : "");
}

static void
print_side (const Diff *diff, guint side)
{
  const PyroSelection *selection = &diff->sides[side];
  g_autofree gchar *total = pyro_selection_describe_total (
      selection->profile, selection->type, selection->total);
  g_autofree gchar *text = g_strdup_printf (
      "%c %s, %u %s: %s", 'A' + side, total, selection->n_files,
      selection->n_files == 1 ? "file" : "files", diff->options.paths[side]);
  g_autofree gchar *printable = pyro_text_printable (text);

  printf ("%s\n", printable);
}

static void
print_text (const Diff *diff)
{
  g_autofree gchar *keys = g_strjoinv (", ", diff->by);
  g_autofree gchar *by = pyro_text_printable (keys);
  PyroTerminal terminal;
  guint n = diff->diff->rows->len;

  pyro_terminal_init (&terminal, diff->options.color);
  print_side (diff, 0);
  print_side (diff, 1);
  printf ("%s%11s %11s %12s %12s %9s   %s%s\n", pyro_terminal_bold (&terminal),
          "A", "B", "B - A", "+/- (95%)", "change", by,
          pyro_terminal_reset (&terminal));
  print_row (diff, &terminal, &diff->diff->total);
  for (guint i = 0; i < diff->n_rows; i++)
    print_row (diff, &terminal, diff->diff->rows->pdata[i]);
  if (diff->n_rows < n)
    printf ("and %u more (-n 0 shows all)\n", n - diff->n_rows);
  printf ("* more than the sampling's chance, ~ within it%s\n",
          diff->diff->total.is_known ? ""
                                     : ", ? nothing is known of the sampling");
}

static void
json_side (PyroJson *json, const gchar *key, const PyroDiffSide *side)
{
  pyro_json_begin_object (json, key);
  pyro_json_int (json, "flat", side->value);
  pyro_json_int (json, "cum", side->cum);
  pyro_json_double (json, "scaled", side->scaled);
  pyro_json_end_object (json);
}

static void
json_row (PyroJson *json, const gchar *key, const PyroDiffRow *row)
{
  pyro_json_begin_object (json, key);
  pyro_json_string (json, "name", row->name);
  if (row->parts != NULL && row->parts[1] != NULL) {
    pyro_json_begin_array (json, "names");
    for (guint i = 0; row->parts[i] != NULL; i++)
      pyro_json_string (json, NULL, row->parts[i]);
    pyro_json_end_array (json);
  }
  json_side (json, "a", &row->a);
  json_side (json, "b", &row->b);
  pyro_json_double (json, "delta", row->delta);
  if (row->is_known) {
    pyro_json_double (json, "low", row->delta - row->half);
    pyro_json_double (json, "high", row->delta + row->half);
  }
  pyro_json_bool (json, "significant", row->significant);
  pyro_json_end_object (json);
}

static void
print_json (const Diff *diff)
{
  g_autofree gchar *by = g_strjoinv (",", diff->by);
  PyroJson json;

  pyro_json_begin (&json, stdout);
  pyro_json_begin_object (&json, NULL);
  pyro_json_string (&json, "type", type_of (diff)->type);
  pyro_json_string (&json, "unit", type_of (diff)->unit);
  pyro_json_string (&json, "by", by);
  pyro_json_string (&json, "normalise", normalisations[diff->normalise]);
  json_row (&json, "total", &diff->diff->total);
  pyro_json_begin_array (&json, "rows");
  for (guint i = 0; i < diff->n_rows; i++)
    json_row (&json, NULL, diff->diff->rows->pdata[i]);
  pyro_json_end_array (&json);
  pyro_json_uint (&json, "left_out", diff->diff->rows->len - diff->n_rows);
  pyro_json_end_object (&json);
  pyro_json_end (&json);
}

static void
print_csv (const Diff *diff)
{
  for (guint k = 0; diff->by[k] != NULL; k++)
    pyro_csv_text (k == 0, diff->by[k]);
  pyro_csv_text (FALSE, "a");
  pyro_csv_text (FALSE, "b");
  pyro_csv_text (FALSE, "delta");
  pyro_csv_text (FALSE, "low");
  pyro_csv_text (FALSE, "high");
  pyro_csv_text (FALSE, "significant");
  pyro_csv_end ();
  for (guint i = 0; i < diff->n_rows; i++) {
    const PyroDiffRow *row = diff->diff->rows->pdata[i];

    for (guint k = 0; row->parts[k] != NULL; k++)
      pyro_csv_text (k == 0, row->parts[k]);
    pyro_csv_double (FALSE, row->a.scaled);
    pyro_csv_double (FALSE, row->b.scaled);
    pyro_csv_double (FALSE, row->delta);
    pyro_csv_double (FALSE, row->delta - row->half);
    pyro_csv_double (FALSE, row->delta + row->half);
    pyro_csv_text (FALSE, row->significant ? "yes" : "no");
    pyro_csv_end ();
  }
}

static gboolean
check_options (Diff *diff, GError **error)
{
  guint n = g_strv_length (diff->options.paths), i;

  if (n != 2) {
    g_set_error (error, PYRO_INSPECT_ERROR, PYRO_INSPECT_ERROR_VALUE,
                 "two paths are compared, and %u %s given; merge -o makes one "
                 "of several",
                 n, n == 1 ? "is" : "are");
    return FALSE;
  }
  for (i = 0; diff->normalise_text != NULL && normalisations[i] != NULL
              && strcmp (normalisations[i], diff->normalise_text) != 0;
       i++)
    ;
  if (normalisations[i] == NULL) {
    g_autofree gchar *suggestion
        = pyro_text_suggest (diff->normalise_text, normalisations);

    g_set_error (error, PYRO_INSPECT_ERROR, PYRO_INSPECT_ERROR_VALUE,
                 "--normalise \"%s\" is not known%s", diff->normalise_text,
                 suggestion);
    return FALSE;
  }
  diff->normalise = (PyroNormalise)i;
  for (gchar **text = diff->fail_texts; text != NULL && *text != NULL; text++) {
    PyroFailRule *rule = pyro_fail_rule_parse (*text, error);

    if (rule == NULL)
      return FALSE;
    g_ptr_array_add (diff->rules, rule);
    if (rule->key != NULL)
      g_ptr_array_add (diff->options.wanted, rule->key);
  }
  return pyro_table_parse_keys (diff->by_text != NULL ? diff->by_text
                                                      : "element",
                                &diff->by, diff->options.wanted, error);
}

static gboolean
read_side (Diff *diff, guint side, GError **error)
{
  gchar *const paths[] = { diff->options.paths[side], NULL };

  diff->inputs[side] = pyro_input_read (paths, &diff->options, error);
  if (diff->inputs[side] == NULL)
    return FALSE;
  if (diff->inputs[side]->groups->len == 0) {
    g_set_error (error, PYRO_INSPECT_ERROR, PYRO_INSPECT_ERROR_READ,
                 "%s has nothing to compare", diff->options.paths[side]);
    return FALSE;
  }
  if (pyro_selection_make (&diff->sides[side], diff->inputs[side],
                           &diff->options, &diff->nothing[side]))
    return TRUE;
  if (g_error_matches (diff->nothing[side], PYRO_INSPECT_ERROR,
                       PYRO_INSPECT_ERROR_NO_MATCH))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&diff->nothing[side]));
  return FALSE;
}

/* What the filters choose may be on one side only. */
static gboolean
check_filters (const Diff *diff, GError **error)
{
  const GError *reason = NULL;

  if (diff->inputs[0]->unmatched != NULL && diff->inputs[1]->unmatched != NULL)
    reason = diff->inputs[0]->unmatched;
  else if (diff->nothing[0] != NULL && diff->nothing[1] != NULL)
    reason = diff->nothing[0];
  if (reason != NULL)
    g_propagate_error (error, g_error_copy (reason));
  return reason == NULL;
}

/* A label may be on one side only, which an empty side says nothing of. */
static gboolean
check_keys (const Diff *diff, GError **error)
{
  const gchar *const *keys = (const gchar *const *)diff->by;
  const gboolean has_a = diff->nothing[0] == NULL;
  const gboolean has_b = diff->nothing[1] == NULL;

  if (has_a
      && pyro_table_check_keys (diff->sides[0].profile, keys,
                                diff->options.filters, has_b ? NULL : error))
    return TRUE;
  return has_b
         && pyro_table_check_keys (diff->sides[1].profile, keys,
                                   diff->options.filters, error);
}

static gboolean
check_sides (const Diff *diff, GError **error)
{
  const PyroSelection *b = &diff->sides[1];
  const PyroValueType *of_a = type_of (diff);
  const PyroValueType *of_b = &b->profile->sample_types[b->type];

  if (strcmp (of_a->type, of_b->type) != 0
      || strcmp (of_a->unit, of_b->unit) != 0) {
    g_set_error (error, PYRO_INSPECT_ERROR, PYRO_INSPECT_ERROR_VALUE,
                 "%s/%s and %s/%s cannot be compared (see --type)", of_a->type,
                 of_a->unit, of_b->type, of_b->unit);
    return FALSE;
  }
  if (diff->normalise == PYRO_NORMALISE_TIME
      && (diff->sides[0].profile->duration_ns <= 0
          || b->profile->duration_ns <= 0)) {
    g_set_error_literal (error, PYRO_INSPECT_ERROR, PYRO_INSPECT_ERROR_VALUE,
                         "--normalise time: a profile does not say how long it "
                         "took");
    return FALSE;
  }
  return TRUE;
}

static gboolean
compare (Diff *diff, GError **error)
{
  diff->options.may_match_nothing = TRUE;
  if (!check_options (diff, error) || !read_side (diff, 0, error)
      || !read_side (diff, 1, error) || !check_sides (diff, error)
      || !check_filters (diff, error) || !check_keys (diff, error))
    return FALSE;
  diff->diff = pyro_diff_new (&diff->sides[0], &diff->sides[1],
                              (const gchar *const *)diff->by, diff->cum,
                              diff->normalise);
  g_ptr_array_sort_with_data (diff->diff->rows, compare_rows,
                              (gpointer)diff->options.sort);
  diff->n_rows = diff->diff->rows->len;
  if (diff->options.rows > 0)
    diff->n_rows = MIN (diff->n_rows, (guint)diff->options.rows);
  return TRUE;
}

/* The exit status. */
static int
apply_rules (const Diff *diff)
{
  int status = diff->inputs[0]->failed || diff->inputs[1]->failed ? 1 : 0;

  for (guint i = 0; i < diff->rules->len; i++) {
    const PyroFailRule *rule = diff->rules->pdata[i];
    g_autofree gchar *message = NULL;
    g_autoptr (GError) error = NULL;
    gboolean failed
        = pyro_fail_rule_check (rule, &diff->sides[0], &diff->sides[1],
                                diff->cum, diff->normalise, &message, &error);

    if (error != NULL) {
      pyro_report ("%s", error->message);
      status = MAX (status, 1);
    } else if (failed) {
      pyro_report ("%s", message);
      status = STATUS_FAILED_RULE;
    }
  }
  return status;
}

static int
run (Diff *diff)
{
  g_autoptr (GError) error = NULL;

  if (!compare (diff, &error)) {
    pyro_report ("%s", error->message);
    return 1;
  }
  if (diff->options.json)
    print_json (diff);
  else if (diff->options.csv)
    print_csv (diff);
  else
    print_text (diff);
  fflush (stdout);
  return apply_rules (diff);
}

int
pyro_cmd_diff (int argc, char **argv)
{
  Diff diff = { .rules = g_ptr_array_new_with_free_func (pyro_fail_rule_free) };
  const GOptionEntry extra[] = {
    { "by", 'b', 0, G_OPTION_ARG_STRING, &diff.by_text,
      "element (default), function, line, mapping or another label; several "
      "between commas",
      "WHAT" },
    { "cum", 'c', 0, G_OPTION_ARG_NONE, &diff.cum,
      "Compare what functions cost with what they call", NULL },
    { "normalise", 0, 0, G_OPTION_ARG_STRING, &diff.normalise_text,
      "none (default), time: per second of the captures, cpu: as a share of "
      "the total",
      "BY" },
    { "fail-on", 0, 0, G_OPTION_ARG_STRING_ARRAY, &diff.fail_texts,
      "Exit with 3 if this has grown by more, for certain: "
      "element=x264enc0:+5%, total:+2%; -5%: fallen",
      "RULE" },
    { NULL },
  };
  const PyroOptionsSpec spec = {
    .summary = "Compares two profiles, or folders of them.",
    .description
    = "Each row has the difference and half of its 95% confidence interval, "
      "from what the\nprofile says of its sampling; how two runs differ for "
      "other reasons is not in it.\nThe exit status is 3 where a rule of "
      "--fail-on is broken.",
    .extra = extra,
    .csv = TRUE,
    .sorts = sorts,
    .rows = DEFAULT_ROWS,
  };
  int status = 1;

  if (pyro_options_parse (&diff.options, argc, argv, &spec))
    status = run (&diff);
  pyro_diff_free (diff.diff);
  pyro_input_free (diff.inputs[0]);
  pyro_input_free (diff.inputs[1]);
  g_clear_error (&diff.nothing[0]);
  g_clear_error (&diff.nothing[1]);
  pyro_options_clear (&diff.options);
  g_ptr_array_unref (diff.rules);
  g_strfreev (diff.by);
  g_strfreev (diff.fail_texts);
  g_free (diff.by_text);
  g_free (diff.normalise_text);
  return status;
}
