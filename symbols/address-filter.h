/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: a set of addresses that may say yes to others, too: asked before a
 * look-up that costs more, where most addresses are none of the set's.
 * Owner: a value, zero to begin with. Threads: one at a time.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define PYRO_ADDRESS_FILTER_BITS (1u << 18)

typedef struct {
  guint8 bits[PYRO_ADDRESS_FILTER_BITS / 8];
} PyroAddressFilter;

static inline guint32
pyro_address_filter_hash (guint64 address)
{
  return (address ^ address >> 18) % PYRO_ADDRESS_FILTER_BITS;
}

static inline void
pyro_address_filter_add (PyroAddressFilter *filter, guint64 address)
{
  const guint32 hash = pyro_address_filter_hash (address);

  filter->bits[hash / 8] |= 1u << hash % 8;
}

/* FALSE: it was not added. */
static inline gboolean
pyro_address_filter_may_have (const PyroAddressFilter *filter, guint64 address)
{
  const guint32 hash = pyro_address_filter_hash (address);

  return (filter->bits[hash / 8] >> hash % 8 & 1) != 0;
}

G_END_DECLS
