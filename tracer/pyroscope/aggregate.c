/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "aggregate.h"

#include <string.h>

#include "attribution/nodes.h"
#include "kernel-clock.h"

/* The stack, a note where frames are missing and one where it ends early. */
#define MAX_FRAMES (PYRO_MAX_FRAMES + 2)

static guint
entry_hash (gconstpointer key)
{
  return ((const PyroAggregateEntry *)key)->hash;
}

static gboolean
entry_equal (gconstpointer key_a, gconstpointer key_b)
{
  const PyroAggregateEntry *a = key_a;
  const PyroAggregateEntry *b = key_b;

  return a->hash == b->hash && a->n_frames == b->n_frames
         && a->label == b->label
         && memcmp (a->thread, b->thread, sizeof a->thread) == 0
         && memcmp (a->frames, b->frames, a->n_frames * sizeof (PyroFrame))
                == 0;
}

/* FNV-1a over words. */
static guint
hash_entry (const PyroAggregateEntry *entry)
{
  guint64 hash = G_GUINT64_CONSTANT (0xcbf29ce484222325);

#define MIX(word) \
  hash = (hash ^ (guint64)(word)) * G_GUINT64_CONSTANT (0x100000001b3)
  MIX (entry->label);
  for (guint i = 0; i < sizeof entry->thread; i += sizeof (guint64)) {
    guint64 word;

    memcpy (&word, entry->thread + i, sizeof word);
    MIX (word);
  }
  for (guint i = 0; i < entry->n_frames; i++) {
    MIX ((guintptr)entry->frames[i].module);
    MIX (entry->frames[i].address);
  }
#undef MIX
  return (guint)(hash ^ hash >> 32);
}

PyroAggregate *
pyro_aggregate_new (void)
{
  PyroAggregate *aggregate = g_new0 (PyroAggregate, 1);

  aggregate->entries
      = g_hash_table_new_full (entry_hash, entry_equal, g_free, NULL);
  aggregate->time_ns = pyro_clock_real ();
  aggregate->monotonic_us = pyro_clock_monotonic ();
  aggregate->interval = pyro_nodes_begin_interval ();
  return aggregate;
}

void
pyro_aggregate_free (PyroAggregate *aggregate)
{
  pyro_nodes_end_interval (aggregate->interval);
  g_hash_table_unref (aggregate->entries);
  g_free (aggregate);
}

gsize
pyro_aggregate_get_size (const PyroAggregate *aggregate)
{
  /* What the heap and the table add to an entry. */
  const gsize overhead = 48;
  gsize size = 0;
  GHashTableIter iter;
  gpointer key;

  g_hash_table_iter_init (&iter, aggregate->entries);
  while (g_hash_table_iter_next (&iter, &key, NULL))
    size += sizeof (PyroAggregateEntry) + overhead
            + ((const PyroAggregateEntry *)key)->n_frames * sizeof (PyroFrame);
  return size;
}

/* Room for an entry of the largest size, to look up with. */
typedef union {
  PyroAggregateEntry entry;
  guint8 bytes[sizeof (PyroAggregateEntry) + MAX_FRAMES * sizeof (PyroFrame)];
} Draft;

static void
draft_init (Draft *draft, const PyroThreadInfo *thread, guint64 label)
{
  memset (&draft->entry, 0, sizeof draft->entry);
  draft->entry.label = label;
  g_strlcpy (draft->entry.thread, thread->name, sizeof draft->entry.thread);
}

static void
draft_add (Draft *draft, const PyroModule *module, guint64 address)
{
  PyroFrame *frame = &draft->entry.frames[draft->entry.n_frames++];

  frame->module = module;
  frame->address = address;
}

static void
commit (PyroAggregate *aggregate, Draft *draft, guint64 weight, guint64 ns)
{
  PyroAggregateEntry *entry = &draft->entry;
  PyroAggregateEntry *known;

  entry->hash = hash_entry (entry);
  known = g_hash_table_lookup (aggregate->entries, entry);
  if (known == NULL) {
    known = g_memdup2 (entry,
                       sizeof *entry + entry->n_frames * sizeof (PyroFrame));
    g_hash_table_add (aggregate->entries, known);
  }
  aggregate->stats.cpu_ns += ns;
  known->weight += (gint64)weight;
  known->nanoseconds += (gint64)ns;
}

void
pyro_aggregate_add_sample (PyroAggregate *aggregate, PyroModules *modules,
                           const PyroThreadInfo *thread,
                           const PyroRawSample *sample, guint64 label)
{
  PyroStackEnd end = sample->end;
  Draft draft;

  draft_init (&draft, thread, label);
  for (guint i = 0; i < sample->depth; i++) {
    /* Return addresses point behind the call. */
    guintptr pc = i == 0 ? sample->pcs[0] : sample->pcs[i] - 1;
    gboolean in_doubt;
    const PyroModule *module
        = pyro_modules_find_at (modules, pc, sample->moment, &in_doubt);

    if (sample->omitted > 0 && i == sample->gap)
      draft_add (&draft, NULL, PYRO_NOTE_OMITTED);
    if (module != NULL)
      draft_add (&draft, module, pc - module->bias);
    else
      draft_add (&draft, NULL,
                 in_doubt ? PYRO_NOTE_CLOSED_CODE : PYRO_NOTE_UNKNOWN_CODE);
    /* The frames from here on were found by another library's tables. */
    if (pyro_modules_was_misled (modules, pc, sample->moment, module)) {
      end = PYRO_STACK_UNKNOWN_CODE;
      break;
    }
  }
  if (end != PYRO_STACK_COMPLETE)
    draft_add (&draft, NULL, PYRO_NOTE_TRUNCATED + end);
  commit (aggregate, &draft, sample->weight, sample->nanoseconds);

  aggregate->stats.samples++;
  aggregate->stats.overruns += sample->weight - 1;
  aggregate->stats.ends[MIN (end, PYRO_STACK_N_ENDS - 1)]++;
  if (sample->flags & PYRO_SAMPLE_RESCUED)
    aggregate->stats.rescued++;
}

void
pyro_aggregate_add_unsampled (PyroAggregate *aggregate,
                              const PyroThreadInfo *thread,
                              PyroUnsampledReason reason, guint64 ns,
                              guint64 weight, guint64 label)
{
  Draft draft;

  draft_init (&draft, thread, label);
  draft_add (&draft, NULL, PYRO_NOTE_UNSAMPLED + reason);
  commit (aggregate, &draft, weight, ns);
  if (reason == PYRO_UNSAMPLED_BLOCKED)
    aggregate->stats.blocked_ns += ns;
  if (reason == PYRO_UNSAMPLED_NO_TIMER)
    aggregate->stats.timerless_ns += ns;
  if (reason == PYRO_UNSAMPLED_LOST)
    aggregate->stats.dropped += weight;
}
