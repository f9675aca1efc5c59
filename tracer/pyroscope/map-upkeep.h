/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: when the memory map is read again, and what that may cost.
 * Owner: the session.
 * Threads: the collector.
 */
#pragma once

#include <glib.h>

#include "sampling/threads.h"
#include "unwinding/memory-map.h"

G_BEGIN_DECLS

typedef struct {
  gboolean is_old;    /* something was seen that it does not explain */
  gint64 time, pause; /* when it was read, how long that has to do */
  gint64 paid;        /* until when reading it was paid for */
} PyroMapUpkeep;

/* All at once: of the beginning, or after a change that was noticed. Times are
 * monotonic, in microseconds. */
void pyro_map_upkeep_hurry (PyroMapUpkeep *upkeep);

/* Reads it now. */
void pyro_map_upkeep_refresh (PyroMapUpkeep *upkeep, PyroMemoryWatch *watch,
                              PyroThreads *threads, gint64 now);

/* Reads it if it is old and may be read. */
void pyro_map_upkeep_tick (PyroMapUpkeep *upkeep, PyroMemoryWatch *watch,
                           PyroThreads *threads, gint64 now);

G_END_DECLS
