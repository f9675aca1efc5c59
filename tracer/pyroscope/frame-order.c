/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "frame-order.h"

guint
pyro_frame_hash (gconstpointer key)
{
  const PyroFrame *frame = key;
  guint64 hash = ((guintptr)frame->module >> 4 ^ frame->address)
                 * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15);

  return (guint)(hash >> 32);
}

gboolean
pyro_frame_equal (gconstpointer a, gconstpointer b)
{
  const PyroFrame *frame_a = a;
  const PyroFrame *frame_b = b;

  return frame_a->module == frame_b->module
         && frame_a->address == frame_b->address;
}

/* A file may be several modules: segments, or mapped again elsewhere. */
static gint
compare_frames (gconstpointer a, gconstpointer b)
{
  const PyroFrame *x = *(const PyroFrame *const *)a;
  const PyroFrame *y = *(const PyroFrame *const *)b;
  gint order = 0;

  if (x->module != y->module)
    order = g_strcmp0 (x->module->path, y->module->path);
  if (order == 0 && x->module != y->module)
    order = g_strcmp0 (x->module->build_id, y->module->build_id);
  if (order != 0)
    return order;
  return x->address < y->address ? -1 : x->address > y->address;
}

GPtrArray *
pyro_frame_order_list (const PyroAggregate *aggregate)
{
  g_autoptr (GHashTable) seen
      = g_hash_table_new (pyro_frame_hash, pyro_frame_equal);
  GPtrArray *frames = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer key;

  g_hash_table_iter_init (&iter, aggregate->entries);
  while (g_hash_table_iter_next (&iter, &key, NULL)) {
    const PyroAggregateEntry *entry = key;

    for (guint i = 0; i < entry->n_frames; i++) {
      const PyroFrame *frame = &entry->frames[i];

      if (frame->module != NULL && g_hash_table_add (seen, (gpointer)frame))
        g_ptr_array_add (frames, (gpointer)frame);
    }
  }
  g_ptr_array_sort (frames, compare_frames);
  return frames;
}
