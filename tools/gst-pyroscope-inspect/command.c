/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "command.h"

#include "inspect-error.h"

static gboolean
read_and_show (const PyroCommand *command, const PyroOptions *options)
{
  g_autoptr (PyroInput) input
      = pyro_input_read (options->paths, &options->limits);
  g_autoptr (GError) error = NULL;

  if (input->groups->len == 0)
    return FALSE;
  if (!command->show (command->self, input, options, &error)) {
    pyro_report ("%s", error->message);
    return FALSE;
  }
  return !input->failed;
}

int
pyro_command_run (const PyroCommand *command, int argc, char **argv)
{
  PyroOptions options;
  gboolean right;

  right = pyro_options_parse (&options, argc, argv, command->summary,
                              command->extra, command->description)
          && read_and_show (command, &options);
  pyro_options_clear (&options);
  return right ? 0 : 1;
}
