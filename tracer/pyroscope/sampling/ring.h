/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Handler-safe: no lock, no allocation, no system call, no libc, no TLS. */
/*
 * What: a ring of samples with one producer (the signal handler of one thread)
 * and one consumer (the collector).
 * Owner: whoever made the ring owns its memory; records are borrowed.
 * Threads: reserve and commit in the handler; peek and release in the
 * collector.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "unwinding/unwind.h"

/* One sample as the handler leaves it. */
typedef struct {
  uint32_t size;        /* bytes to the next record; PCS follow the header */
  uint32_t weight;      /* timer expirations it stands for: 1 + overruns */
  uint64_t nanoseconds; /* CPU time that it stands for */
  uint64_t label;       /* the thread's label word at that moment */
  uint64_t fallback;    /* with PYRO_SAMPLE_IN_DOUBT */
  uint64_t n_turns;     /* how often it had turned to other work until then */
  uint64_t moment;      /* PyroModuleMoment: what was loaded then */
  uint16_t depth;       /* entries in pcs, leaf first */
  uint16_t omitted;     /* frames left out in front of pcs[gap] */
  uint16_t gap;
  uint8_t end; /* PyroStackEnd */
  uint8_t flags;
  uintptr_t pcs[];
} PyroRawSample;

#define PYRO_SAMPLE_RESCUED 1    /* a caller was found without CFI */
#define PYRO_SAMPLE_FILLER 2     /* no sample, only the rest of the buffer */
#define PYRO_SAMPLE_UNLABELLED 4 /* nobody knew where the label word is */
#define PYRO_SAMPLE_IN_DOUBT 8   /* the label counts if the stack shows it */

#define PYRO_SAMPLE_MAX_SIZE \
  (sizeof (PyroRawSample) + PYRO_MAX_FRAMES * sizeof (uintptr_t))

typedef struct {
  uint8_t *data;
  uint64_t capacity; /* bytes, a power of two, >= 4 * PYRO_SAMPLE_MAX_SIZE */
  uint64_t head;     /* bytes ever written; the producer's */
  uint64_t tail;     /* bytes ever read; the consumer's */
} PyroRing;

/* Room for a sample of the largest size, or NULL where the ring is full. The
 * record counts once it is committed. */
static inline PyroRawSample *
pyro_ring_reserve (PyroRing *ring)
{
  uint64_t head = __atomic_load_n (&ring->head, __ATOMIC_RELAXED);
  uint64_t tail = __atomic_load_n (&ring->tail, __ATOMIC_ACQUIRE);
  uint64_t to_end = ring->capacity - (head & (ring->capacity - 1));
  uint64_t need = PYRO_SAMPLE_MAX_SIZE;

  if (to_end < PYRO_SAMPLE_MAX_SIZE)
    need += to_end;
  if (ring->capacity - (head - tail) < need)
    return NULL;

  if (to_end < PYRO_SAMPLE_MAX_SIZE) {
    /* Records are contiguous: what is left up to the end is passed over. It
     * may be too small for a header, hence only its first word is used. */
    PyroRawSample *rest
        = (PyroRawSample *)(ring->data + (head & (ring->capacity - 1)));

    rest->size = (uint32_t)to_end;
    if (to_end >= sizeof (PyroRawSample))
      rest->flags = PYRO_SAMPLE_FILLER;
    head += to_end;
    __atomic_store_n (&ring->head, head, __ATOMIC_RELEASE);
  }
  return (PyroRawSample *)(ring->data + (head & (ring->capacity - 1)));
}

/* SAMPLE is what the last reserve returned, with its depth set. */
static inline void
pyro_ring_commit (PyroRing *ring, PyroRawSample *sample)
{
  uint64_t head = __atomic_load_n (&ring->head, __ATOMIC_RELAXED);

  sample->size
      = (uint32_t)(sizeof (PyroRawSample) + sample->depth * sizeof (uintptr_t));
  __atomic_store_n (&ring->head, head + sample->size, __ATOMIC_RELEASE);
}

/* The oldest sample, or NULL. It stays in the ring until it is released. */
static inline PyroRawSample *
pyro_ring_peek (PyroRing *ring)
{
  for (;;) {
    uint64_t head = __atomic_load_n (&ring->head, __ATOMIC_ACQUIRE);
    uint64_t tail = __atomic_load_n (&ring->tail, __ATOMIC_RELAXED);
    uint64_t to_end = ring->capacity - (tail & (ring->capacity - 1));
    PyroRawSample *sample;

    if (head == tail)
      return NULL;
    sample = (PyroRawSample *)(ring->data + (tail & (ring->capacity - 1)));
    if (to_end >= sizeof (PyroRawSample)
        && !(sample->flags & PYRO_SAMPLE_FILLER))
      return sample;
    __atomic_store_n (&ring->tail, tail + sample->size, __ATOMIC_RELEASE);
  }
}

static inline void
pyro_ring_release (PyroRing *ring, const PyroRawSample *sample)
{
  uint64_t tail = __atomic_load_n (&ring->tail, __ATOMIC_RELAXED);

  __atomic_store_n (&ring->tail, tail + sample->size, __ATOMIC_RELEASE);
}
