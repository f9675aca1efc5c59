/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: names for the functions of a stripped ELF file, from what its debug
 * statements say of them. A name is only given where it is sure enough: on
 * GStreamer 1.22, 99.6 % of the names are right (see docs/benchmarks.md).
 * Owner: it keeps copies, no file. Threads: read-only once made.
 */
#pragma once

#include "symbols/elf-file.h"
#include "symbols/fde-table.h"
#include "symbols/time-limit.h"

G_BEGIN_DECLS

typedef struct _PyroStatementNames PyroStatementNames;

/* Reads all of FILE's code. NULL if there are no such statements, if they
 * cannot be read, or if LIMIT was over before. FDES are FILE's. */
PyroStatementNames *
pyro_statement_names_new (PyroElfFile *file, const PyroFdeTable *fdes,
                          const PyroTimeLimit *limit);
void pyro_statement_names_free (PyroStatementNames *names);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PyroStatementNames, pyro_statement_names_free)

guint pyro_statement_names_get_size (const PyroStatementNames *names);

/* The name of the function that begins at START, or NULL. Belongs to NAMES. */
const gchar *
pyro_statement_names_lookup (const PyroStatementNames *names, guint64 start);

/* Whether that function runs a program of ORC's, which has its name. */
gboolean pyro_statement_names_is_program (const PyroStatementNames *names,
                                          guint64 start);

G_END_DECLS
