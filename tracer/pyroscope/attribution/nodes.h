/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the elements that hooks have seen: which element a pad belongs to and
 * leads to, and the names that belong to a node.
 * Owner: the registry holds the nodes of elements that exist, and many more;
 * whoever needs a node's names has a reference.
 * Threads: what takes a GstObject is called from hooks, on any thread, with the
 * object that they are given alive; the rest from any thread.
 *
 * A hook never waits here, neither for GStreamer's locks nor for the
 * registry's, whatever its caller has locked:
 * - Names and parents come from the hooks that report them. What else is needed
 *   is read from the object that the hook was given: pointers as they are (they
 *   are compared, never followed), a name only if the object's lock is free at
 *   that moment. A name that could not be read stays what it was, or the node
 *   is not known, and is asked for again at the next hook.
 * - Where another thread has the registry's lock, what a hook reports waits in
 *   a list that whoever has the lock next works through first; what it asks
 *   becomes a question, whose number its label word has until the collector
 *   settles it.
 *
 * No object is dereferenced outside the hook that was given it. Ids survive
 * their element. An address that is used again is never mistaken: what is known
 * of an object is forgotten when the object is freed.
 */
#pragma once

#include <gst/gst.h>

#include "label-word.h"
#include "node-table.h"
#include "objects.h"

G_BEGIN_DECLS

/* Label words, marked `exact`; 0: none. */
typedef struct {
  guint64 own;        /* the element that the pad belongs to (for a ghost pad
                       * the bin) */
  guint64 other_side; /* the one that it leads to, seen through ghost pads;
                       * where nothing is linked, OWN */
} PyroPadLabels;

/* What hooks report. */
void pyro_nodes_pad_added (GstElement *element, GstPad *pad);
void pyro_nodes_pad_removed (GstElement *element, GstPad *pad);
void pyro_nodes_links_changed (GstPad *a, GstPad *b);
void pyro_nodes_element_added (GstElement *bin, GstElement *element);
void pyro_nodes_element_removed (GstElement *bin, GstElement *element);
void pyro_nodes_object_freed (GstObject *object);

/* The label word of ELEMENT, marked `exact`; 0: its name is not known yet. */
guint64 pyro_nodes_resolve_element (GstElement *element);

/* Likewise; and it leaves the NULL state: it may make threads from now on. */
guint64 pyro_nodes_use_element (GstElement *element);

/* It is back in the NULL state. */
void pyro_nodes_element_rests (GstElement *element);

/* No element is in use. */
gboolean pyro_nodes_are_at_rest (void);

/* Likewise for a pad. Returns the value of pyro_pad_epoch() for which the
 * answer may be kept, 0 if it may not. */
guint pyro_nodes_resolve_pad (GstPad *pad, PyroPadLabels *labels);

/* The label word that WORD stands for if it has the number of a question, else
 * WORD. Waits for the registry's lock: for the collector. */
guint64 pyro_nodes_settle (guint64 word);

/* Likewise, but does not wait: 0 where that would be needed. */
guint64 pyro_nodes_try_settle (guint64 word);

/* Names of a node; NULL for 0 or an id that is not known (any more). (transfer
 * full) Waits for the registry's lock. */
const PyroNode *pyro_nodes_ref (guint32 node);

/* The label word of what is no element, but has a NAME in an element's place;
 * it is known as long as the process. Waits for the registry's lock. */
guint64 pyro_nodes_make_lasting (const gchar *name);

/* The name of its plugin's library, interned, or "". Lock-free. */
const gchar *pyro_nodes_get_library (guint32 node);

/* Two nodes are known to be of different elements, none of which is a bin
 * around the other. FALSE also where that cannot be found out without waiting.
 */
gboolean pyro_nodes_are_apart (guint32 a, guint32 b);

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
