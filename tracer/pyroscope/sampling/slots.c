/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "slots.h"

#include <string.h>

/* Slots below n_used were ever in use; those that are free now are linked by
 * next_free, the first one is FIRST_FREE - 1. */
static guint n_used, first_free;
static guint16 next_free[PYRO_MAX_THREADS];
G_STATIC_ASSERT (PYRO_MAX_THREADS < G_MAXUINT16);

gboolean
pyro_slots_take (PyroThreadRecord *record)
{
  guint slot;

  if (first_free != 0) {
    slot = first_free - 1;
    first_free = next_free[slot];
  } else if (n_used < PYRO_MAX_THREADS) {
    slot = n_used++;
  } else {
    return FALSE;
  }
  record->slot = slot;
  __atomic_store_n (&pyro_thread_records[slot], record, __ATOMIC_RELEASE);
  return TRUE;
}

void
pyro_slots_give_back (PyroThreadRecord *record)
{
  guint slot = record->slot;

  __atomic_store_n (&pyro_thread_records[slot], NULL, __ATOMIC_RELEASE);
  pyro_thread_dirty[slot] = 0;
  next_free[slot] = (guint16)first_free;
  first_free = slot + 1;
}

/* The marks of eight slots in one look. */
typedef guint64 __attribute__ ((may_alias)) EightMarks;

/* Handlers mark their slot after they have written: whoever takes the mark
 * away sees what they wrote. */
void
pyro_slots_visit_marked (void (*visit) (PyroThreadRecord *record,
                                        gpointer data),
                         gpointer data)
{
  for (guint first = 0; first < n_used; first += sizeof (EightMarks)) {
    const EightMarks *eight = (const EightMarks *)&pyro_thread_dirty[first];

    if (__atomic_load_n (eight, __ATOMIC_RELAXED) == 0)
      continue;
    for (guint slot = first; slot < first + sizeof *eight; slot++) {
      PyroThreadRecord *record = pyro_thread_records[slot];

      if (__atomic_exchange_n (&pyro_thread_dirty[slot], 0, __ATOMIC_ACQ_REL)
          && record != NULL)
        visit (record, data);
    }
  }
}

void
pyro_slots_forget (void)
{
  memset (pyro_thread_records, 0, n_used * sizeof *pyro_thread_records);
  memset (pyro_thread_dirty, 0, n_used);
  n_used = first_free = 0;
}
