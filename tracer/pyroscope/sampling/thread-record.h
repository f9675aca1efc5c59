/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Handler-safe: no lock, no allocation, no system call, no libc, no TLS. */
/*
 * What: what the signal handler knows of the thread that it interrupted.
 * Owner: threads.c makes and frees records, never while their thread lives.
 * Threads: the collector writes, the handler of the record's own thread reads;
 * the ring and the lost_* counters are written by the handler.
 */
#pragma once

#include "label-fallback.h"
#include "ring.h"
#include "turns.h"
#include "unwinding/unwind-cache.h"

typedef struct {
  PyroRing *ring; /* a larger one may come in its place */
  /* A word of the sampled thread's own that is copied into each sample; this
   * room does not know what it means. NULL: the word is 0. */
  const uint64_t *label;
  const PyroLabelFallback *fallback; /* of the same thread; NULL: none */
  const PyroTurns *turns;            /* of the same thread; NULL: none */
  /* The stack that the thread was created with, which is there as long as the
   * thread: from its announcement, the memory map (the main thread's) or the C
   * library's control block; high 0: not known. Only LOW changes, and only
   * downwards. */
  uintptr_t stack_low, stack_high;
  /* Where it is not known: where the thread's control block is, as the handler
   * saw it, for the collector to look; 0: not seen yet. */
  uintptr_t thread_pointer;
  uint64_t interval_ns; /* CPU time from one timer expiration to the next */
  uint32_t generation;  /* of the timer in force; 0: none */
  uint32_t slot;        /* in pyro_thread_records */
  uint32_t in_handler;  /* 1 while a handler runs that may hold tables */
  /* Samples that found the ring full. */
  uint64_t lost_weight;
  uint64_t lost_ns;
  uint32_t unknown_stack; /* set by the handler: the memory map is too old */
  PyroUnwindCache unwind_cache; /* the handler's own */
} PyroThreadRecord;

/* Timers carry a cookie instead of a pointer, so that a signal that comes late,
 * or one that is not ours, is recognised without reading foreign memory:
 * 16 bits of magic, 24 of generation, 24 of slot. */
#define PYRO_COOKIE_MAGIC UINT64_C (0x5079)
#define PYRO_MAX_THREADS 16384

/* Not a sample: the thread shall block the signal that brings it. */
#define PYRO_COOKIE_BLOCK (PYRO_COOKIE_MAGIC << 48 | UINT64_C (0xffffff))

static inline uint64_t
pyro_cookie (uint32_t slot, uint32_t generation)
{
  return PYRO_COOKIE_MAGIC << 48 | (uint64_t)(generation & 0xffffff) << 24
         | slot;
}

/* By slot; NULL where there is none. */
extern PyroThreadRecord *pyro_thread_records[PYRO_MAX_THREADS];

/* By slot; 1: the handler has left something, the collector has not come yet.
 * A process of a thousand threads is drained without looking at each. */
extern _Alignas(8) uint8_t pyro_thread_dirty[PYRO_MAX_THREADS];

static inline PyroThreadRecord *
pyro_thread_record_by_cookie (uint64_t cookie)
{
  uint32_t slot = cookie & 0xffffff;
  uint32_t generation = cookie >> 24 & 0xffffff;
  PyroThreadRecord *record;

  if (cookie >> 48 != PYRO_COOKIE_MAGIC || slot >= PYRO_MAX_THREADS)
    return NULL;
  record = __atomic_load_n (&pyro_thread_records[slot], __ATOMIC_ACQUIRE);
  if (record == NULL
      || __atomic_load_n (&record->generation, __ATOMIC_RELAXED) != generation)
    return NULL;
  return record;
}
