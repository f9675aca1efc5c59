/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Handler-safe: no lock, no allocation, no system call, no libc, no TLS. */
/*
 * What: the inside of a PyroMemoryMap.
 * Owner: memory-map.c; nothing here is written once published.
 * Threads: any may read.
 */
#pragma once

#include "memory-map.h"

/* A mapping that can be a stack. */
typedef struct {
  uintptr_t start;
  uintptr_t limit;
} PyroStackMapping;

struct _PyroMemoryMap {
  size_t size;         /* bytes, with everything below */
  uint32_t generation; /* never 0, never the same twice */
  size_t n_stacks;
  size_t n_codes;
  PyroStackMapping main_stack;    /* [stack], or 0 */
  uintptr_t main_floor;           /* how far down that may grow */
  const PyroStackMapping *stacks; /* sorted, disjoint */
  const PyroCodeMapping *codes;   /* sorted, disjoint */
  const char *names;
  const uint8_t *copies; /* of ORC's code */
};
