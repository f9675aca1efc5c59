/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: which names look like those of functions in class structures and pads.
 * Owner: constants. Threads: any.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Whether NAME ends like a virtual function of GStreamer's classes, behind an
 * underscore: gst_base_src_fixate, gst_queue_chain. */
gboolean pyro_virtual_function_ends (const gchar *name);

G_END_DECLS
