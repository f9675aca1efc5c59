/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the frames that a profile needs names for, each once and in the order
 * that costs least.
 * Owner: the caller owns the list; frames stay the aggregate's.
 * Threads: no state; any thread.
 */
#pragma once

#include "aggregate.h"

G_BEGIN_DECLS

/* For hash tables of PyroFrame. */
guint pyro_frame_hash (gconstpointer frame);
gboolean pyro_frame_equal (gconstpointer a, gconstpointer b);

/* Of const PyroFrame: all that are in a module. Those of one file come one
 * after the other, by address: a symbolizer that cannot keep all files' debug
 * information in memory reads each file's once. (transfer container) */
GPtrArray *pyro_frame_order_list (const PyroAggregate *aggregate);

G_END_DECLS
