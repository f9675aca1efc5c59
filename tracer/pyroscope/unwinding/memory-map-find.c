/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Handler-safe: no lock, no allocation, no system call, no libc, no TLS. */

#include "unwind-cache.h"

#define PAGE_SIZE 4096u

#if defined(__x86_64__)
/* System V ABI, AMD64 supplement, 3.2.2: a signal leaves it alone, and leaf
 * functions save registers there. */
#define RED_ZONE 128u
#else
#define RED_ZONE 0u
#endif

void PYRO_HOT
pyro_stack_bounds_within (uintptr_t sp, uintptr_t low, uintptr_t high,
                          PyroStackBounds *out)
{
  out->low = sp - low > RED_ZONE ? sp - RED_ZONE : low;
  out->high = high;
  out->shift = 0;
}

static const PyroStackMapping *PYRO_COLD
find_mapping (const PyroMemoryMap *map, uintptr_t sp)
{
  const PyroStackMapping *base;
  size_t n;

  if (map == NULL || map->n_stacks == 0)
    return NULL;
  base = map->stacks;
  n = map->n_stacks;
  while (n > 1) {
    size_t half = n / 2;

    if (base[half].floor <= sp)
      base += half;
    n -= half;
  }
  return sp >= base->floor && sp < base->limit ? base : NULL;
}

static void
bounds_in_mapping (const PyroStackMapping *mapping, uintptr_t sp,
                   PyroStackBounds *out)
{
  /* The page of sp is there even where the mapping has grown since. */
  uintptr_t bottom
      = sp < mapping->start ? sp & ~(uintptr_t)(PAGE_SIZE - 1) : mapping->start;

  pyro_stack_bounds_within (sp, bottom, mapping->limit, out);
}

bool
pyro_memory_map_find_stack (const PyroMemoryMap *map, uintptr_t sp,
                            PyroStackBounds *out)
{
  const PyroStackMapping *mapping = find_mapping (map, sp);

  if (mapping == NULL)
    return false;
  bounds_in_mapping (mapping, sp, out);
  return true;
}

bool PYRO_HOT
pyro_memory_map_find_own_stack (const PyroMemoryMap *map,
                                PyroUnwindCache *cache, uintptr_t sp,
                                PyroStackBounds *out)
{
  const PyroStackMapping *mapping;

  if (map != NULL && cache != NULL && cache->map_generation == map->generation
      && sp >= cache->stack.floor && sp < cache->stack.limit) {
    mapping = &cache->stack;
  } else {
    mapping = find_mapping (map, sp);
    if (mapping == NULL)
      return false;
    if (cache != NULL) {
      cache->stack = *mapping;
      cache->map_generation = map->generation;
    }
  }
  bounds_in_mapping (mapping, sp, out);
#if defined(__x86_64__)
  if (map->has_fsgsbase) {
    uintptr_t control_block;

    /* Not by reading %fs:0, which faults in a thread without TLS. */
    __asm__("rdfsbase %0" : "=r"(control_block));
    if (control_block > sp && control_block < out->high)
      out->high = control_block;
  }
#endif
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
