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
#include "sampling/announcement.h"
#include "sampling/unblocking.h"

G_BEGIN_DECLS

typedef enum {
  PYRO_HOOK_CHAIN,
  PYRO_HOOK_PUSH,
  PYRO_HOOK_PULL,
  PYRO_HOOK_PUSH_EVENT,
  PYRO_HOOK_SEND_EVENT,
  PYRO_HOOK_QUERY,
  PYRO_HOOK_STATE,
  PYRO_HOOK_MESSAGE,
  PYRO_HOOK_LOADING, /* of a plugin: dlopen() */
} PyroHookKind;

/* Deeper nesting counts, but nobody is named for it. A chain of 1000 elements
 * in one thread has 2000 entries. */
#define PYRO_NODE_STACK_SIZE 2048

/* Sets of pads that share a hash, and how many each holds. */
#define PYRO_PAD_CACHE_SETS 128
#define PYRO_PAD_CACHE_WAYS 4

typedef struct {
  gconstpointer object; /* compared, not dereferenced */
  guintptr frame;       /* the hook's frame address */
  guint64 own;          /* its own label word; 0: none */
  guint64 label;        /* label word while this entry is the top */
  guint32 kind;         /* PyroHookKind */
  guint32 epoch;        /* pyro_pad_epoch() for which OWN holds; 0: for none */
  gboolean in_doubt;    /* its end may not be reported */
} PyroNodeEntry;

typedef struct {
  gconstpointer pad; /* compared, not dereferenced */
  guint epoch;       /* 0: empty */
  PyroPadLabels labels;
} PyroPadCacheEntry;

typedef struct {
  guint64 label; /* PyroLabelWord of the top */
  guint64 base;  /* the one of an empty stack */
  guint64 outer; /* base outside of the task that the thread executes */
  guint depth;
  guint generation; /* of the session that the entries belong to */
  PyroAnnouncement announcement;
  guintptr own_low, own_size; /* the thread's own stack; 0: not asked for yet */
  PyroSoleLabel task; /* since the thread turned to work of another owner */
  /* Of a thread that was made with this stack. */
  void *(*start) (void *);
  void *argument;
  PyroMaskPlan mask;
  guint8 next_way[PYRO_PAD_CACHE_SETS];
  PyroPadCacheEntry pads[PYRO_PAD_CACHE_SETS][PYRO_PAD_CACHE_WAYS];
  PyroNodeEntry entries[PYRO_NODE_STACK_SIZE];
} PyroNodeStack;

/* This thread's; NULL: it has none yet. initial-exec: one load, and no
 * allocation on a thread's first access. */
extern __thread PyroNodeStack *pyro_own_node_stack
    __attribute__ ((tls_model ("initial-exec")));

/* Makes the stack of this thread, or empties that of an earlier session. NULL
 * where memory is short. */
PyroNodeStack *pyro_node_stack_renew (guint generation);

/* For a thread that is about to be made, with BASE as the label word of its
 * empty stack. NULL where memory is short. The thread's first act is to adopt
 * it; if the thread could not be made, it is discarded. */
PyroNodeStack *pyro_node_stack_new (guint generation, guint64 base);
void pyro_node_stack_adopt (PyroNodeStack *stack);
void pyro_node_stack_discard (PyroNodeStack *stack);

/* For this thread, which begins or ends a task that has nothing to do with what
 * it did before: empties its STACK and sets the label word of the empty one.
 * Returns the one before. */
guint64 pyro_node_stack_rebase (PyroNodeStack *stack, guint64 base);

/* This thread begins a task of nobody's: CPU time of it of which there is no
 * sample is no element's. It may have no stack yet. */
void pyro_node_stack_work_for_nobody (void);

/* Likewise, for a piece of work that another thread hands over to this one, for
 * the element of LABEL. Returns what to rebase to behind it: if an element made
 * this thread, and it works for another one now, it is shared from then on. */
guint64 pyro_node_stack_serve (PyroNodeStack *stack, guint64 label);

/* This thread acts for the element of LABEL, outside of any hook. */
void pyro_node_stack_acts (PyroNodeStack *stack, guint64 label);

/* It may turn out that this thread serves a second element. */
static inline gboolean
pyro_node_stack_is_one_elements (const PyroNodeStack *stack)
{
  return stack->depth == 0
         && pyro_label_word_attribution (stack->base)
                == PYRO_ATTRIBUTION_INHERITED;
}

