/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: what each function costs, and which of it came from which caller and
 * went to which callee, counted as pprof's tree and peek do.
 * Owner: the graph owns its nodes and edges.
 * Threads: read-only once it is made.
 */
#pragma once

#include "profile/profile.h"
#include "table.h"

G_BEGIN_DECLS

typedef struct _PyroCallNode PyroCallNode;

typedef struct {
  PyroCallNode *caller;
  PyroCallNode *callee;
  gint64 value; /* of samples in which the call is, once for each */
  gsize seen;   /* < private > */
} PyroCallEdge;

struct _PyroCallNode {
  const gchar *name;
  gint64 flat;
  gint64 cum;
  GPtrArray *callers; /* PyroCallEdge, the largest first */
  GPtrArray *callees;
  gsize seen; /* < private > the last sample it was in, from 1 */
};

typedef struct {
  GPtrArray *nodes; /* PyroCallNode, in the order that was asked for */

  /*< private >*/
  GPtrArray *edges;
  GPtrArray *names;
} PyroCallGraph;

PyroCallGraph *pyro_call_graph_new (const PyroProfile *profile, guint type,
                                    PyroTableSort sort);
void pyro_call_graph_free (PyroCallGraph *graph);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PyroCallGraph, pyro_call_graph_free)

G_END_DECLS
