/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the frame of every command: options, input, what it shows, status.
 * Owner: all is borrowed for the call.
 * Threads: main only.
 */
#pragma once

#include "input.h"
#include "options.h"

G_BEGIN_DECLS

typedef struct {
  PyroOptionsSpec options;
  /* Looks at the command's own options before anything is read; may add to
   * OPTIONS->wanted. NULL: there is nothing to look at. */
  gboolean (*prepare) (gpointer self, PyroOptions *options, GError **error);
  /* Prints. INPUT has at least one group. FALSE with an error, which will be
   * reported, and nothing printed. */
  gboolean (*show) (gpointer self, PyroInput *input, const PyroOptions *options,
                    GError **error);
  gpointer self;
} PyroCommand;

/* Returns the exit status: 0, or 1 where anything was wrong. */
int pyro_command_run (const PyroCommand *command, int argc, char **argv);

G_END_DECLS
