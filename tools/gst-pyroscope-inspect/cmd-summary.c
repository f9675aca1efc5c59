/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "command.h"
#include "commands.h"

#include <stdio.h>
#include <string.h>

#include "capture-facts.h"
#include "inspect-error.h"
#include "json.h"
#include "label-names.h"
#include "name-origins.h"
#include "quantity.h"
#include "selection.h"
#include "table.h"
#include "text.h"

#define NS_PER_SECOND G_GINT64_CONSTANT (1000000000)

/* Keys of the counters, as capture-facts leaves them. */
#define SAMPLES "samples"
#define DROPPED "dropped"
#define COMPLETE "complete"
#define TRUNCATED "truncated"
#define RESCUED "rescued"
#define OVERRUNS "overruns"
#define NAMES_CUT "names.cut"
#define NAMES_POSTPONED "names.postponed"

typedef struct {
  const PyroTerminal *terminal;
  const PyroInputGroup *group;
  guint type;
  gboolean filtered;
  PyroCaptureFacts facts;
  PyroTable *attribution; /* NULL: no such label */
  PyroTable *functions;
} Summary;

/* Frames that say why there is no stack: "[not sampled: signal blocked]". */
#define NOT_SAMPLED "[not sampled: "

/* "signal blocked" in "[not sampled: signal blocked]"; NULL: it is another
 * frame. (transfer full) */
static gchar *
get_reason (const PyroTableRow *row)
{
  gsize length = strlen (row->name);

  if (!g_str_has_prefix (row->name, NOT_SAMPLED) || row->flat == 0)
    return NULL;
  return g_strndup (row->name + strlen (NOT_SAMPLED),
                    length - strlen (NOT_SAMPLED) - 1);
}

/* NULL for times that no calendar has. (transfer full) */
static gchar *
format_time (gint64 time_ns, const gchar *format, gboolean utc)
{
  g_autoptr (GDateTime) time
      = utc ? g_date_time_new_from_unix_utc (time_ns / NS_PER_SECOND)
            : g_date_time_new_from_unix_local (time_ns / NS_PER_SECOND);

  return time != NULL ? g_date_time_format (time, format) : NULL;
}

static void print_line (const Summary *summary, const gchar *title,
                        const gchar *format, ...) G_GNUC_PRINTF (3, 4);

static void
print_line (const Summary *summary, const gchar *title, const gchar *format,
            ...)
{
  g_autofree gchar *text = NULL, *printable = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  printable = pyro_text_printable (text);
  printf ("%s%-12s%s %s\n", pyro_terminal_bold (summary->terminal), title,
          pyro_terminal_reset (summary->terminal), printable);
}

static void
print_what (const Summary *summary)
{
  const PyroProfile *profile = summary->group->profile;
  const gchar *name = pyro_fact_get (summary->facts.series, "__name__");
  const gchar *service = pyro_fact_get (summary->facts.series, "service_name");
  guint n = summary->group->n_files;

  if (name != NULL || service != NULL)
    print_line (summary, "profile", "%s of %s",
                name != NULL ? name : "(unnamed)",
                service != NULL ? service : "(unnamed)");
  print_line (summary, "files", "%u", n);
  if (profile->time_ns != 0) {
    g_autofree gchar *start
        = format_time (profile->time_ns, "%Y-%m-%d %H:%M:%S %z", FALSE);

    if (start != NULL)
      print_line (summary, "start", "%s", start);
    else
      print_line (summary, "start", "%" G_GINT64_FORMAT " ns",
                  profile->time_ns);
  }
  if (profile->duration_ns != 0) {
    g_autofree gchar *duration
        = pyro_quantity_to_string (profile->duration_ns, "nanoseconds");

    print_line (summary, "duration", "%s%s", duration, n > 1 ? " covered" : "");
  }
}

static void
print_sampler (const Summary *summary)
{
  const GArray *sampler = summary->facts.sampler;
  g_autoptr (GString) text = g_string_new (NULL);
  guint i;

  for (i = 0; i < sampler->len; i++) {
    const PyroFact *fact = &g_array_index (sampler, PyroFact, i);

    g_string_append_printf (text, "%s%s %s", i == 0 ? "" : ", ", fact->key,
                            fact->value);
  }
  if (sampler->len > 0)
    print_line (summary, "sampler", "%s", text->str);
}

/* "12 (0.6%)" of WHOLE. */
static void
append_share (GString *text, const gchar *title, gint64 count, gint64 whole)
{
  g_string_append_printf (text, "%s%s %" G_GINT64_FORMAT " (%.2f%%)",
                          text->len > 0 ? ", " : "", title, count,
                          pyro_percent (count, whole));
}

