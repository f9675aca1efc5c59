/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "command.h"
#include "commands.h"

#include <stdio.h>

#include "converters.h"
#include "json.h"
#include "label-names.h"
#include "selection.h"
#include "stack-tree.h"
#include "text.h"

static void
print_stack (const PyroStackTree *tree, const guint *path, guint depth,
             gpointer data)
{
  gint64 value = pyro_stack_tree_get (tree, path[depth - 1])->self;

  if (value == 0)
    return;
  for (guint k = 0; k < depth; k++) {
    g_autofree gchar *name
        = pyro_text_folded (pyro_stack_tree_name (tree, path[k]));

    printf ("%s%s", k == 0 ? "" : ";", name);
  }
  printf (" %" G_GINT64_FORMAT "\n", value);
}

static void
json_stack (const PyroStackTree *tree, const guint *path, guint depth,
            gpointer data)
{
  gint64 value = pyro_stack_tree_get (tree, path[depth - 1])->self;
  PyroJson *json = data;

  if (value == 0)
    return;
  pyro_json_begin_object (json, NULL);
  pyro_json_begin_array (json, "frames");
  for (guint k = 0; k < depth; k++)
    pyro_json_string (json, NULL, pyro_stack_tree_name (tree, path[k]));
  pyro_json_end_array (json);
  pyro_json_int (json, "value", value);
  pyro_json_end_object (json);
}

void
pyro_print_folded (const PyroSelection *selection, const gchar *const *roots)
{
  g_autoptr (PyroStackTree) tree
      = pyro_stack_tree_new (selection->profile, selection->type, roots, NULL);

  pyro_stack_tree_foreach (tree, print_stack, NULL);
}

static void
print_json (const PyroStackTree *tree, const PyroSelection *selection,
            gchar *const *roots)
{
  const PyroValueType *type
      = &selection->profile->sample_types[selection->type];
  PyroJson json;

  pyro_json_begin (&json, stdout);
  pyro_json_begin_object (&json, NULL);
  pyro_json_string (&json, "type", type->type);
  pyro_json_string (&json, "unit", type->unit);
  pyro_json_begin_array (&json, "roots");
  for (guint i = 0; roots != NULL && roots[i] != NULL; i++)
    pyro_json_string (&json, NULL, roots[i]);
  pyro_json_end_array (&json);
  pyro_json_begin_array (&json, "stacks");
  pyro_stack_tree_foreach (tree, json_stack, &json);
  pyro_json_end_array (&json);
  pyro_json_end_object (&json);
  pyro_json_end (&json);
}

static gboolean
prepare (gpointer self, PyroOptions *options, GError **error)
{
  gchar **roots = *(gchar ***)self;

  for (; roots != NULL && *roots != NULL; roots++)
    g_ptr_array_add (options->wanted, *roots);
  return TRUE;
}

static gboolean
show (gpointer self, PyroInput *input, const PyroOptions *options,
      GError **error)
{
  gchar **roots = *(gchar ***)self;
  g_autoptr (PyroStackTree) tree = NULL;
  PyroSelection selection;
  guint i;

  if (!pyro_selection_make (&selection, input, options, error))
    return FALSE;
  for (i = 0; roots != NULL && roots[i] != NULL; i++) {
    if (!pyro_label_check (selection.profile, roots[i], error)) {
      g_prefix_error (error, "--root %s: ", roots[i]);
      return FALSE;
    }
  }
  if (!options->json) {
    pyro_print_folded (&selection, (const gchar *const *)roots);
    return TRUE;
  }
  tree = pyro_stack_tree_new (selection.profile, selection.type,
                              (const gchar *const *)roots, NULL);
  print_json (tree, &selection, roots);
  return TRUE;
}

int
pyro_cmd_folded (int argc, char **argv)
{
  gchar **roots = NULL;
  const GOptionEntry extra[] = {
    { "root", 'r', 0, G_OPTION_ARG_STRING_ARRAY, &roots,
      "Begin each stack with this label's value; again: and then with that one",
      "LABEL" },
    { NULL },
  };
  const PyroCommand command = {
    .options.summary
    = "Prints folded stacks, one on a line: the frames' names from "
      "the root to the leaf,\nbetween semicolons, and the value.",
    .options.description
    = "In names, ';' becomes ':' and control characters '?'.",
    .options.extra = extra,
    .prepare = prepare,
    .show = show,
    .self = &roots,
  };
  int status = pyro_command_run (&command, argc, argv);

  g_strfreev (roots);
  return status;
}
