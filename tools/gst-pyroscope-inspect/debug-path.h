/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the options that say where libraries and their debug information are.
 * Owner: pyro_debug_path_clear() frees what they hold. Threads: main only.
 */
#pragma once

#include <glib.h>

#include "symbols/debug-file.h"

G_BEGIN_DECLS

typedef struct {
  gchar **folders;
  gchar *sysroot;
} PyroDebugPathOptions;

/* Of a GOptionEntry array. */
#define PYRO_DEBUG_PATH_ENTRIES(options)                                    \
  { "debug-path",                                                           \
    0,                                                                      \
    0,                                                                      \
    G_OPTION_ARG_FILENAME_ARRAY,                                            \
    &(options)->folders,                                                    \
    "Look for debug files here, too, before /usr/lib/debug; again: in all " \
    "of them, in this order",                                               \
    "DIR" },                                                                \
  {                                                                         \
    "sysroot", 0, 0, G_OPTION_ARG_FILENAME, &(options)->sysroot,            \
        "The root of the system that was profiled, if it is not this one",  \
        "DIR"                                                               \
  }

/* PYRO_DEBUG_DIRECTORY behind those that were given. (transfer full) */
gchar *pyro_debug_path_join (const PyroDebugPathOptions *options);

/* Whether all of them are folders. */
gboolean
pyro_debug_path_check (const PyroDebugPathOptions *options, GError **error);

/* NULL with an error where one is no folder. */
PyroDebugPlaces *
pyro_debug_path_make (const PyroDebugPathOptions *options, GError **error);
void pyro_debug_path_clear (PyroDebugPathOptions *options);

G_END_DECLS
