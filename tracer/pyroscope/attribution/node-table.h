/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: ids for the names of elements. A bounded number of them: where there
 * are more, those that have not been in use for longest give their places to
 * new ones.
 * Owner: the table holds a reference of each node; others hold their own.
 * Threads: nodes.c calls all of it with its lock held, but for
 * pyro_node_unref() and pyro_node_table_get_library().
 *
 * An id is never given to other names: where the place is used again, the id is
 * another one, and the old one is unknown.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  const gchar *pipeline; /* topmost ancestor, if it is a bin; else "" */
  const gchar *path;     /* "pipeline0/bin0/queue0" */
  const gchar *element;  /* "queue0" */
  const gchar *factory;  /* "queue", or "" */
  const gchar *library;  /* its plugin's, as pyro_library_name(); "": it is in
                          * the program itself */
} PyroNode;

/* Past the first bound, if no place is free, names lose their numbers
 * ("queue12" → "queue"), past the second all elements are "(too many
 * elements)". */
#define PYRO_MAX_NUMBERED_NODES 16384
#define PYRO_MAX_NODES 32768 /* a power of two */

/* Bytes of all nodes; past them as past the bounds above. */
#define PYRO_MAX_NODES_SIZE (6 * 1024 * 1024)

typedef struct {
  guint n;            /* nodes that there are */
  guint n_in_use;     /* of these */
  gsize bytes;        /* that they take */
  guint64 replaced;   /* nodes that had to go, so that others have room */
  guint64 numberless; /* elements that lost their numbers */
  guint64 nameless;   /* and those that lost their names */
} PyroNodeTableStats;

/* The id of NAMES. LIBRARY must be interned, the others are copied. */
guint32 pyro_node_table_intern (const PyroNode *names);

/* As long as it is in use so often, a node keeps its place. FALSE: ID is not
 * known any more. */
gboolean pyro_node_table_use (guint32 id);
void pyro_node_table_unuse (guint32 id);

/* With a reference; it counts as a sign that somebody still asks for it. NULL
 * for 0 and an id that is not known (any more). */
const PyroNode *pyro_node_table_ref (guint32 id);
void pyro_node_unref (const PyroNode *node); /* any thread, without the lock */

/* An interned name; "" for an id that is not known. Lock-free, any thread. */
const gchar *pyro_node_table_get_library (guint32 id);

/* From now on until its end ids are collected, to ask for their names at last.
 * Those that are in use meanwhile, or shortly before, keep their places.
 * Returns a number for the end. */
guint64 pyro_node_table_begin_interval (void);
void pyro_node_table_end_interval (guint64 interval);

/* All that begun have ended. */
void pyro_node_table_end_all_intervals (void);

void pyro_node_table_get_stats (PyroNodeTableStats *stats);

/* They are of different elements, none of which is a bin around the other. */
gboolean pyro_node_is_apart (const PyroNode *node, const PyroNode *other);

G_END_DECLS
