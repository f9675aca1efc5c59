/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "command.h"

#include "inspect-error.h"

static gboolean
read_and_show (const PyroCommand *command, PyroOptions *options)
{
  g_autoptr (PyroInput) input = NULL;
  g_autoptr (GError) error = NULL;

  if (command->prepare == NULL
      || command->prepare (command->self, options, &error))
    input = pyro_input_read (options->paths, options, &error);
  if (input != NULL && input->groups->len == 0)
    return FALSE;
  if (input != NULL && command->show (command->self, input, options, &error))
    return !input->failed;
  pyro_report ("%s", error->message);
  return FALSE;
}

int
pyro_command_run (const PyroCommand *command, int argc, char **argv)
{
  PyroOptions options;
  gboolean right;

  right = pyro_options_parse (&options, argc, argv, &command->options)
          && read_and_show (command, &options);
  pyro_options_clear (&options);
  return right ? 0 : 1;
}
