/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: where the tracer's plugin is, and an environment that loads it.
 * Owner: results belong to the caller.
 * Threads: main only.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The folder that GStreamer must be shown to find the plugin: beside the tool
 * (target/PROFILE), or in the build that the tool is part of. "" where it is
 * found without: in a folder that GST_PLUGIN_PATH names in ENVIRONMENT, or
 * where GStreamer's own plugins are. NULL with an error that lists where it was
 * looked for. (transfer full) */
gchar *pyro_plugin_find (gchar **environment, GError **error);

/* ENVIRONMENT with FOLDER (or "") before what GStreamer's variable for plugins
 * names, and with the tracer pyroscope behind the other tracers of GST_TRACERS.
 * Takes ENVIRONMENT. *REPLACED: an entry for pyroscope that was there, or NULL.
 * (transfer full) */
gchar **
pyro_plugin_enable (gchar **environment, const gchar *folder, gchar **replaced);

G_END_DECLS
