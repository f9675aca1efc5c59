/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* In which order frames are named. */
#include "frame-order.h"

#include <string.h>

#define N_FRAMES 200

static PyroAggregateEntry *
add_entry (GHashTable *entries)
{
  PyroAggregateEntry *entry
      = g_malloc0 (sizeof *entry + N_FRAMES * sizeof (PyroFrame));

  g_hash_table_add (entries, entry);
  return entry;
}

static void
test_frames_of_one_file_come_together (void)
{
  PyroModule modules[] = {
    { .path = (gchar *)"/lib/b.so", .build_id = (gchar *)"01" },
    { .path = (gchar *)"/lib/a.so", .build_id = (gchar *)"02" },
    { .path = (gchar *)"/lib/b.so", .build_id = (gchar *)"01" },
    { .path = (gchar *)"/lib/b.so", .build_id = (gchar *)"03" },
    { .path = (gchar *)"[orc]" },
  };
  PyroAggregate aggregate
      = { .entries = g_hash_table_new_full (NULL, NULL, g_free, NULL) };
  g_autoptr (GHashTable) files
      = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr (GPtrArray) frames = NULL;
  g_autofree gchar *last = NULL;
  guint64 last_address = 0;

  /* All of them in each of three stacks, and one frame that is no code. */
  for (guint i = 0; i < 3; i++) {
    PyroAggregateEntry *entry = add_entry (aggregate.entries);

    for (guint j = 0; j < N_FRAMES - 1; j++)
      entry->frames[entry->n_frames++]
          = (PyroFrame){ &modules[j % G_N_ELEMENTS (modules)],
                         j * 7919 % N_FRAMES };
    entry->frames[entry->n_frames++] = (PyroFrame){ NULL, 1 };
  }

  frames = pyro_frame_order_list (&aggregate);
  g_assert_cmpuint (frames->len, ==, N_FRAMES - 1);
  for (guint i = 0; i < frames->len; i++) {
    const PyroFrame *frame = frames->pdata[i];
    gchar *file
        = g_strconcat (frame->module->path, " ", frame->module->build_id, NULL);

    if (g_strcmp0 (file, last) == 0)
      g_assert_cmpuint (frame->address, >, last_address);
    else
      g_assert_true (g_hash_table_add (files, g_strdup (file)));
    last_address = frame->address;
    g_free (last);
    last = file;
  }
  g_assert_cmpuint (g_hash_table_size (files), ==, 4);
  g_hash_table_unref (aggregate.entries);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/tracer/frame-order/frames-of-one-file-come-together",
                   test_frames_of_one_file_come_together);
  return g_test_run ();
}
