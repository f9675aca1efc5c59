/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Handler-safe: no lock, no allocation, no system call, no libc, no TLS. */
/*
 * What: when a thread turned from one owner's work to another's, the last few
 * times.
 * Owner: part of a block of the thread's own.
 * Threads: the thread adds; the handler on it counts; the collector reads.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef struct {
  uint64_t label; /* the only one that the thread had until then; 0: several */
  uint64_t ns;    /* its CPU clock then */
} PyroTurn;

#define PYRO_N_TURNS 64 /* a power of two */

typedef struct {
  uint64_t n; /* ever added */
  PyroTurn last[PYRO_N_TURNS];
} PyroTurns;

static inline void
pyro_turns_add (PyroTurns *turns, uint64_t label, uint64_t ns)
{
  uint64_t n = __atomic_load_n (&turns->n, __ATOMIC_RELAXED);
  PyroTurn *turn = &turns->last[n % PYRO_N_TURNS];

  /* Whoever reads what stood there sees the count that says so. */
  __atomic_thread_fence (__ATOMIC_RELEASE);
  __atomic_store_n (&turn->label, label, __ATOMIC_RELAXED);
  __atomic_store_n (&turn->ns, ns, __ATOMIC_RELAXED);
  __atomic_store_n (&turns->n, n + 1, __ATOMIC_RELEASE);
}

/* The turn INDEX, counted from the thread's first one. False: it is forgotten.
 */
static inline bool
pyro_turns_get (const PyroTurns *turns, uint64_t index, PyroTurn *turn)
{
  const PyroTurn *kept = &turns->last[index % PYRO_N_TURNS];

  turn->label = __atomic_load_n (&kept->label, __ATOMIC_RELAXED);
  turn->ns = __atomic_load_n (&kept->ns, __ATOMIC_RELAXED);
  __atomic_thread_fence (__ATOMIC_ACQUIRE);
  return __atomic_load_n (&turns->n, __ATOMIC_RELAXED) - index < PYRO_N_TURNS;
}
