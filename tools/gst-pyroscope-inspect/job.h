/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: one command that runs in our place: it has the terminal, gets the
 * signals that are sent to us, and stops and goes on with us.
 * Owner: one at a time; the caller's strings are borrowed for the call.
 * Threads: main only; it changes the process's signal handlers.
 */
#pragma once

#include <glib.h>
#include <sys/types.h>

G_BEGIN_DECLS

/* Called once a second while the command runs. */
typedef void (*PyroJobTick) (pid_t pid, gpointer data);

/* Runs ARGV, searched in PATH as a shell would, and waits for its end. The
 * command is a process group of its own, which gets the terminal if we have it.
 * Returns the exit status as a shell gives it: 128 and the signal's number
 * where one ended it (*SIGNO, else 0), 127 where it was not found, 126 where it
 * could not be run (with an error; TICK was not called). */
int pyro_job_run (gchar **argv, gchar **environment, PyroJobTick tick,
                  gpointer data, int *signo, GError **error);

G_END_DECLS
