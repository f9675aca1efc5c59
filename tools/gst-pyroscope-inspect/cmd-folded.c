/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "command.h"
#include "commands.h"

#include <stdio.h>

#include "folded-stacks.h"
#include "json.h"
#include "label-names.h"
#include "selection.h"
#include "text.h"

static void
print_text (GPtrArray *stacks)
{
  guint i, k;

  for (i = 0; i < stacks->len; i++) {
    const PyroFoldedStack *stack = stacks->pdata[i];

    for (k = 0; stack->frames[k] != NULL; k++) {
      g_autofree gchar *name = pyro_text_folded (stack->frames[k]);

      printf ("%s%s", k == 0 ? "" : ";", name);
    }
    printf (" %" G_GINT64_FORMAT "\n", stack->value);
  }
}

static void
print_json (GPtrArray *stacks, const PyroSelection *selection,
            gchar *const *roots)
{
  const PyroValueType *type
      = &selection->profile->sample_types[selection->type];
  PyroJson json;
  guint i, k;

  pyro_json_begin (&json, stdout);
  pyro_json_begin_object (&json, NULL);
  pyro_json_string (&json, "type", type->type);
  pyro_json_string (&json, "unit", type->unit);
  pyro_json_begin_array (&json, "roots");
  for (i = 0; roots != NULL && roots[i] != NULL; i++)
    pyro_json_string (&json, NULL, roots[i]);
  pyro_json_end_array (&json);
  pyro_json_begin_array (&json, "stacks");
  for (i = 0; i < stacks->len; i++) {
    const PyroFoldedStack *stack = stacks->pdata[i];

    pyro_json_begin_object (&json, NULL);
    pyro_json_begin_array (&json, "frames");
    for (k = 0; stack->frames[k] != NULL; k++)
      pyro_json_string (&json, NULL, stack->frames[k]);
    pyro_json_end_array (&json);
    pyro_json_int (&json, "value", stack->value);
    pyro_json_end_object (&json);
  }
  pyro_json_end_array (&json);
  pyro_json_end_object (&json);
  pyro_json_end (&json);
}

static gboolean
show (gpointer self, PyroInput *input, const PyroOptions *options,
      GError **error)
{
  gchar **roots = *(gchar ***)self;
  g_autoptr (GPtrArray) stacks = NULL;
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
  stacks = pyro_folded_stacks (selection.profile, selection.type,
                               (const gchar *const *)roots);
  if (options->json)
    print_json (stacks, &selection, roots);
  else
    print_text (stacks);
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
    .summary = "Prints folded stacks, one on a line: the frames' names from "
               "the root to the leaf,\nbetween semicolons, and the value.",
    .description = "In names, ';' becomes ':' and control characters '?'.",
    .extra = extra,
    .show = show,
    .self = &roots,
  };
  int status = pyro_command_run (&command, argc, argv);

  g_strfreev (roots);
  return status;
}
