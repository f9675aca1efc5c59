/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: what there is on this machine to name a library's functions with, and
 * what could be installed.
 * Owner: pyro_symbol_source_clear() frees what it holds. Threads: main only: it
 * reads files and runs the system's package manager.
 */
#pragma once

#include <glib.h>

#include "symbols/debug-file.h"

G_BEGIN_DECLS

typedef enum {
  PYRO_FILE_SAME,      /* the file here is the one that was profiled */
  PYRO_FILE_OTHER,     /* it has another build id */
  PYRO_FILE_UNCERTAIN, /* the profile does not say which build it was */
  PYRO_FILE_MISSING,
  PYRO_FILE_NONE, /* generated code, the vDSO */
} PyroFileState;

typedef struct {
  PyroFileState state;
  gboolean has_symbols; /* the file itself: a symbol table, or lines */
  gchar *debug_file;    /* with symbols or lines, or NULL */
  gchar *package;       /* that the file is from, or NULL */
  gchar *command;       /* installs its debug information, or NULL */
} PyroSymbolSource;

void pyro_symbol_source_find (PyroSymbolSource *source,
                              const PyroDebugPlaces *places,
                              const gchar *filename, const gchar *build_id);
void pyro_symbol_source_clear (PyroSymbolSource *source);

/* The debuginfod server of this system's distribution, or NULL. */
const gchar *pyro_symbol_source_get_server (void);

G_END_DECLS
