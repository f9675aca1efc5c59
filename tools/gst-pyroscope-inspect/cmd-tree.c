/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The commands tree and peek, which differ in what they leave out. */
#include "command.h"
#include "commands.h"

#include <stdio.h>

#include "call-graph.h"
#include "csv.h"
#include "filter-option.h"
#include "inspect-error.h"
#include "json.h"
#include "quantity.h"
#include "selection.h"
#include "text.h"

#define DEFAULT_ROWS 30

/* In the order of PyroTableSort. */
static const gchar *const sorts[] = { "flat", "cum", "name", NULL };

typedef struct {
  gboolean is_peek;
  PyroTableSort sort;
  GRegex *regex; /* NULL: all functions */
  PyroSelection selection;
  const gchar *unit;
  GPtrArray *shown; /* PyroCallNode, borrowed */
  guint n_left_out;
} Tree;

static void
print_edge (const Tree *tree, const PyroCallNode *node,
            const PyroCallEdge *edge)
{
  const PyroCallNode *other
      = edge->caller == node ? edge->callee : edge->caller;
  g_autofree gchar *value = pyro_quantity_to_string (edge->value, tree->unit);
  g_autofree gchar *name = pyro_text_printable (other->name);

  printf ("%49s %6.2f%% |   %s\n", value, pyro_percent (edge->value, node->cum),
          name);
}

static void
print_node (const Tree *tree, const PyroTerminal *terminal,
            const PyroCallNode *node)
{
  gint64 total = tree->selection.total;
  g_autofree gchar *flat = pyro_quantity_to_string (node->flat, tree->unit);
  g_autofree gchar *cum = pyro_quantity_to_string (node->cum, tree->unit);
  g_autofree gchar *name = pyro_text_printable (node->name);
  guint i;

  for (i = 0; i < node->callers->len; i++)
    print_edge (tree, node, node->callers->pdata[i]);
  printf ("%s%10s %6.2f%% %10s %6.2f%%                     | %s%s\n",
          pyro_terminal_bold (terminal), flat, pyro_percent (node->flat, total),
          cum, pyro_percent (node->cum, total), name,
          pyro_terminal_reset (terminal));
  for (i = 0; i < node->callees->len; i++)
    print_edge (tree, node, node->callees->pdata[i]);
}

static void
print_line (void)
{
  printf ("----------------------------------------------------------+---------"
          "----\n");
}

static void
print_text (const Tree *tree, const PyroTerminal *terminal)
{
  const PyroSelection *selection = &tree->selection;
  g_autofree gchar *total = pyro_selection_describe_total (
      selection->profile, selection->type, selection->total);
  g_autofree gchar *text = pyro_text_printable (total);

  printf ("%s, %u %s\n", text, selection->n_files,
          selection->n_files == 1 ? "file" : "files");
  printf ("%10s %7s %10s %7s %12s %7s | callers, function, callees\n", "flat",
          "flat%", "cum", "cum%", "calls", "calls%");
  print_line ();
  for (guint i = 0; i < tree->shown->len; i++) {
    print_node (tree, terminal, tree->shown->pdata[i]);
    print_line ();
  }
  if (tree->n_left_out > 0)
    printf ("and %u more functions (-n 0 shows all)\n", tree->n_left_out);
}

static void
json_edges (PyroJson *json, const gchar *key, const PyroCallNode *node,
            const GPtrArray *edges)
{
  pyro_json_begin_array (json, key);
  for (guint i = 0; i < edges->len; i++) {
    const PyroCallEdge *edge = edges->pdata[i];
    const PyroCallNode *other
        = edge->caller == node ? edge->callee : edge->caller;

    pyro_json_begin_object (json, NULL);
    pyro_json_string (json, "name", other->name);
    pyro_json_int (json, "value", edge->value);
    pyro_json_end_object (json);
  }
  pyro_json_end_array (json);
}

static void
print_json (const Tree *tree)
{
  const PyroProfile *profile = tree->selection.profile;
  gint64 total = tree->selection.total;
  PyroJson json;

  pyro_json_begin (&json, stdout);
  pyro_json_begin_object (&json, NULL);
  pyro_json_string (&json, "type",
                    profile->sample_types[tree->selection.type].type);
  pyro_json_string (&json, "unit", tree->unit);
  pyro_json_int (&json, "total", total);
  pyro_json_uint (&json, "files", tree->selection.n_files);
  pyro_json_begin_array (&json, "functions");
  for (guint i = 0; i < tree->shown->len; i++) {
    const PyroCallNode *node = tree->shown->pdata[i];

    pyro_json_begin_object (&json, NULL);
    pyro_json_string (&json, "name", node->name);
    pyro_json_int (&json, "flat", node->flat);
    pyro_json_double (&json, "flat_percent", pyro_percent (node->flat, total));
    pyro_json_int (&json, "cum", node->cum);
    pyro_json_double (&json, "cum_percent", pyro_percent (node->cum, total));
    json_edges (&json, "callers", node, node->callers);
    json_edges (&json, "callees", node, node->callees);
    pyro_json_end_object (&json);
  }
  pyro_json_end_array (&json);
  pyro_json_uint (&json, "left_out", tree->n_left_out);
  pyro_json_end_object (&json);
  pyro_json_end (&json);
}

