/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: how the pads and elements that hooks have seen hang together: names,
 * parents and peers, and which thread caches a change makes stale.
 * Owner: the table owns its records. A record is known by its object's address,
 * which is compared and never dereferenced.
 * Threads: nodes.c calls all of it with its lock held, but for
 * pyro_pad_epoch(), which is lock-free.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum {
  PYRO_OBJECT_UNKNOWN, /* only its address is known, as somebody's parent */
  PYRO_OBJECT_PAD,
  PYRO_OBJECT_ELEMENT,
  PYRO_OBJECT_BIN, /* an element, too */
} PyroObjectKind;

typedef struct _PyroObject PyroObject;

/* What a hook has read of an element that it was given. */
typedef struct {
  gconstpointer address;
  PyroObjectKind kind;
  gconstpointer parent; /* as the element shows it at that moment */
  const gchar *name;    /* NULL: it could not be read now */
  const gchar *factory; /* NULL: not known yet */
  const gchar *plugin_file;
} PyroElementView;

/* Likewise of a pad. */
typedef struct {
  gconstpointer address;
  gconstpointer parent;
  gconstpointer peer;
} PyroPadView;

/* Pads share counters by a hash of their addresses. A counter grows whenever
 * something that a thread keeps of earlier answers for one of its pads may be
 * wrong now. */
#define PYRO_PAD_EPOCH_BITS 12

typedef struct {
  guint all; /* of all pads; odd, the others are even: no sum is ever 0 */
  guint shares[1 << PYRO_PAD_EPOCH_BITS];
} PyroPadEpochs;

extern PyroPadEpochs pyro_pad_epochs;

/* Never 0. An answer that was looked up after this number was read may be kept
 * as long as the number stays. */
static inline guint
pyro_pad_epoch (gconstpointer pad)
{
  guint64 hash = (guintptr)pad * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15);

  return __atomic_load_n (&pyro_pad_epochs.all, __ATOMIC_ACQUIRE)
         + __atomic_load_n (
             &pyro_pad_epochs.shares[hash >> (64 - PYRO_PAD_EPOCH_BITS)],
             __ATOMIC_ACQUIRE);
}

/* Every answer may be wrong. Lock-free. */
void pyro_pad_epochs_advance (void);

/* Grows with each change that a hook has reported. What was read of an object
 * before a change of it is older than what the hook said. */
guint64 pyro_objects_get_changes (void);

/* An element, or a pad, as it was seen when changes were SEEN. */
PyroObject *
pyro_objects_see_element (const PyroElementView *view, guint64 seen);
PyroObject *pyro_objects_see_pad (const PyroPadView *view, guint64 seen);

/* What hooks say. CHILD (an element in a bin, a pad on an element) has got
 * PARENT, or is about to leave it and may show it for a moment yet. */
void pyro_objects_enter (PyroObject *child, PyroObject *parent);
void pyro_objects_leave (PyroObject *child, PyroObject *parent);

/* ELEMENT has left the NULL state, or is back in it. Those in use are live
 * elements (live-elements.h). */
void pyro_objects_set_in_use (PyroObject *element, gboolean in_use);

/* The object at ADDRESS is freed. */
void pyro_objects_forget (gconstpointer address);

/* The node of an element; 0: the name of it or of a bin around it could not be
 * read yet. */
guint32 pyro_objects_get_node (PyroObject *element);

/* The element that a pad belongs to (for a ghost pad the bin), and the one on
 * its other side, seen through ghost pads; where nothing is linked, its own.
 * NULL: none. */
PyroObject *pyro_objects_get_own (PyroObject *pad);
PyroObject *pyro_objects_get_other_side (PyroObject *pad);

/* Records that there are, and elements in use (lock-free). */
guint pyro_objects_get_n (void);
guint pyro_objects_get_n_in_use (void);

G_END_DECLS
