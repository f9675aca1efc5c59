/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "live-elements.h"

#include <string.h>

#define MIN_SIZE 64

/* Open addressing, linear probing; the size is a power of two and at least
 * twice the number of elements. */
static struct {
  GMutex lock;
  PyroLiveElement *slots;
  gsize size;
  gsize n;
} live;

/* Fibonacci hashing: the low bits of a pointer say little. */
static gsize
home (gconstpointer element, gsize size)
{
  return ((guintptr)element * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15) >> 20)
         & (size - 1);
}

/* The element's slot, or the empty one where it would be. */
static PyroLiveElement *
find (PyroLiveElement *slots, gsize size, gconstpointer element)
{
  gsize at = home (element, size);

  while (slots[at].element != NULL && slots[at].element != element)
    at = (at + 1) & (size - 1);
  return &slots[at];
}

/* Called with the lock; lets it go meanwhile. */
static void
grow (void)
{
  gsize size = MAX (MIN_SIZE, live.size * 2);
  PyroLiveElement *slots, *old = NULL;

  g_mutex_unlock (&live.lock);
  slots = g_new0 (PyroLiveElement, size);
  g_mutex_lock (&live.lock);
  if (live.size < size) {
    for (gsize i = 0; i < live.size; i++)
      if (live.slots[i].element != NULL)
        *find (slots, size, live.slots[i].element) = live.slots[i];
    old = live.slots;
    live.slots = slots;
    live.size = size;
  } else {
    old = slots;
  }
  g_mutex_unlock (&live.lock);
  g_free (old);
  g_mutex_lock (&live.lock);
}

void
pyro_live_elements_add (gconstpointer element, guint32 node,
                        const gchar *library)
{
  PyroLiveElement *slot;

  g_mutex_lock (&live.lock);
  while ((live.n + 1) * 2 > live.size)
    grow ();
  slot = find (live.slots, live.size, element);
  if (slot->element == NULL)
    live.n++;
  *slot = (PyroLiveElement){ element, library, node };
  g_mutex_unlock (&live.lock);
}

void
pyro_live_elements_remove (gconstpointer object)
{
  gsize mask, hole, at;

  g_mutex_lock (&live.lock);
  mask = live.size - 1;
  if (live.n == 0)
    goto out;
  hole = (gsize)(find (live.slots, live.size, object) - live.slots);
  if (live.slots[hole].element == NULL)
    goto out;
  live.n--;
  /* What was probed past the hole moves into it (Knuth, algorithm 6.4 R). */
  for (at = (hole + 1) & mask; live.slots[at].element != NULL;
       at = (at + 1) & mask) {
    gsize distance = (at - home (live.slots[at].element, live.size)) & mask;

    if (distance >= ((at - hole) & mask)) {
      live.slots[hole] = live.slots[at];
      hole = at;
    }
  }
  live.slots[hole].element = NULL;
out:
  g_mutex_unlock (&live.lock);
}

guint32
pyro_live_elements_search (const guintptr *words, gsize n, const gchar *library)
{
  guint32 node = 0;

  g_mutex_lock (&live.lock);
  for (gsize i = 0; i < n && live.n > 0 && node == 0; i++) {
    const PyroLiveElement *slot;

    if (words[i] == 0)
      continue;
    slot = find (live.slots, live.size, (gconstpointer)words[i]);
    if (slot->element != NULL && slot->library == library)
      node = slot->node;
  }
  g_mutex_unlock (&live.lock);
  return node;
}

void
pyro_live_elements_foreach (PyroLiveElementFunc func, gpointer data)
{
  g_mutex_lock (&live.lock);
  for (gsize i = 0; i < live.size; i++)
    if (live.slots[i].element != NULL && !func (&live.slots[i], data))
      break;
  g_mutex_unlock (&live.lock);
}

void
pyro_live_elements_fork_prepare (void)
{
  g_mutex_lock (&live.lock);
}

void
pyro_live_elements_fork_done (void)
{
  g_mutex_unlock (&live.lock);
}