/* This thread begins a pad's task of the element of LABEL, or leaves it: what
 * it does outside of any hook in between is that element's. They also count
 * between two sessions, as a task reports itself only once. */
void pyro_node_stack_enter_task (guint64 label);
void pyro_node_stack_leave_task (void);

static inline PyroNodeStack *
pyro_node_stack_get (guint generation)
{
  PyroNodeStack *stack = pyro_own_node_stack;

  if (G_LIKELY (stack != NULL && stack->generation == generation))
    return stack;
  return pyro_node_stack_renew (generation);
}

/* The labels of PAD, from the thread's own cache if they are there: no lock and
 * no allocation then. */
PyroPadCacheEntry *pyro_node_stack_resolve (PyroNodeStack *stack, GstPad *pad);

/* Frames that left no post hook behind (GStreamer 1.22 has some) lie below the
 * caller of this hook, on the same stack. The thread's own stack is known. What
 * is elsewhere is a coroutine's, whose stack may be next to another one's, or
 * to the thread's: only what is nearer than any such stack is long is on the
 * same one. */
#define PYRO_SAME_STACK_RANGE (1024 * 1024)
#define PYRO_SAME_COROUTINE_RANGE (8 * 1024)

static inline gboolean
pyro_node_stack_is_own (const PyroNodeStack *stack, guintptr frame)
{
  return frame - stack->own_low < stack->own_size;
}

/* ENTRY's function has returned when a hook of KIND has FRAME. One function may
 * have hooks of several kinds in one frame, where calls are inlined; a second
 * one of the same kind is a second call. */
static inline gboolean
pyro_node_entry_is_left (const PyroNodeStack *stack, const PyroNodeEntry *entry,
                         PyroHookKind kind, guintptr frame)
{
  guintptr distance = frame - entry->frame;

  if (distance == 0)
    return entry->kind == kind;
  return G_UNLIKELY (distance < PYRO_SAME_STACK_RANGE)
         && (distance < PYRO_SAME_COROUTINE_RANGE
             || (pyro_node_stack_is_own (stack, frame)
                 && pyro_node_stack_is_own (stack, entry->frame)));
}

static inline guint
pyro_node_stack_prune (PyroNodeStack *stack, PyroHookKind kind, guintptr frame)
{
  guint depth = stack->depth;
  /* What is not named lies above the last entry, and is left with it. */
  guint named = MIN (depth, PYRO_NODE_STACK_SIZE);

  while (G_UNLIKELY (named > 0
                     && pyro_node_entry_is_left (
                         stack, &stack->entries[named - 1], kind, frame)))
    depth = --named;
  return depth;
}

static inline void
pyro_node_stack_set_label (PyroNodeStack *stack, guint64 label)
{
  pyro_label_fallback_clear (&stack->announcement.fallback);
  __atomic_store_n (&stack->label, label, __ATOMIC_RELEASE);
}

/* The thread executes LABEL's element, perhaps for the first time. */
void pyro_node_stack_note_other (PyroNodeStack *stack, guint64 label);

/* The thread executes what belongs to no element that is known. */
void pyro_node_stack_note_nobody (PyroNodeStack *stack);

static inline void
pyro_node_stack_note (PyroNodeStack *stack, guint64 label)
{
  if (label != 0 && label != stack->task.label)
    pyro_node_stack_note_other (stack, label);
}

/* The label word of the entry at DEPTH - 1, or of the empty stack. */
static inline guint64
pyro_node_stack_label_at (const PyroNodeStack *stack, guint depth)
{
  return depth > 0 ? stack->entries[depth - 1].label : stack->base;
}

/* The label word of a thread that loads a plugin; 0: not known yet. */
extern guint64 pyro_loading_label;

/* The label word of this thread, as far as it is certain: whose threads and
 * tasks those are that it makes. While it loads a plugin, nobody's. */
static inline guint64
pyro_node_stack_get_label (const PyroNodeStack *stack)
{
  guint64 label
      = pyro_label_fallback_apply (&stack->announcement.fallback, stack->label);

  return label != __atomic_load_n (&pyro_loading_label, __ATOMIC_RELAXED)
             ? label
             : 0;
}

/* The end of the call that is on top may not be reported: it counts where the
 * stack shows that it goes on. Where the stack shows no such call, those below
 * that are in doubt have ended, too. */