static void
csv_row (const gchar *kind, const gchar *function, const gchar *other,
         gint64 flat, gint64 cum)
{
  pyro_csv_text (TRUE, function);
  pyro_csv_text (FALSE, kind);
  pyro_csv_text (FALSE, other);
  pyro_csv_int (FALSE, flat);
  pyro_csv_int (FALSE, cum);
  pyro_csv_end ();
}

static void
print_csv (const Tree *tree)
{
  guint i, k;

  pyro_csv_header ("function", "row", "other", "flat", "cum", NULL);
  for (i = 0; i < tree->shown->len; i++) {
    const PyroCallNode *node = tree->shown->pdata[i];

    csv_row ("self", node->name, "", node->flat, node->cum);
    for (k = 0; k < node->callers->len; k++) {
      const PyroCallEdge *edge = node->callers->pdata[k];

      csv_row ("caller", node->name, edge->caller->name, 0, edge->value);
    }
    for (k = 0; k < node->callees->len; k++) {
      const PyroCallEdge *edge = node->callees->pdata[k];

      csv_row ("callee", node->name, edge->callee->name, 0, edge->value);
    }
  }
}

static gboolean
prepare (gpointer self, PyroOptions *options, GError **error)
{
  Tree *tree = self;

  for (guint i = 0; sorts[i] != NULL; i++) {
    if (options->sort == sorts[i])
      tree->sort = (PyroTableSort)i;
  }
  if (!tree->is_peek)
    return TRUE;
  tree->regex = pyro_regex_parse ("FUNCTION", options->arguments[0], error);
  return tree->regex != NULL;
}

static gboolean
choose_nodes (Tree *tree, const PyroCallGraph *graph,
              const PyroOptions *options, GError **error)
{
  tree->shown = g_ptr_array_new ();
  for (guint i = 0; i < graph->nodes->len; i++) {
    PyroCallNode *node = graph->nodes->pdata[i];

    if (tree->regex != NULL
        && !g_regex_match (tree->regex, node->name, 0, NULL))
      continue;
    if (options->rows > 0 && tree->shown->len == (guint)options->rows)
      tree->n_left_out++;
    else
      g_ptr_array_add (tree->shown, node);
  }
  if (tree->regex == NULL || tree->shown->len > 0)
    return TRUE;
  g_set_error (error, PYRO_INSPECT_ERROR, PYRO_INSPECT_ERROR_NO_MATCH,
               "no function of %u matches \"%s\"", graph->nodes->len,
               g_regex_get_pattern (tree->regex));
  return FALSE;
}

static gboolean
show (gpointer self, PyroInput *input, const PyroOptions *options,
      GError **error)
{
  Tree *tree = self;
  PyroSelection *selection = &tree->selection;
  g_autoptr (PyroCallGraph) graph = NULL;

  if (!pyro_selection_make (selection, input, options, error))
    return FALSE;
  tree->unit = selection->profile->sample_types[selection->type].unit;
  graph = pyro_call_graph_new (selection->profile, selection->type, tree->sort);
  if (!choose_nodes (tree, graph, options, error))
    return FALSE;
  if (options->json) {
    print_json (tree);
  } else if (options->csv) {
    print_csv (tree);
  } else {
    PyroTerminal terminal;

    pyro_terminal_init (&terminal, options->color);
    print_text (tree, &terminal);
  }
  return TRUE;
}

static int
run (Tree *tree, const PyroOptionsSpec *spec, int argc, char **argv)
{
  const PyroCommand command
      = { .options = *spec, .prepare = prepare, .show = show, .self = tree };
  int status = pyro_command_run (&command, argc, argv);

  g_clear_pointer (&tree->regex, g_regex_unref);
  g_clear_pointer (&tree->shown, g_ptr_array_unref);
  return status;
}

int
pyro_cmd_tree (int argc, char **argv)
{
  Tree tree = { 0 };
  const PyroOptionsSpec spec = {
    .summary = "Shows each function with its callers above it and its callees "
               "below it.",
    .description
    = "flat and cum are those of top; calls is what came from the caller, or "
      "went to the\ncallee, and calls% its share of the function's cum.",
    .csv = TRUE,
    .sorts = sorts,
    .rows = DEFAULT_ROWS,
  };

  return run (&tree, &spec, argc, argv);
}

int
pyro_cmd_peek (int argc, char **argv)
{
  Tree tree = { .is_peek = TRUE };
  const PyroOptionsSpec spec = {
    .summary = "Shows the functions whose names match the regular expression "
               "FUNCTION, each with\nits callers and callees.",
    .arguments = "FUNCTION PATH...",
    .n_arguments = 1,
    .csv = TRUE,
    .sorts = sorts,
  };

  return run (&tree, &spec, argc, argv);
}