static void
print_reasons (const Summary *summary, gint64 samples)
{
  const GArray *reasons = summary->facts.truncated;
  g_autoptr (GString) text = g_string_new (NULL);
  gint64 count;
  guint i;

  for (i = 0; i < reasons->len; i++) {
    const gchar *key = g_array_index (reasons, PyroFact, i).key;

    if (pyro_fact_get_count (reasons, key, &count))
      append_share (text, key, count, samples);
  }
  if (text->len > 0)
    print_line (summary, "truncated by", "%s", text->str);
}

static void
print_stats (const Summary *summary)
{
  static const gchar *const stack_keys[] = { COMPLETE, TRUNCATED, RESCUED };
  const GArray *stats = summary->facts.stats;
  g_autoptr (GString) text = g_string_new (NULL);
  gint64 samples, count;
  guint i;

  if (!pyro_fact_get_count (stats, SAMPLES, &samples))
    return;
  g_string_append_printf (text, "%" G_GINT64_FORMAT " taken", samples);
  if (pyro_fact_get_count (stats, DROPPED, &count))
    append_share (text, DROPPED, count, samples + MAX (count, 0));
  if (pyro_fact_get_count (stats, OVERRUNS, &count))
    g_string_append_printf (text, ", " OVERRUNS " %" G_GINT64_FORMAT, count);
  print_line (summary, "samples", "%s", text->str);

  g_string_truncate (text, 0);
  for (i = 0; i < G_N_ELEMENTS (stack_keys); i++) {
    if (pyro_fact_get_count (stats, stack_keys[i], &count))
      append_share (text, stack_keys[i], count, samples);
  }
  if (text->len > 0)
    print_line (summary, "stacks", "%s", text->str);
  print_reasons (summary, samples);
  if (pyro_fact_get_count (stats, NAMES_CUT, &count))
    print_line (summary, "names",
                "%" G_GINT64_FORMAT " cut to what a server takes", count);
  if (pyro_fact_get_count (stats, NAMES_POSTPONED, &count))
    print_line (summary, "names",
                "%" G_GINT64_FORMAT
                " addresses were not looked up: the time to stop was over "
                "(gst-pyroscope-inspect symbolize looks them up)",
                count);
}

static void
print_totals (const Summary *summary)
{
  const PyroProfile *profile = summary->group->profile;
  gsize i;

  print_line (summary, "stored",
              "%" G_GSIZE_FORMAT " samples (stack and labels)",
              profile->n_samples);
  for (i = 0; i < profile->n_sample_types; i++) {
    g_autofree gchar *total
        = pyro_selection_describe_total (profile, i, summary->facts.totals[i]);

    print_line (summary, "total", "%s", total);
  }
}

static void
print_names (const Summary *summary)
{
  const PyroNameOrigins origins
      = pyro_name_origins_count (summary->group->profile, summary->type);

  if (origins.total > 0)
    print_line (
        summary, "names",
        "from symbols %.2f%%, from debug statements %.2f%%, none %.2f%%, "
        "of all frames by %s",
        pyro_percent (origins.values[PYRO_ORIGIN_SYMBOLS], origins.total),
        pyro_percent (origins.values[PYRO_ORIGIN_STATEMENTS], origins.total),
        pyro_percent (origins.values[PYRO_ORIGIN_NONE], origins.total),
        summary->group->profile->sample_types[summary->type].type);
}

static void
print_labels (const Summary *summary)
{
  const GArray *labels = summary->facts.labels;
  const gchar *type = summary->group->profile->sample_types[summary->type].type;
  gint64 total = summary->facts.totals[summary->type];
  guint i;

  for (i = 0; i < labels->len; i++) {
    const PyroLabelFact *fact = &g_array_index (labels, PyroLabelFact, i);

    print_line (summary, "label", "%s: %u %s, on %.2f%% of %s", fact->key,
                fact->n_values, fact->n_values == 1 ? "value" : "values",
                pyro_percent (fact->covered, total), type);
  }
  for (i = 0;
       summary->attribution != NULL && i < summary->attribution->rows->len;
       i++) {
    const PyroTableRow *row = summary->attribution->rows->pdata[i];

    print_line (summary, "attribution", "%s %.2f%% of %s", row->name,
                pyro_percent (row->flat, total), type);
  }
}

static void
print_not_sampled (const Summary *summary)
{
  const gchar *type = summary->group->profile->sample_types[summary->type].type;
  const GPtrArray *rows = summary->functions->rows;
  guint i;

  for (i = 0; i < rows->len; i++) {
    const PyroTableRow *row = rows->pdata[i];
    g_autofree gchar *reason = get_reason (row);

    if (reason != NULL)
      print_line (
          summary, "not sampled", "%s %.2f%% of %s", reason,
          pyro_percent (row->flat, summary->facts.totals[summary->type]), type);
  }
}

