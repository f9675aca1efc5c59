/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Handler-safe: no lock, no allocation, no system call, no libc, no TLS. */
/*
 * What: the two pointers by which the collector hands tables and maps to the
 * handler. They stand in this library, not behind the GOT.
 * Owner: modules.c and memory-map.c own what they point to.
 * Threads: written by the collector's thread, read by any.
 */
#pragma once

#include "memory-map.h"
#include "tables.h"

/* The tables in force; what the handler passes to the walk. Never NULL once
 * the first refresh is done with tables, else NULL. Handler-safe. */
const PyroUnwindTables *pyro_modules_published (void);

void pyro_publish_tables (const PyroUnwindTables *tables);
void pyro_publish_memory_map (const PyroMemoryMap *map);

/* What a thread of the application's reads of them outside of the handler, it
 * reads between these two: nothing is reclaimed meanwhile. Neither waits. */
void pyro_readers_enter (void);
void pyro_readers_leave (void);

/* There has been a moment since the call at which nobody was between the two.
 */
bool pyro_readers_are_gone (void);

/* After fork(), in the child: the other threads, and their marks, are not
 * there. */
void pyro_readers_forget (void);
