/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Handler-safe: no lock, no allocation, no system call, no libc, no TLS. */

#include "memory-map-layout.h"

#define PAGE_SIZE ((uintptr_t)4096)

#if defined(__x86_64__)
/* System V ABI, AMD64 supplement, 3.2.2: a signal leaves it alone, and leaf
 * functions save registers there. */
#define RED_ZONE 128u
/* The kernel puts the state of the vector registers below the red zone, at a
 * multiple of 64: its last byte is less than that further down. */
#define WRITTEN_BELOW (RED_ZONE + 64u)
#else
#define RED_ZONE 0u
/* A frame record below the stack pointer, which is aligned to 16 first. */
#define WRITTEN_BELOW 16u
#endif

void PYRO_HOT
pyro_stack_bounds_within (uintptr_t sp, uintptr_t low, uintptr_t high,
                          PyroStackBounds *out)
{
  out->low = sp - low > RED_ZONE ? sp - RED_ZONE : low;
  out->high = high;
  out->shift = 0;
  out->limit = 0;
  out->certain = high;
}

static const PyroStackMapping *PYRO_COLD
find_mapping (const PyroMemoryMap *map, uintptr_t sp)
{
  const PyroStackMapping *base;
  size_t n;

  if (map == NULL || map->n_stacks == 0)
    return NULL;
  /* It may have grown since. */
  if (sp >= map->main_floor && sp < map->main_stack.start)
    return &map->main_stack;
  base = map->stacks;
  n = map->n_stacks;
  while (n > 1) {
    size_t half = n / 2;

    if (base[half].start <= sp)
      base += half;
    n -= half;
  }
  return sp >= base->start && sp < base->limit ? base : NULL;
}

/* A stack that nobody vouches for. */
static bool PYRO_COLD
find_foreign (const PyroMemoryMap *map, uintptr_t sp, bool is_written,
              PyroStackBounds *out)
{
  const PyroStackMapping *mapping = find_mapping (map, sp);
  uintptr_t low = mapping != NULL && mapping->start < sp ? mapping->start : sp;
  uintptr_t certain = sp;

  if (is_written && sp > 2 * PAGE_SIZE) {
    uintptr_t written = sp - WRITTEN_BELOW - 1;

    certain = (written & ~(PAGE_SIZE - 1)) + PAGE_SIZE;
    low = written & ~(PAGE_SIZE - 1);
  } else if (mapping == NULL) {
    return false;
  }
  pyro_stack_bounds_within (sp, low, certain, out);
  /* Not known (a stack that is newer than the map): the page alone. */
  if (mapping == NULL)
    return sp < certain;
  out->limit = mapping->limit;
  if (out->certain > out->limit)
    out->limit = out->certain;
  out->high
      = out->limit - sp > PYRO_STACK_REACH ? sp + PYRO_STACK_REACH : out->limit;
  return true;
}

bool PYRO_HOT
pyro_stack_find (const PyroUnwindSources *sources, uintptr_t sp,
                 bool is_written, PyroStackBounds *out)
{
  if (sp >= sources->own_low && sp < sources->own_high) {
    pyro_stack_bounds_within (sp, sources->own_low, sources->own_high, out);
    return true;
  }
  return find_foreign (sources->map, sp, is_written, out);
}

bool
pyro_memory_map_get_main_stack (const PyroMemoryMap *map, uintptr_t *low,
                                uintptr_t *high)
{
  if (map == NULL || map->main_stack.limit == 0)
    return false;
  *low = map->main_stack.start;
  *high = map->main_stack.limit;
  return true;
}

const PyroCodeMapping *
pyro_memory_map_find_code (const PyroMemoryMap *map, uintptr_t pc)
{
  const PyroCodeMapping *base;
  size_t n;

  if (map == NULL || map->n_codes == 0)
    return NULL;
  base = map->codes;
  n = map->n_codes;
  while (n > 1) {
    size_t half = n / 2;

    if (base[half].start <= pc)
      base += half;
    n -= half;
  }
  return pc >= base->start && pc < base->limit ? base : NULL;
}

const uint8_t *
pyro_memory_map_code_copy (const PyroMemoryMap *map,
                           const PyroCodeMapping *code)
{
  return code->copy != 0 ? map->copies + code->copy - 1 : NULL;
}
