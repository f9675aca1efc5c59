/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the tracer of this process, as an application would drive it.
 * Owner: nothing is owned.
 * Threads: any.
 */
#pragma once

#include <gst/gst.h>

/* Emits the action signal "start", "stop" or "flush"; ends the program if there
 * is no such tracer. */
void tracer_control (const gchar *action);
