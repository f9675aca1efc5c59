/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Handler-safe: no lock, no allocation, no system call, no libc, no TLS. */
/*
 * What: what one thread's walks remember: the segments and the rules that they
 * met. A sample comes after milliseconds of somebody
 * else's work, and each line of the shared tables is then a miss in every cache
 * of the processor; these lines are asked for together when a walk begins.
 * Owner: whoever walks; zeroed at first.
 * Threads: only the thread's own handler (or whoever walks on its behalf, one
 * at a time). It is never stale: each part is emptied when what it was filled
 * from is of another generation.
 */
#pragma once

#include "tables.h"

#define PYRO_CACHED_FRAMES 64
#define PYRO_CACHED_SEGMENTS 16
#define PYRO_CACHED_RULES 256

/* A frame of the walk before: most frames of the next one are the same. */
typedef struct {
  uintptr_t pc; /* as it was looked up */
  uint32_t sp;  /* PYRO_CACHED_SP */
  uint32_t rule;
} PyroCachedFrame;

/* By 256 KiB of address. */
#define PYRO_CACHED_SEGMENT(address) \
  (((address) >> 18 ^ (address) >> 22) % PYRO_CACHED_SEGMENTS)

/* Enough to find the place in the walk before; PC alone decides. */
#define PYRO_CACHED_SP(sp) ((uint32_t)((sp) / sizeof (uintptr_t)))

struct _PyroUnwindCache {
  uint32_t tables_generation;
  uint32_t current;  /* index in frames: the walk before */
  uint32_t n_frames; /* in it, leaf first */
  /* Where a rescue missed a copy of the code's bytes; 0: nowhere. Set by the
   * handler, taken by the collector. */
  uintptr_t wanted_code;
  /* limit 0: empty. */
  PyroSegment segments[PYRO_CACHED_SEGMENTS];
  PyroCachedFrame frames[2][PYRO_CACHED_FRAMES];
  /* The pc without its low byte, which the entry's index tells, and the rule;
   * 0: empty. */
  uint64_t rules[PYRO_CACHED_RULES];
};

/* The segment that holds ADDRESS, or NULL. Valid up to the next call. The cache
 * has to be of these tables. */
static inline const PyroSegment *
pyro_sources_find_segment (const PyroUnwindSources *sources, uintptr_t address)
{
  const PyroSegment *segment;
  PyroSegment *cached;

  if (sources->cache == NULL)
    return pyro_tables_find_segment (sources->tables, address);
  cached = &sources->cache->segments[PYRO_CACHED_SEGMENT (address)];
  if (address >= cached->start && address < cached->limit)
    return cached;
  segment = pyro_tables_find_segment (sources->tables, address);
  if (segment == NULL)
    return NULL;
  *cached = *segment;
  return cached;
}

/* Where a walk is in the one before, and what it leaves for the next. Most
 * frames are the same ones at the same places, and their rules stand there one
 * behind the other, where the table of rules by pc has a line for each. */
typedef struct {
  const PyroCachedFrame *at, *end;
  PyroCachedFrame *next; /* NULL: leaves nothing */
  uint32_t n_next;
} PyroWalkHistory;

static inline void
pyro_walk_history_init (PyroWalkHistory *history, PyroUnwindCache *cache)
{
  if (cache == NULL) {
    history->at = history->end = NULL;
    history->next = NULL;
  } else {
    history->at = cache->frames[cache->current];
    history->end = history->at + cache->n_frames;
    history->next = cache->frames[!cache->current];
  }
  history->n_next = 0;
}

static inline void
pyro_walk_history_finish (PyroWalkHistory *history, PyroUnwindCache *cache)
{
  if (cache == NULL)
    return;
  cache->current = !cache->current;
  cache->n_frames = history->n_next;
}

/* Frames come leaf first. */
static inline bool
pyro_walk_history_find (PyroWalkHistory *history, uintptr_t pc, uintptr_t sp,
                        uint32_t *rule)
{
  uint32_t cached_sp = PYRO_CACHED_SP (sp);

  while (history->at != history->end && history->at->sp < cached_sp)
    history->at++;
  if (__builtin_expect (history->at == history->end || history->at->pc != pc,
                        0))
    return false;
  *rule = history->at++->rule;
  return true;
}

static inline void
pyro_walk_history_add (PyroWalkHistory *history, uintptr_t pc, uintptr_t sp,
                       uint32_t rule)
{
  PyroCachedFrame *next;

  if (history->next == NULL || history->n_next == PYRO_CACHED_FRAMES)
    return;
  next = &history->next[history->n_next++];
  next->pc = pc;
  next->sp = PYRO_CACHED_SP (sp);
  next->rule = rule;
}

static inline void
pyro_sources_want_code (const PyroUnwindSources *sources, uintptr_t pc)
{
  if (sources->cache != NULL)
    __atomic_store_n (&sources->cache->wanted_code, pc, __ATOMIC_RELAXED);
}
