/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Handler-safe: no lock, no allocation, no system call, no libc, no TLS. */
/*
 * What: the two pointers by which the collector hands tables and maps to the
 * handler, and the count of unloads. They stand in this library, not behind the
 * GOT.
 * Owner: modules.c and memory-map.c own what they point to.
 * Threads: the pointers are written by the collector's thread, the count by
 * whoever unloads; all are read by any.
 */
#pragma once

#include "memory-map.h"
#include "tables.h"

/* The tables in force; what the handler passes to the walk. Never NULL once
 * the first refresh is done with tables, else NULL. Handler-safe. */
const PyroUnwindTables *pyro_modules_published (void);

/* When a stack was read, for those who say later what was loaded then: the
 * count of unloads (unloads.h) and the listing of TABLES, or NULL. */
typedef uint64_t PyroModuleMoment;

#define PYRO_MODULE_MOMENT(epoch, generation) \
  ((PyroModuleMoment)(uint32_t)(epoch) << 32 | (uint32_t)(generation))

PyroModuleMoment pyro_module_moment (const PyroUnwindTables *tables);

/* The count of unloads: raised when one begins and when it ends, so that it
 * stands for a time in which either none was on its way or all of it some was.
 */
uint32_t pyro_unload_epoch (void);

/* The count and, in the low half, how many are on their way; as it was before
 * it is changed. */
uint64_t pyro_unloads_word (void);
uint64_t pyro_unloads_begin (void);
uint64_t pyro_unloads_end (void);
/* One that was not seen: what comes from now on is told apart. Returns the new
 * count. */
uint32_t pyro_unloads_missed (void);
/* After fork(), in the child: none is on its way. */
void pyro_unloads_forget (void);

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
