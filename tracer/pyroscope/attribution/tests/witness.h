/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the hooks of the room alone, without a profiler, and elements that look
 * in each of their functions whether their thread is said to execute them.
 * Owner: the caller owns elements as GStreamer has it.
 * Threads: any; what was seen is counted atomically.
 */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

typedef enum {
  PYRO_WITNESS_TASK, /* the pad's task, from its first instruction on */
  PYRO_WITNESS_CHAIN,
  PYRO_WITNESS_CHAIN_LIST,
  PYRO_WITNESS_GET_RANGE,
  PYRO_WITNESS_EVENT,
  PYRO_WITNESS_QUERY,
  PYRO_WITNESS_STATE,
  PYRO_WITNESS_N_WORKS
} PyroWitnessWork;

/* The element's pads: sources have a task on "src", or give what is pulled. */
typedef enum {
  PYRO_WITNESS_FILTER,
  PYRO_WITNESS_SOURCE,
  PYRO_WITNESS_PROVIDER, /* "src", to pull from */
  PYRO_WITNESS_SINK,
  PYRO_WITNESS_PULLER, /* "sink" with a task that pulls */
} PyroWitnessKind;

/* In the middle of WORK of ELEMENT. */
typedef void (*PyroWitnessFunc) (GstElement *element, PyroWitnessWork work,
                                 gpointer data);

/* Registers the hooks with a tracer of the test's own and starts them. */
void pyro_witness_start_hooks (void);

/* How often the hooks told of a pause in the work. */
guint pyro_witness_get_pauses (void);

GstElement *pyro_witness_new (PyroWitnessKind kind, const gchar *name);

/* So many buffers of a source or a puller, then EOS. A source sends each second
 * one as a list. */
void pyro_witness_set_buffers (GstElement *element, guint n);
void pyro_witness_set_func (GstElement *element, PyroWitnessFunc func,
                            gpointer data);

/* How often WORK was looked at. */
guint pyro_witness_get_seen (GstElement *element, PyroWitnessWork work);

/* "work" was looked at so often at least. */
#define pyro_assert_saw(element, work, least) \
  g_assert_cmpuint (pyro_witness_get_seen (element, work), >=, least)

/* So many buffers a source or a puller of pyro_add_witness() has. */
#define PYRO_WITNESS_BUFFERS 50
#define PYRO_WITNESS_WAIT (30 * GST_SECOND)

/* Adds it to BIN, which owns it. */
GstElement *
pyro_add_witness (GstElement *bin, PyroWitnessKind kind, const gchar *name);
void pyro_add (GstElement *bin, GstElement *element);
void pyro_link (GstElement *a, GstElement *b);

/* Changes of state; what the calling thread executes is looked at, too. */
void pyro_play (GstElement *bin);
void pyro_stop (GstElement *bin);
void pyro_wait_for_end (GstElement *pipeline);
void pyro_play_to_the_end (GstElement *pipeline);

/* A pad of no element that has begun a stream into PAD. */
GstPad *pyro_feeder_new (GstPad *pad);
void pyro_feeder_free (GstPad *feeder);

GstEvent *pyro_custom_event (GstEventType type);

/* Interned; NULL: there is no such node. */
const gchar *pyro_path_of_node (guint32 id);

/* This thread is said to execute the element whose path is PATH, marked
 * `exact`; NULL: none. */
#define pyro_assert_executing(path) \
  pyro_assert_executing_at (__FILE__, __LINE__, path)
void pyro_assert_executing_at (const gchar *file, gint line, const gchar *path);

G_END_DECLS
