/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: functions that one thread has another one's main context run, as
 * GStreamer's GL library does with all that it draws: each runs with the label
 * word of whoever asked for it.
 * Owner: a call that is on its way owns a record, freed with its GSource.
 * Threads: any; beside what the wrapped functions do themselves, memory is
 * allocated, and nobody is waited for.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* In the place of GLib's functions: same arguments, same results. */
void pyro_invocations_invoke (GMainContext *context, GSourceFunc function,
                              gpointer data);
void pyro_invocations_invoke_full (GMainContext *context, gint priority,
                                   GSourceFunc function, gpointer data,
                                   GDestroyNotify notify);

G_END_DECLS
