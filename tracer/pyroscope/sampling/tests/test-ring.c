/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <glib.h>
#include <string.h>

#include "sampling/ring.h"
#include "sampling/thread-record.h"

#define CAPACITY 16384

static PyroRing *
ring_new (void)
{
  PyroRing *ring = g_new0 (PyroRing, 1);

  ring->capacity = CAPACITY;
  ring->data = g_malloc (CAPACITY);
  memset (ring->data, 0xff, CAPACITY); /* nothing may count on zeros */
  return ring;
}

static void
ring_free (PyroRing *ring)
{
  g_free (ring->data);
  g_free (ring);
}

/* A record that proves itself. */
static gboolean
put (PyroRing *ring, guint64 number, guint depth)
{
  PyroRawSample *sample = pyro_ring_reserve (ring);

  if (sample == NULL)
    return FALSE;
  sample->flags = 0;
  sample->label = number;
  sample->depth = (guint16)depth;
  for (guint i = 0; i < depth; i++)
    sample->pcs[i] = number * 1000 + i;
  pyro_ring_commit (ring, sample);
  return TRUE;
}

static gboolean
take (PyroRing *ring, guint64 number)
{
  const PyroRawSample *sample = pyro_ring_peek (ring);

  if (sample == NULL)
    return FALSE;
  g_assert_cmpuint (sample->label, ==, number);
  g_assert_cmpuint (sample->size, ==,
                    sizeof *sample + sample->depth * sizeof (guintptr));
  for (guint i = 0; i < sample->depth; i++)
    g_assert_cmpuint (sample->pcs[i], ==, number * 1000 + i);
  pyro_ring_release (ring, sample);
  return TRUE;
}

static void
test_empty (void)
{
  PyroRing *ring = ring_new ();

  g_assert_null (pyro_ring_peek (ring));
  g_assert_nonnull (pyro_ring_reserve (ring));
  g_assert_null (pyro_ring_peek (ring)); /* reserved is not committed */
  ring_free (ring);
}

/* Every depth, so that the rest at the end has every size, also less than a
 * record's head. */
static void
test_wrap_around (void)
{
  PyroRing *ring = ring_new ();
  guint64 written = 0, read = 0;

  for (guint round = 0; round < 20000; round++) {
    if (put (ring, written, 1 + round * 7 % PYRO_MAX_FRAMES))
      written++;
    if (round % 3 != 0 && take (ring, read))
      read++;
  }
  while (take (ring, read))
    read++;
  g_assert_cmpuint (read, ==, written);
  g_assert_cmpuint (written, >, 10000);
  ring_free (ring);
}

static void
test_full (void)
{
  PyroRing *ring = ring_new ();
  guint64 n = 0, read = 0;

  while (put (ring, n, PYRO_MAX_FRAMES))
    n++;
  g_assert_cmpuint (n, >=, CAPACITY / PYRO_SAMPLE_MAX_SIZE - 1);
  g_assert_false (put (ring, n, 1));
  /* As many again fit when they are read. */
  while (take (ring, read))
    read++;
  g_assert_cmpuint (read, ==, n);
  g_assert_true (put (ring, n, PYRO_MAX_FRAMES));
  g_assert_true (take (ring, n));
  ring_free (ring);
}

typedef struct {
  PyroRing *ring;
  guint64 n;
  guint64 lost;
} Stress;

static gpointer
produce (gpointer data)
{
  Stress *stress = data;
  guint64 number = 0;

  while (number < stress->n) {
    if (put (stress->ring, number, 1 + number * 13 % PYRO_MAX_FRAMES))
      number++;
    else
      g_thread_yield ();
  }
  return NULL;
}

static void
test_concurrently (void)
{
  PyroRing *ring = ring_new ();
  Stress stress = { ring, 200000, 0 };
  GThread *thread = g_thread_new ("producer", produce, &stress);
  guint64 read = 0;

  while (read < stress.n)
    if (take (ring, read))
      read++;
    else
      g_thread_yield ();
  g_thread_join (thread);
  g_assert_null (pyro_ring_peek (ring));
  ring_free (ring);
}

static void
test_cookies (void)
{
  PyroThreadRecord *record = g_new0 (PyroThreadRecord, 1);
  guint64 cookie = pyro_cookie (3, 77);

  pyro_thread_records[3] = record;
  record->generation = 77;
  g_assert_true (pyro_thread_record_by_cookie (cookie) == record);
  g_assert_null (pyro_thread_record_by_cookie (pyro_cookie (3, 78)));
  g_assert_null (pyro_thread_record_by_cookie (pyro_cookie (4, 77)));
  g_assert_null (
      pyro_thread_record_by_cookie (pyro_cookie (PYRO_MAX_THREADS, 77)));
  g_assert_null (pyro_thread_record_by_cookie (pyro_cookie (0xffffff, 77)));
  g_assert_null (pyro_thread_record_by_cookie (0));
  g_assert_null (pyro_thread_record_by_cookie (cookie ^ UINT64_C (1) << 63));
  /* Disarmed: generation 0 is never in a cookie of ours. */
  record->generation = 0;
  g_assert_null (pyro_thread_record_by_cookie (cookie));
  /* The generation has 24 bits. */
  g_assert_cmpuint (pyro_cookie (3, 0x1000000 + 77), ==, cookie);
  pyro_thread_records[3] = NULL;
  g_assert_null (pyro_thread_record_by_cookie (cookie));
  g_free (record);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/ring/an empty ring has no sample", test_empty);
  g_test_add_func ("/ring/records of all sizes wrap around", test_wrap_around);
  g_test_add_func ("/ring/a full ring refuses, and takes again", test_full);
  g_test_add_func ("/ring/producer and consumer at once", test_concurrently);
  g_test_add_func ("/cookie/only a timer in force is known by its cookie",
                   test_cookies);
  return g_test_run ();
}
