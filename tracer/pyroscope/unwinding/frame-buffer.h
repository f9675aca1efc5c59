/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Handler-safe: no lock, no allocation, no system call, no libc, no TLS. */
/*
 * What: where a walk writes its frames; a deep stack loses its middle.
 * Owner: the caller owns the array.
 * Threads: the thread that walks.
 *
 * Three quarters of the array keep the leaf's side. The last quarter is a ring
 * that keeps the newest frames, so that the root is there at the end.
 */
#pragma once

#include "unwind.h"

typedef struct {
  uintptr_t *pcs;
  unsigned max;
  unsigned tail; /* size of the ring, 0 if MAX is too small for one */
  unsigned n;    /* frames seen */
} PyroFrameBuffer;

static inline void
pyro_frame_buffer_init (PyroFrameBuffer *buffer, uintptr_t *pcs, unsigned max)
{
  buffer->pcs = pcs;
  buffer->max = max;
  buffer->tail = max / 4;
  buffer->n = 0;
}

static inline void
pyro_frame_buffer_add (PyroFrameBuffer *buffer, uintptr_t pc)
{
  unsigned n = buffer->n++;

  if (n < buffer->max)
    buffer->pcs[n] = pc;
  else if (buffer->tail > 0)
    buffer->pcs[buffer->max - buffer->tail + (n - buffer->max) % buffer->tail]
        = pc;
}

static inline void
pyro_frame_buffer_reverse (uintptr_t *pcs, unsigned n)
{
  unsigned i;

  for (i = 0; i < n / 2; i++) {
    uintptr_t pc = pcs[i];

    pcs[i] = pcs[n - 1 - i];
    pcs[n - 1 - i] = pc;
  }
}

/* Puts the ring in order and writes depth, omitted and gap. */
static inline void
pyro_frame_buffer_finish (PyroFrameBuffer *buffer, PyroWalk *walk)
{
  unsigned head = buffer->max - buffer->tail;
  unsigned omitted, oldest;

  walk->omitted = 0;
  walk->gap = 0;
  if (buffer->n <= buffer->max) {
    walk->depth = (uint16_t)buffer->n;
    return;
  }
  omitted = buffer->n - buffer->max;
  walk->depth = (uint16_t)buffer->max;
  walk->omitted = (uint16_t)(omitted > UINT16_MAX ? UINT16_MAX : omitted);
  walk->gap = (uint16_t)head;
  if (buffer->tail > 0) {
    oldest = omitted % buffer->tail;
    pyro_frame_buffer_reverse (buffer->pcs + head, oldest);
    pyro_frame_buffer_reverse (buffer->pcs + head + oldest,
                               buffer->tail - oldest);
    pyro_frame_buffer_reverse (buffer->pcs + head, buffer->tail);
  }
}
