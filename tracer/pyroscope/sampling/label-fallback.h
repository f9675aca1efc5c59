/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Handler-safe: no lock, no allocation, no system call, no libc, no TLS. */
/*
 * What: of some functions that a thread enters, nobody reports that it leaves
 * them: what its label word is if it has.
 * Owner: part of a block of the thread's own.
 * Threads: the thread writes; the handler on it and the collector read.
 */
#pragma once

#include <stdint.h>

typedef struct {
  uint32_t in_doubt; /* 0: the label word counts */
  uint64_t label;    /* what counts unless the stack shows that call */
} PyroLabelFallback;

/* Around a change of the label word, so that the handler never sees the word of
 * one call with the fallback of another. */
static inline void
pyro_label_fallback_clear (PyroLabelFallback *fallback)
{
  __atomic_store_n (&fallback->in_doubt, 0, __ATOMIC_RELEASE);
}

static inline void
pyro_label_fallback_set (PyroLabelFallback *fallback, uint64_t label)
{
  __atomic_store_n (&fallback->label, label, __ATOMIC_RELEASE);
  __atomic_store_n (&fallback->in_doubt, 1, __ATOMIC_RELEASE);
}

/* What is certain without a look at the stack: WORD, or the fallback. */
static inline uint64_t
pyro_label_fallback_apply (const PyroLabelFallback *fallback, uint64_t word)
{
  return __atomic_load_n (&fallback->in_doubt, __ATOMIC_ACQUIRE)
             ? __atomic_load_n (&fallback->label, __ATOMIC_RELAXED)
             : word;
}
