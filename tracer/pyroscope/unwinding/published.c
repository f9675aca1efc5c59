/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Handler-safe: no lock, no allocation, no system call, no libc, no TLS. */

#include "published.h"

static const PyroUnwindTables *published_tables;
static const PyroMemoryMap *published_map;

const PyroUnwindTables *PYRO_HOT
pyro_modules_published (void)
{
  return __atomic_load_n (&published_tables, __ATOMIC_ACQUIRE);
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
