/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: which memory can be a stack, and which executable memory belongs to no
 * loaded module (ORC's code, other JIT code).
 * Owner: a PyroMemoryWatch owns every map that it published.
 * Threads: the watch belongs to the collector's thread; the functions marked
 * handler-safe work on an immutable published map from any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "unwind.h"

typedef struct _PyroMemoryWatch PyroMemoryWatch;

typedef enum {
  PYRO_CODE_ORC,       /* orcexec.*, memfd:orcexec*: ORC's compiler wrote it */
  PYRO_CODE_ANONYMOUS, /* no file: some JIT compiler, or ORC as root */
  PYRO_CODE_FILE,      /* a file that the loader may or may not know of */
} PyroCodeKind;

/* An executable mapping, [start, limit). */
typedef struct {
  uintptr_t start;
  uintptr_t limit;
  uint64_t file_offset;
  uint32_t name;       /* offset into the map's names */
  uint8_t kind;        /* PyroCodeKind */
  uint8_t reserved[3]; /* 0 */
  uint32_t copy;       /* offset into the map's copies, plus 1; 0: none */
} PyroCodeMapping;

/* Nothing is read or published before the first refresh. One watch at a time
 * publishes; freeing it withdraws the published map, and the caller sees to it
 * that no handler is running then. */
PyroMemoryWatch *pyro_memory_watch_new (void);
void pyro_memory_watch_free (PyroMemoryWatch *watch);

/* Reads /proc/self/task/<own tid>/maps (/proc/self/maps is empty once the main
 * thread has ended) and publishes a new map if anything changed. About 0.5 µs
 * per mapping: call it when threads came, when a walk ended in UNKNOWN_STACK
 * or UNKNOWN_CODE, not on a short period. On failure (no /proc, no memory) the
 * old map stays in force; *PUBLISHED, which may be NULL, tells whether a new
 * one was published. Returns false on failure, with errno set. */
bool pyro_memory_watch_refresh (PyroMemoryWatch *watch, bool *published);

/* Frees maps that were replaced, if IS_QUIESCENT tells that every handler that
 * could hold them has returned since. */
void pyro_memory_watch_reclaim (PyroMemoryWatch *watch,
                                int (*is_quiescent) (void *data), void *data);

/* The map in force, or NULL. Handler-safe. */
const PyroMemoryMap *pyro_memory_map_published (void);

/* What a walk from SP may read. A stack of the thread's own (SOURCES) is all
 * there; of any other one, only the page that the kernel has just put its
 * signal frame on, below SP, if it IS_WRITTEN, and the slots of frames within
 * the readable and writable mapping that holds SP. LOW is clipped to SP (on
 * x86_64: to its red zone, 128 bytes below). FALSE: nothing. Handler-safe. */
bool pyro_stack_find (const PyroUnwindSources *sources, uintptr_t sp,
                      bool is_written, PyroStackBounds *out);

/* What a walk from SP may read of [LOW, HIGH), a stack that holds it and is
 * there. Handler-safe. */
void pyro_stack_bounds_within (uintptr_t sp, uintptr_t low, uintptr_t high,
                               PyroStackBounds *out);

/* The main thread's stack, as far as it has grown; its top never changes.
 * FALSE: not known. Handler-safe. */
bool pyro_memory_map_get_main_stack (const PyroMemoryMap *map, uintptr_t *low,
                                     uintptr_t *high);

/* The executable mapping that holds PC, or NULL. Handler-safe. */
const PyroCodeMapping *
pyro_memory_map_find_code (const PyroMemoryMap *map, uintptr_t pc);

/* The bytes of CODE as they were when the map was read, if ORC wrote it; else
 * NULL. Nobody but the collector reads the code itself: it may be unmapped or
 * protected at any moment. Handler-safe. */
const uint8_t *pyro_memory_map_code_copy (const PyroMemoryMap *map,
                                          const PyroCodeMapping *code);

/* The path of a mapping, "" if it has none. Not for the handler. */
const char *pyro_memory_map_code_name (const PyroMemoryMap *map,
                                       const PyroCodeMapping *code);
