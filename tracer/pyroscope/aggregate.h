/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the samples of one interval: equal stacks with equal labels are one.
 * Owner: an aggregate owns its entries; the names of their labels are known as
 * long as it is there; modules are borrowed and must live longer.
 * Threads: filled by the collector, then given away whole to the delivery
 * thread: one thread at a time.
 */
#pragma once

#include <glib.h>

#include "attribution/label-word.h"
#include "sampling/threads.h"
#include "unwinding/modules.h"

G_BEGIN_DECLS

/* Frames that are no code: why a stack, or a part of it, is not known. */
typedef enum {
  PYRO_NOTE_TRUNCATED, /* + PyroStackEnd */
  PYRO_NOTE_OMITTED = PYRO_NOTE_TRUNCATED + PYRO_STACK_N_ENDS,
  PYRO_NOTE_UNSAMPLED, /* + PyroUnsampledReason */
  PYRO_NOTE_UNKNOWN_CODE = PYRO_NOTE_UNSAMPLED + PYRO_UNSAMPLED_N_REASONS,
  PYRO_NOTE_CLOSED_CODE, /* one of two modules, of which one was closed */
} PyroNote;

/* Comparable as bytes: no padding. */
typedef struct {
  const PyroModule *module; /* NULL: ADDRESS is a PyroNote */
  guint64 address;          /* the file's own; of the call, not behind it */
} PyroFrame;

typedef struct {
  guint hash;
  guint n_frames;
  guint64 label; /* PyroLabelWord */
  gchar thread[PYRO_THREAD_NAME_SIZE];
  gint64 weight; /* samples */
  gint64 nanoseconds;
  PyroFrame frames[]; /* leaf first */
} PyroAggregateEntry;

typedef struct {
  guint64 samples;  /* taken */
  guint64 overruns; /* timer expirations that had no sample of their own */
  guint64 dropped;  /* lost in full rings */
  guint64 rescued;
  guint64 cpu_ns;        /* all */
  guint64 blocked_ns;    /* of threads that block our signal */
  guint64 timerless_ns;  /* of threads that no CPU timer could be made for */
  guint64 impossible_ns; /* left out: clocks cannot have counted it */
  guint64 ends[PYRO_STACK_N_ENDS];
} PyroAggregateStats;

typedef struct {
  GHashTable *entries; /* set of PyroAggregateEntry */
  gint64 time_ns;      /* UNIX time of the start */
  gint64 monotonic_us; /* the same moment */
  gint64 duration_ns;  /* set when it is complete */
  guint64 interval;    /* of pyro_nodes_begin_interval() */
  PyroAggregateStats stats;
} PyroAggregate;

PyroAggregate *pyro_aggregate_new (void);
void pyro_aggregate_free (PyroAggregate *aggregate);

/* Bytes of memory that it takes, about. */
gsize pyro_aggregate_get_size (const PyroAggregate *aggregate);

/* LABEL: what is known of SAMPLE's thread, instead of the sample's own. */
void pyro_aggregate_add_sample (PyroAggregate *aggregate, PyroModules *modules,
                                const PyroThreadInfo *thread,
                                const PyroRawSample *sample, guint64 label);
void pyro_aggregate_add_unsampled (PyroAggregate *aggregate,
                                   const PyroThreadInfo *thread,
                                   PyroUnsampledReason reason, guint64 ns,
                                   guint64 weight, guint64 label);

G_END_DECLS
