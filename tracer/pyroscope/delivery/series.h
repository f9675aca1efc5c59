/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the labels of the series that a profile belongs to.
 * Owner: the array owns its strings; free it with g_array_unref().
 * Threads: no state; any thread.
 */
#pragma once

#include "settings.h"

G_BEGIN_DECLS

/* The labels of SETTINGS' process: __name__ (PROFILE_NAME), service_name
 * (tracer-name), service, version, os, arch, hostname, and the tags. A tag
 * named like one of these replaces it, all but __name__, which belongs to the
 * profile's type; of two tags of one name the last counts. Empty values are
 * left out; names and values are bounded as labels of samples are
 * (profile/bounded-text.h). Sorted by name, no name twice: the server
 * refuses duplicates. An array of PyroLabel. (transfer full) */
GArray *
pyro_series_new (const PyroSettings *settings, const gchar *profile_name);

/* The value of the label KEY, or NULL. */
const gchar *pyro_series_lookup (const GArray *series, const gchar *key);

/* Replaces or adds the label KEY. */
void pyro_series_set (GArray *series, const gchar *key, const gchar *value);

G_END_DECLS