static inline void
pyro_node_stack_doubt_top (PyroNodeStack *stack)
{
  guint depth = stack->depth;

  if (depth == 0 || depth > PYRO_NODE_STACK_SIZE)
    return;
  stack->entries[--depth].in_doubt = TRUE;
  while (G_UNLIKELY (depth > 0 && stack->entries[depth - 1].in_doubt))
    depth--;
  pyro_label_fallback_set (&stack->announcement.fallback,
                           pyro_node_stack_label_at (stack, depth));
}

/* Puts an entry at DEPTH, on top. An entry without a label (a pad of no
 * element) does not hide the one that it was called from, nor makes it more
 * certain. */
static inline void
pyro_node_stack_put (PyroNodeStack *stack, guint depth, gconstpointer object,
                     guint64 label, guint32 epoch, PyroHookKind kind,
                     guintptr frame)
{
  PyroNodeEntry *entry = &stack->entries[depth];

  entry->object = object;
  entry->frame = frame;
  entry->in_doubt = FALSE;
  entry->own = label;
  entry->kind = kind;
  entry->epoch = epoch;
  if (G_LIKELY (label != 0))
    entry->label = label;
  else
    entry->label = pyro_node_stack_label_at (stack, depth);
  stack->depth = depth + 1;
  pyro_node_stack_set_label (stack, entry->label);
  if (G_UNLIKELY (label == 0 && depth > 0
                  && stack->entries[depth - 1].in_doubt))
    pyro_node_stack_doubt_top (stack);
}

/* What is too deep is not recorded. It is not the last recorded one's. */
static inline void
pyro_node_stack_put_unnamed (PyroNodeStack *stack, guint depth)
{
  stack->depth = depth + 1;
  pyro_node_stack_note_nobody (stack);
  pyro_node_stack_set_label (stack, 0);
}

static inline void
pyro_node_stack_push (PyroNodeStack *stack, gconstpointer object, guint64 label,
                      PyroHookKind kind, guintptr frame)
{
  guint depth = pyro_node_stack_prune (stack, kind, frame);

  pyro_node_stack_note (stack, label);
  if (G_LIKELY (depth < PYRO_NODE_STACK_SIZE))
    pyro_node_stack_put (stack, depth, object, label, 0, kind, frame);
  else
    pyro_node_stack_put_unnamed (stack, depth);
}

/* As above for a pad, whose own element or the one that it leads to (PEER)
 * executes. A stream
 * enters the same pads at the same depth again and again, so what the slot was
 * last used for is looked at first. */
static inline void
pyro_node_stack_push_pad (PyroNodeStack *stack, GstPad *pad, gboolean peer,
                          PyroHookKind kind, guintptr frame)
{
  guint depth = pyro_node_stack_prune (stack, kind, frame);
  const PyroNodeEntry *entry;

  if (G_UNLIKELY (depth >= PYRO_NODE_STACK_SIZE)) {
    pyro_node_stack_put_unnamed (stack, depth);
    return;
  }
  entry = &stack->entries[depth];
  if (G_LIKELY (entry->object == pad && entry->kind == kind
                && entry->epoch == pyro_pad_epoch (pad))) {
    pyro_node_stack_put (stack, depth, pad, entry->own, entry->epoch, kind,
                         frame);
  } else {
    const PyroPadCacheEntry *cached = pyro_node_stack_resolve (stack, pad);
    guint64 label = peer ? cached->labels.other_side : cached->labels.own;

    pyro_node_stack_note (stack, label);
    pyro_node_stack_put (stack, depth, pad, label, cached->epoch, kind, frame);
  }
}

/* Removes the entry and what lies above it: where a post hook was missing, the
 * next one below repairs it. A post hook without its pre hook does nothing. */
static inline void
pyro_node_stack_pop (PyroNodeStack *stack, gconstpointer object,
                     PyroHookKind kind)
{
  guint depth = stack->depth;

  if (G_UNLIKELY (depth > PYRO_NODE_STACK_SIZE)) {
    stack->depth = --depth;
    if (depth > PYRO_NODE_STACK_SIZE)
      return;
  } else {
    while (depth > 0
           && G_UNLIKELY (stack->entries[depth - 1].object != object
                          || stack->entries[depth - 1].kind != kind))
      depth--;
    if (G_UNLIKELY (depth == 0))
      return;
    stack->depth = --depth;
  }
  pyro_node_stack_set_label (stack, pyro_node_stack_label_at (stack, depth));
  if (G_UNLIKELY (depth > 0 && stack->entries[depth - 1].in_doubt))
    pyro_node_stack_doubt_top (stack);
}

G_END_DECLS
