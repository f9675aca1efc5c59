/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the stack of elements that a thread is executing, one for each thread
 * that GStreamer's hooks have seen.
 * Owner: a block of the thread's own; the collector frees it when the thread
 * is gone.
 * Threads: pushed and popped by its thread alone. The signal handler on that
 * thread, and the collector, read nothing but the label word.
 */
#pragma once

#include <gst/gst.h>

#include "label-word.h"
#include "nodes.h"
#include "sampling/threads.h"

G_BEGIN_DECLS

typedef enum {
  PYRO_HOOK_CHAIN,
  PYRO_HOOK_PUSH,
  PYRO_HOOK_PULL,
  PYRO_HOOK_EVENT,
  PYRO_HOOK_QUERY,
  PYRO_HOOK_STATE,
  PYRO_HOOK_MESSAGE,
  PYRO_HOOK_TASK,
} PyroHookKind;

/* Deeper nesting counts, but is not named: the last named one stays on top.
 * A chain of 1000 elements in one thread has 2000 entries. */
#define PYRO_NODE_STACK_SIZE 2048
#define PYRO_PAD_CACHE_SIZE 64

typedef struct {
  gconstpointer object; /* compared, not dereferenced */
  guintptr frame;       /* the hook's frame address */
  guint32 node;
  guint32 kind; /* PyroHookKind */
} PyroNodeEntry;

typedef struct {
  gconstpointer pad; /* compared, not dereferenced */
  guint epoch;       /* 0: empty */
  PyroPadNodes nodes;
} PyroPadCacheEntry;

typedef struct {
  guint64 label; /* PyroLabelWord of the top */
  guint depth;
  guint generation; /* of the session that the entries belong to */
  PyroAnnouncement announcement;
  PyroPadCacheEntry pads[PYRO_PAD_CACHE_SIZE];
  PyroNodeEntry entries[PYRO_NODE_STACK_SIZE];
} PyroNodeStack;

/* The stack of this thread, made on first use; NULL where memory is short. */
PyroNodeStack *pyro_node_stack_get (guint generation);

/* The nodes of PAD, from the thread's own cache if they are there: no lock and
 * no allocation then. */
static inline PyroPadNodes
pyro_node_stack_resolve (PyroNodeStack *stack, GstPad *pad)
{
  guint index
      = ((guintptr)pad >> 4 ^ (guintptr)pad >> 11) % PYRO_PAD_CACHE_SIZE;
  PyroPadCacheEntry *entry = &stack->pads[index];

  if (G_UNLIKELY (entry->pad != pad
                  || entry->epoch != pyro_nodes_get_epoch ())) {
    entry->epoch = pyro_nodes_resolve_pad (pad, &entry->nodes);
    entry->pad = pad;
  }
  return entry->nodes;
}

static inline void
pyro_node_stack_show_top (PyroNodeStack *stack)
{
  guint depth = MIN (stack->depth, PYRO_NODE_STACK_SIZE);
  guint32 node = 0;

  /* An entry without a node (a pad of no element) must not hide the one that
   * it was called from. */
  while (depth > 0 && (node = stack->entries[depth - 1].node) == 0)
    depth--;
  __atomic_store_n (&stack->label,
                    pyro_label_word (node, PYRO_ATTRIBUTION_EXACT),
                    __ATOMIC_RELEASE);
}

/* Frames that left no post hook behind (GStreamer 1.22 has some) lie below the
 * caller of this hook, on the same stack. Anything further away is another
 * stack: a coroutine's. */
#define PYRO_SAME_STACK_RANGE (1024 * 1024)
/* The frame of an entry that is only removed by its own post hook. */
#define PYRO_NEVER_STALE G_MAXSIZE

static inline void
pyro_node_stack_push (PyroNodeStack *stack, gconstpointer object, guint32 node,
                      PyroHookKind kind, guintptr frame)
{
  guint depth = stack->depth;

  while (G_UNLIKELY (depth > 0 && depth <= PYRO_NODE_STACK_SIZE
                     && stack->entries[depth - 1].frame < frame
                     && frame - stack->entries[depth - 1].frame
                            < PYRO_SAME_STACK_RANGE))
    depth--;
  if (G_LIKELY (depth < PYRO_NODE_STACK_SIZE)) {
    PyroNodeEntry *entry = &stack->entries[depth];

    entry->object = object;
    entry->frame = frame;
    entry->node = node;
    entry->kind = kind;
  }
  stack->depth = depth + 1;
  if (G_LIKELY (node != 0 && depth < PYRO_NODE_STACK_SIZE))
    __atomic_store_n (&stack->label,
                      pyro_label_word (node, PYRO_ATTRIBUTION_EXACT),
                      __ATOMIC_RELEASE);
  else
    pyro_node_stack_show_top (stack);
}

/* Removes the entry and what lies above it: where a post hook was missing, the
 * next one below repairs it. A post hook without its pre hook does nothing. */
static inline void
pyro_node_stack_pop (PyroNodeStack *stack, gconstpointer object,
                     PyroHookKind kind)
{
  guint depth = stack->depth;

  if (G_UNLIKELY (depth > PYRO_NODE_STACK_SIZE)) {
    stack->depth--;
    return;
  }
  while (depth > 0
         && (stack->entries[depth - 1].object != object
             || stack->entries[depth - 1].kind != kind))
    depth--;
  if (depth == 0)
    return;
  stack->depth = depth - 1;
  pyro_node_stack_show_top (stack);
}

G_END_DECLS
