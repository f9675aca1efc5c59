/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "rings.h"

#include <sys/mman.h>

#define MIN_CAPACITY 16384

/* Half a second of samples of a usual size: the collector reads every 20 ms,
 * but may be kept waiting by the loader's lock or a busy machine. */
#define USUAL_SAMPLE_SIZE 512
#define WANTED(rate) ((gsize)(rate)*USUAL_SAMPLE_SIZE / 2)

G_STATIC_ASSERT (MIN_CAPACITY << (PYRO_MAX_RINGS - 1)
                 >= WANTED (PYRO_MAX_RATE));

PyroRing *
pyro_rings_get (PyroRings *rings, guint rate)
{
  PyroRing *newest = rings->n > 0 ? &rings->rings[rings->n - 1] : NULL;
  gsize capacity = MIN_CAPACITY;
  gpointer memory;

  while (capacity < WANTED (rate))
    capacity *= 2;
  if ((newest != NULL && newest->capacity >= capacity)
      || rings->n == PYRO_MAX_RINGS)
    return newest;
  memory = mmap (NULL, capacity, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    return newest;
  newest = &rings->rings[rings->n++];
  *newest = (PyroRing){ .data = memory, .capacity = capacity };
  return newest;
}

PyroRawSample *
pyro_rings_peek (PyroRings *rings, PyroRing **ring)
{
  for (guint i = 0; i < rings->n; i++) {
    PyroRawSample *sample = pyro_ring_peek (&rings->rings[i]);

    if (sample != NULL) {
      *ring = &rings->rings[i];
      return sample;
    }
  }
  return NULL;
}

void
pyro_rings_clear (PyroRings *rings)
{
  for (guint i = 0; i < rings->n; i++)
    munmap (rings->rings[i].data, rings->rings[i].capacity);
  rings->n = 0;
}