static void
print_text (const Summary *summary)
{
  const GArray *series = summary->facts.series;
  guint i;

  print_what (summary);
  print_sampler (summary);
  if (summary->filtered)
    print_line (summary, "counters",
                "are of the whole profile, not of the filter's "
                "share");
  print_stats (summary);
  print_totals (summary);
  print_not_sampled (summary);
  print_names (summary);
  print_labels (summary);
  for (i = 0; i < series->len; i++) {
    const PyroFact *fact = &g_array_index (series, PyroFact, i);

    print_line (summary, "series", "%s=%s", fact->key, fact->value);
  }
  for (i = 0; i < summary->facts.notes->len; i++)
    print_line (summary, "comment", "%s",
                (const gchar *)summary->facts.notes->pdata[i]);
}

/* Numbers where they are some. */
static void
json_facts (PyroJson *json, const gchar *key, const GArray *facts)
{
  guint i;

  pyro_json_begin_array (json, key);
  for (i = 0; i < facts->len; i++) {
    const PyroFact *fact = &g_array_index (facts, PyroFact, i);
    gint64 number;

    pyro_json_begin_object (json, NULL);
    pyro_json_string (json, "name", fact->key);
    if (g_ascii_string_to_signed (fact->value, 10, G_MININT64, G_MAXINT64,
                                  &number, NULL))
      pyro_json_int (json, "value", number);
    else
      pyro_json_string (json, "value", fact->value);
    pyro_json_end_object (json);
  }
  pyro_json_end_array (json);
}

static void
json_totals (PyroJson *json, const Summary *summary)
{
  const PyroProfile *profile = summary->group->profile;
  gsize i;

  pyro_json_begin_array (json, "totals");
  for (i = 0; i < profile->n_sample_types; i++) {
    pyro_json_begin_object (json, NULL);
    pyro_json_string (json, "type", profile->sample_types[i].type);
    pyro_json_string (json, "unit", profile->sample_types[i].unit);
    pyro_json_int (json, "value", summary->facts.totals[i]);
    pyro_json_end_object (json);
  }
  pyro_json_end_array (json);
}

static void
json_not_sampled (PyroJson *json, const Summary *summary)
{
  const GPtrArray *rows = summary->functions->rows;
  guint i;

  pyro_json_begin_array (json, "not_sampled");
  for (i = 0; i < rows->len; i++) {
    const PyroTableRow *row = rows->pdata[i];
    g_autofree gchar *reason = get_reason (row);

    if (reason == NULL)
      continue;
    pyro_json_begin_object (json, NULL);
    pyro_json_string (json, "name", reason);
    pyro_json_int (json, "value", row->flat);
    pyro_json_double (
        json, "percent",
        pyro_percent (row->flat, summary->facts.totals[summary->type]));
    pyro_json_end_object (json);
  }
  pyro_json_end_array (json);
}

static void
json_names (PyroJson *json, const Summary *summary)
{
  const PyroNameOrigins origins
      = pyro_name_origins_count (summary->group->profile, summary->type);

  pyro_json_begin_object (json, "names");
  pyro_json_double (
      json, "symbols_percent",
      pyro_percent (origins.values[PYRO_ORIGIN_SYMBOLS], origins.total));
  pyro_json_double (
      json, "debug_statements_percent",
      pyro_percent (origins.values[PYRO_ORIGIN_STATEMENTS], origins.total));
  pyro_json_double (
      json, "none_percent",
      pyro_percent (origins.values[PYRO_ORIGIN_NONE], origins.total));
  pyro_json_end_object (json);
  json_facts (json, "named_by", summary->facts.names);
}

static void
json_labels (PyroJson *json, const Summary *summary)
{
  gint64 total = summary->facts.totals[summary->type];
  guint i;

  pyro_json_begin_array (json, "labels");
  for (i = 0; i < summary->facts.labels->len; i++) {
    const PyroLabelFact *fact
        = &g_array_index (summary->facts.labels, PyroLabelFact, i);

    pyro_json_begin_object (json, NULL);
    pyro_json_string (json, "name", fact->key);
    pyro_json_uint (json, "values", fact->n_values);
    pyro_json_double (json, "covered_percent",
                      pyro_percent (fact->covered, total));
    pyro_json_end_object (json);
  }
  pyro_json_end_array (json);
  pyro_json_begin_array (json, "attribution");
  for (i = 0;
       summary->attribution != NULL && i < summary->attribution->rows->len;
       i++) {
    const PyroTableRow *row = summary->attribution->rows->pdata[i];

    pyro_json_begin_object (json, NULL);
    pyro_json_string (json, "name", row->name);
    pyro_json_int (json, "value", row->flat);
    pyro_json_double (json, "percent", pyro_percent (row->flat, total));
    pyro_json_end_object (json);
  }
  pyro_json_end_array (json);
}

