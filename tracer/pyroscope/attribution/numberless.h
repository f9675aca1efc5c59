/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: names without the numbers that GStreamer generates.
 * Owner: the caller owns what is returned.
 * Threads: any, no state.
 */
#pragma once

#include <glib.h>

/* "pipeline12/bin3/queue7" → "pipeline/bin/queue", "queue7:src" → "queue:src",
 * "avdec_h264-0" → "avdec_h264": a number at the end of each part goes, with
 * the '-' before it. A part that is nothing but a number stays. (transfer
 * full) */
gchar *pyro_strip_numbers (const gchar *name);
