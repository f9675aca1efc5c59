/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the elements that were seen: small ids for pads and elements, and the
 * names that belong to an id.
 * Owner: the registry owns nodes; they stay valid until the process ends.
 * Threads: resolve and forget from hooks, on any thread, with the object that
 * they are given alive; get from any thread.
 *
 * No object is dereferenced outside the hook that was given it. Ids survive
 * their element. An address that is used again is never mistaken: what was
 * resolved for an object is forgotten when the object is freed, moved or
 * linked, and the epoch tells the threads to forget what they keep themselves.
 */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct {
  const gchar *pipeline; /* topmost ancestor, if it is a bin; else "" */
  const gchar *path;     /* "pipeline0/bin0/queue0" */
  const gchar *element;  /* "queue0" */
  const gchar *factory;  /* "queue", or "" */
  const gchar *library;  /* its plugin's, as pyro_library_name(); "": it is in
                          * the program itself */
} PyroNode;

/* An application that goes on making pipelines must not make the registry grow
 * for ever: past the first bound names lose their numbers ("queue12" →
 * "queue"), past the second all elements are "(too many elements)". */
#define PYRO_MAX_NUMBERED_NODES 16384
#define PYRO_MAX_NODES 32768

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

/* Around fork(): no thread that will be missing in the child has the lock. */
void pyro_nodes_fork_prepare (void);
void pyro_nodes_fork_done (void);

/* Names of a node, NULL for 0 or an unknown id. */
const PyroNode *pyro_nodes_get (guint32 node);

guint pyro_nodes_get_n (void);

G_END_DECLS
