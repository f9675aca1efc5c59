/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the elements that were seen: small ids for pads and elements, and the
 * names that belong to an id.
 * Owner: the registry holds the nodes of elements that exist, and many more;
 * whoever wants a node's names has a reference.
 * Threads: resolve and forget from hooks, on any thread, with the object that
 * they are given alive; the rest from any thread.
 *
 * No object is dereferenced outside the hook that was given it. Ids survive
 * their element. An address that is used again is never mistaken: what was
 * resolved for an object is forgotten when the object is freed, moved or
 * linked, and the epoch tells the threads to forget what they keep themselves.
 */
#pragma once

#include <gst/gst.h>

#include "node-table.h"

G_BEGIN_DECLS

typedef struct {
  guint32 own;  /* the element that the pad belongs to (for a ghost pad the
                 * bin); 0: none */
  guint32 peer; /* the one on the other side, seen through ghost pads; where
                 * nothing is linked, OWN */
} PyroPadNodes;

/* Grows whenever something that a thread keeps of earlier answers may be wrong
 * now. Never 0. */
extern guint pyro_nodes_epoch;

static inline guint
pyro_nodes_get_epoch (void)
{
  return __atomic_load_n (&pyro_nodes_epoch, __ATOMIC_ACQUIRE);
}

/* OBJECT (a pad, an element) is freed, or left its parent. The pointer is not
 * dereferenced. */
void pyro_nodes_forget (gconstpointer object);

/* Two pads were linked or unlinked. */
void pyro_nodes_forget_link (GstPad *a, GstPad *b);

/* ELEMENT was put into a bin or taken out of one. */
void pyro_nodes_forget_place (GstElement *element);

/* ELEMENT, which has no parent, may have been renamed since it was resolved:
 * there is no hook for that, and elements in bins cannot be. */
void pyro_nodes_check_name (GstElement *element);

/* The node of ELEMENT; never 0. Takes a lock of the registry's, and before it
 * the object locks of ELEMENT and its ancestors, one at a time. */
guint32 pyro_nodes_resolve_element (GstElement *element);

/* Likewise for a pad. Returns the epoch in which the answer may be kept, 0 if
 * it may not. */
guint pyro_nodes_resolve_pad (GstPad *pad, PyroPadNodes *nodes);

/* Names of a node; NULL for 0 or an id that is not known (any more). (transfer
 * full) */
const PyroNode *pyro_nodes_ref (guint32 node);

/* The name of its plugin's library, interned, or "". */
const gchar *pyro_nodes_get_library (guint32 node);

/* The ids that label words of an interval have are known until its end, also if
 * their elements go. Returns a number for the end. */
guint64 pyro_nodes_begin_interval (void);
void pyro_nodes_end_interval (guint64 interval);

void pyro_nodes_get_stats (PyroNodeTableStats *stats);

/* Around fork(): no thread that will be missing in the child has the lock, and
 * no interval is still collected there. */
void pyro_nodes_fork_prepare (void);
void pyro_nodes_fork_done (gboolean in_child);

G_END_DECLS