static void
print_json (PyroJson *json, const Summary *summary)
{
  const PyroProfile *profile = summary->group->profile;
  const PyroCaptureFacts *facts = &summary->facts;
  g_autofree gchar *start = NULL;
  guint i;

  if (profile->time_ns != 0)
    start = format_time (profile->time_ns, "%Y-%m-%dT%H:%M:%SZ", TRUE);
  pyro_json_begin_object (json, NULL);
  pyro_json_uint (json, "files", summary->group->n_files);
  pyro_json_string (json, "start", start);
  pyro_json_int (json, "time_nanos", profile->time_ns);
  pyro_json_int (json, "duration_nanos", profile->duration_ns);
  pyro_json_int (json, "period", profile->period);
  pyro_json_string (json, "type", profile->sample_types[summary->type].type);
  pyro_json_uint (json, "stored_samples", profile->n_samples);
  json_totals (json, summary);
  json_not_sampled (json, summary);
  json_names (json, summary);
  json_labels (json, summary);
  json_facts (json, "series", facts->series);
  json_facts (json, "stats", facts->stats);
  json_facts (json, "truncated_by", facts->truncated);
  json_facts (json, "sampler", facts->sampler);
  pyro_json_begin_array (json, "comments");
  for (i = 0; i < facts->notes->len; i++)
    pyro_json_string (json, NULL, facts->notes->pdata[i]);
  pyro_json_end_array (json);
  pyro_json_end_object (json);
}

static void
summary_init (Summary *summary, const PyroTerminal *terminal,
              const PyroInputGroup *group, guint type, gboolean filtered)
{
  const PyroProfile *profile = group->profile;
  g_auto (GStrv) names = pyro_label_names (profile);

  *summary = (Summary){ terminal, group, type, filtered };
  pyro_capture_facts_init (&summary->facts, profile, type);
  if (g_strv_contains ((const gchar *const *)names, "attribution"))
    summary->attribution = pyro_table_new_by (profile, type, "attribution");
  summary->functions = pyro_table_new_by (profile, type, "function");
}

static void
summary_clear (Summary *summary)
{
  pyro_capture_facts_clear (&summary->facts);
  pyro_table_free (summary->attribution);
  pyro_table_free (summary->functions);
}

/* Of all groups, those that have the asked type, if one is asked for. */
static GPtrArray *
choose_groups (PyroInput *input, const PyroOptions *options, GError **error)
{
  g_autoptr (GPtrArray) groups = g_ptr_array_new ();
  guint i;

  for (i = 0; i < input->groups->len; i++) {
    const PyroInputGroup *group = input->groups->pdata[i];

    if (options->type == NULL
        || pyro_selection_find_type (group->profile, options->type) >= 0)
      g_ptr_array_add (groups, input->groups->pdata[i]);
  }
  if (groups->len == 0) {
    pyro_selection_set_unknown_type (input, options->type, error);
    return NULL;
  }
  return g_steal_pointer (&groups);
}

static gboolean
show (gpointer self, PyroInput *input, const PyroOptions *options,
      GError **error)
{
  g_autoptr (GPtrArray) groups = choose_groups (input, options, error);
  PyroTerminal terminal;
  PyroJson json;
  guint i;

  pyro_terminal_init (&terminal, options->color);
  if (groups == NULL || !pyro_selection_check (groups, options, error))
    return FALSE;
  if (options->json) {
    pyro_json_begin (&json, stdout);
    pyro_json_begin_object (&json, NULL);
    pyro_json_begin_array (&json, "profiles");
  }
  for (i = 0; i < groups->len; i++) {
    const PyroInputGroup *group = groups->pdata[i];
    guint type
        = options->type != NULL
              ? (guint)pyro_selection_find_type (group->profile, options->type)
              : pyro_selection_default_type (group->profile);
    Summary summary;

    summary_init (&summary, &terminal, group, type,
                  options->filters->len > 0
                      || !pyro_stack_filter_is_empty (&options->stacks));
    if (options->json) {
      print_json (&json, &summary);
    } else {
      if (i > 0)
        printf ("\n");
      print_text (&summary);
    }
    summary_clear (&summary);
  }
  if (options->json) {
    pyro_json_end_array (&json);
    pyro_json_end_object (&json);
    pyro_json_end (&json);
  }
  return TRUE;
}

int
pyro_cmd_summary (int argc, char **argv)
{
  const PyroCommand command = {
    .options.summary
    = "Says what was profiled, when and for how long, how many samples were "
      "taken, lost\nand cut, what they add up to, and which labels they have. "
      "Profiles of different\ntypes are summed up one after the other.",
    .show = show,
  };

  return pyro_command_run (&command, argc, argv);
}
