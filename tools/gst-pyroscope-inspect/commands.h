/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the commands; each is in a file of its name.
 * Owner: the arguments are borrowed.
 * Threads: main only.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* ARGV begins with the command's name. Returns the exit status: 0, or 1 where
 * anything was wrong, which was reported. */
int pyro_cmd_summary (int argc, char **argv);
int pyro_cmd_top (int argc, char **argv);
int pyro_cmd_symbols (int argc, char **argv);
int pyro_cmd_symbolize (int argc, char **argv);
int pyro_cmd_folded (int argc, char **argv);
int pyro_cmd_dump (int argc, char **argv);
int pyro_cmd_tree (int argc, char **argv);
int pyro_cmd_peek (int argc, char **argv);
int pyro_cmd_labels (int argc, char **argv);
int pyro_cmd_convert (int argc, char **argv);
int pyro_cmd_merge (int argc, char **argv);
/* 0: the server has taken all. */
int pyro_cmd_push (int argc, char **argv);
/* 3 where a rule of --fail-on is broken. */
int pyro_cmd_diff (int argc, char **argv);
int pyro_cmd_report (int argc, char **argv);
/* Whether the tool was built with what report needs. */
gboolean pyro_report_is_built (void);
/* The exit status is that of the command that it runs, if it was run. */
int pyro_cmd_record (int argc, char **argv);

G_END_DECLS
