/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Handler-safe: no lock, no allocation, no system call, no libc, no TLS. */

#include "published.h"

static const PyroUnwindTables *published_tables;
static const PyroMemoryMap *published_map;
static uint64_t unloads; /* the count, and in the low half those on their way */

const PyroUnwindTables *PYRO_HOT
pyro_modules_published (void)
{
  return __atomic_load_n (&published_tables, __ATOMIC_ACQUIRE);
}

PyroModuleMoment PYRO_HOT
pyro_module_moment (const PyroUnwindTables *tables)
{
  return PYRO_MODULE_MOMENT (pyro_unload_epoch (),
                             tables != NULL ? tables->listing : 0);
}

uint64_t PYRO_HOT
pyro_unloads_word (void)
{
  return __atomic_load_n (&unloads, __ATOMIC_ACQUIRE);
}

uint32_t PYRO_HOT
pyro_unload_epoch (void)
{
  return (uint32_t)(pyro_unloads_word () >> 32);
}

uint64_t
pyro_unloads_begin (void)
{
  return __atomic_fetch_add (&unloads, ((uint64_t)1 << 32) + 1,
                             __ATOMIC_SEQ_CST);
}

uint64_t
pyro_unloads_end (void)
{
  return __atomic_fetch_add (&unloads, ((uint64_t)1 << 32) - 1,
                             __ATOMIC_SEQ_CST);
}

uint32_t
pyro_unloads_missed (void)
{
  return (uint32_t)(__atomic_add_fetch (&unloads, (uint64_t)1 << 32,
                                        __ATOMIC_SEQ_CST)
                    >> 32);
}

void
pyro_unloads_forget (void)
{
  __atomic_fetch_and (&unloads, (uint64_t)UINT32_MAX << 32, __ATOMIC_SEQ_CST);
}

/* Sequentially consistent, because the caller goes on to look whether a
 * handler is running: that read must not come first. */
void
pyro_publish_tables (const PyroUnwindTables *tables)
{
  __atomic_store_n (&published_tables, tables, __ATOMIC_SEQ_CST);
}

const PyroMemoryMap *PYRO_HOT
pyro_memory_map_published (void)
{
  return __atomic_load_n (&published_map, __ATOMIC_ACQUIRE);
}

void
pyro_publish_memory_map (const PyroMemoryMap *map)
{
  __atomic_store_n (&published_map, map, __ATOMIC_SEQ_CST);
}

/* Readers outside of the handler. */
static uint32_t n_readers;

/* Sequentially consistent, as in the handler: whoever replaces the tables
 * afterwards sees the count, or this thread loads the new ones. */
void
pyro_readers_enter (void)
{
  __atomic_fetch_add (&n_readers, 1, __ATOMIC_SEQ_CST);
}

void
pyro_readers_leave (void)
{
  __atomic_fetch_sub (&n_readers, 1, __ATOMIC_RELEASE);
}

bool
pyro_readers_are_gone (void)
{
  return __atomic_load_n (&n_readers, __ATOMIC_SEQ_CST) == 0;
}

void
pyro_readers_forget (void)
{
  __atomic_store_n (&n_readers, 0, __ATOMIC_SEQ_CST);
}
