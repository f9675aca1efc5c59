/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: where calls end in a module's text: what a return address can be.
 * Owner: the caller owns the result (g_free).
 * Threads: the collector's.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Of the text in [START, LIMIT): bit N of the result is set if the bytes before
 * START + N can be a call instruction. There may be bytes that look so and are
 * none; no call is left out. NULL: the text cannot be read, or nobody asks on
 * this processor. */
guint8 *pyro_call_sites_new (guint64 start, guint64 limit);

/* Bytes that it takes. */
gsize pyro_call_sites_size (guint64 start, guint64 limit);

/* Marks the calls that begin in the first N bytes of TEXT, which has SIZE of
 * them; TEXT[0] is at OFFSET. */
void pyro_call_sites_mark (guint8 *bits, const guint8 *text, gsize n,
                           gsize size, guint64 offset);

G_END_DECLS
