/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "node-stack.h"

#include <pthread.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sampling/cpu-timer.h"

__thread PyroNodeStack *pyro_own_node_stack
    __attribute__ ((tls_model ("initial-exec")));

guint64 pyro_loading_label;

/* This thread did other things before it had a stack. */
static __thread gboolean worked_for_nobody
    __attribute__ ((tls_model ("initial-exec")));

static pthread_key_t exit_key;
static pthread_once_t exit_key_once = PTHREAD_ONCE_INIT;

static PyroNodeStack *
stack_from_announcement (PyroAnnouncement *announcement)
{
  return (PyroNodeStack *)((guint8 *)announcement
                           - G_STRUCT_OFFSET (PyroNodeStack, announcement));
}

static void
release (PyroAnnouncement *announcement)
{
  munmap (stack_from_announcement (announcement), sizeof (PyroNodeStack));
}

/* The thread ends. Its handler may still run, so the block stays until the
 * collector has seen that the thread is gone. */
static void
on_thread_exit (void *data)
{
  PyroNodeStack *stack = data;
  guint64 used_ns;

  pyro_own_node_stack = NULL;
  if (stack->announcement.tid == 0) {
    /* Never announced: nobody else knows it. */
    pyro_node_stack_discard (stack);
    return;
  }
  stack->depth = 0;
  /* What has not been told of it yet is its owner's. */
  pyro_node_stack_set_label (stack, stack->base);
  /* Perhaps nobody has looked at its clock, and later nobody can. */
  if (pyro_thread_cpu_time (0, &used_ns))
    __atomic_store_n (&stack->announcement.ended_ns, used_ns, __ATOMIC_RELEASE);
}

static void
make_exit_key (void)
{
  pthread_key_create (&exit_key, on_thread_exit);
}

/* Mapped, not allocated: only the pages in use cost memory. */
static PyroNodeStack *
map_stack (void)
{
  PyroNodeStack *stack = mmap (NULL, sizeof *stack, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  return stack != MAP_FAILED ? stack : NULL;
}

static void
attach (PyroNodeStack *stack)
{
  pthread_once (&exit_key_once, make_exit_key);
  pthread_setspecific (exit_key, stack);
  pyro_own_node_stack = stack;
  if (worked_for_nobody)
    pyro_node_stack_note_nobody (stack);
}

/* The kernel has put these bytes above all frames of the main thread, and no
 * mapping is that near below. */
#define MAIN_STACK_SIZE (8 * 1024 * 1024)

static void
find_own_stack (PyroNodeStack *stack)
{
  const PyroAnnouncement *announcement = &stack->announcement;
  guintptr top = announcement->tid == getpid () ? getauxval (AT_RANDOM) : 0;

  if (announcement->stack_high != 0) {
    stack->own_low = announcement->stack_low;
    stack->own_size = announcement->stack_high - announcement->stack_low;
  } else if (top != 0) {
    stack->own_low = top - MAIN_STACK_SIZE;
    stack->own_size = MAIN_STACK_SIZE;
  } else {
    stack->own_size = G_MAXSIZE; /* not known: all of it */
  }
}

static void
announce (PyroNodeStack *stack)
{
  pid_t tid = (pid_t)syscall (SYS_gettid);

  if (stack->announcement.tid != tid) {
    /* New, or the child of a fork: nobody waits with the old one. */
    stack->announcement.tid = tid;
    stack->announcement.queued = 0;
    stack->announcement.label = &stack->label;
    stack->announcement.release = release;
  }
  pyro_threads_announce (&stack->announcement);
  if (stack->own_size == 0)
    find_own_stack (stack);
}

PyroNodeStack *
pyro_node_stack_new (guint generation, guint64 base)
{
  PyroNodeStack *stack = map_stack ();

  if (stack == NULL)
    return NULL;
  stack->generation = generation;
  stack->label = stack->base = base;
  stack->task.label = stack->announcement.sole.label = base;
  return stack;
}

void
pyro_node_stack_adopt (PyroNodeStack *stack)
{
  attach (stack);
  announce (stack);
  /* A worker of an element's library may be over in a moment. Another thread
   * may be about to block our signal, and to wait for it. */
  if (stack->base != 0)
    pyro_announcements_hurry ();
}

void
pyro_node_stack_discard (PyroNodeStack *stack)
{
  munmap (stack, sizeof *stack);
}

/* The same element may be known in two ways; questions have no node yet. */
static gboolean
is_same_element (guint64 label, guint64 other)
{
  return label == other
         || (pyro_label_word_node (label) != 0
             && pyro_label_word_node (label) == pyro_label_word_node (other));
}

static void
note (PyroSoleLabel *sole, guint64 label)
{
  if (sole->label == 0)
    __atomic_store_n (&sole->label, label, __ATOMIC_RELEASE);
  else if (!is_same_element (sole->label, label))
    __atomic_store_n (&sole->has_others, TRUE, __ATOMIC_RELEASE);
}

static void
note_base (PyroNodeStack *stack, guint64 base)
{
  note (&stack->task, base);
  note (&stack->announcement.sole, base);
}

void
pyro_node_stack_note_other (PyroNodeStack *stack, guint64 label)
{
  note_base (stack, label);
  /* What the thread does besides is nobody's. */
  if (stack->base == 0)
    pyro_node_stack_note_nobody (stack);
}

void
pyro_node_stack_note_nobody (PyroNodeStack *stack)
{
  stack->task.has_others = TRUE;
  __atomic_store_n (&stack->announcement.sole.has_others, TRUE,
                    __ATOMIC_RELEASE);
}

void
pyro_node_stack_work_for_nobody (void)
{
  worked_for_nobody = TRUE;
  if (pyro_own_node_stack != NULL)
    pyro_node_stack_note_nobody (pyro_own_node_stack);
}

/* Entries on top that are used again at once are not noted again. */
#define N_FORGOTTEN 16

/* From now on the thread works for BASE. */
static void
turn (PyroNodeStack *stack, guint64 base)
{
  PyroAnnouncement *announcement = &stack->announcement;
  guint64 used_ns;

  if (pyro_thread_cpu_time (0, &used_ns))
    pyro_turns_add (&announcement->turns,
                    stack->task.has_others ? 0 : announcement->last_label,
                    used_ns);
  stack->task = (PyroSoleLabel){ .label = base };
  for (guint i = 0; i < N_FORGOTTEN; i++)
    stack->entries[i].object = NULL;
}

/* The clock is a system call: it is read for another owner only. */
guint64
pyro_node_stack_rebase (PyroNodeStack *stack, guint64 base)
{
  PyroAnnouncement *announcement = &stack->announcement;
  guint64 before = stack->base;

  if (before != 0)
    __atomic_store_n (&announcement->last_label, before, __ATOMIC_RELAXED);
  if (base != 0 && announcement->last_label != 0
      && base != announcement->last_label)
    turn (stack, base);
  if (base != 0)
    note_base (stack, base);
  stack->depth = 0;
  stack->base = base;
  pyro_node_stack_set_label (stack, base);
  return before;
}

/* WORD is known to be of another element than the one that made this thread. */
static gboolean
is_anothers (const PyroNodeStack *stack, guint64 word)
{
  guint32 node = pyro_label_word_node (word);
  guint32 own = pyro_label_word_node (stack->base);

  return pyro_label_word_attribution (stack->base) == PYRO_ATTRIBUTION_INHERITED
         && node != 0 && node != own && pyro_nodes_are_apart (node, own);
}

guint64
pyro_node_stack_serve (PyroNodeStack *stack, guint64 label)
{
  gboolean is_shared = is_anothers (stack, label);
  guint64 before = pyro_node_stack_rebase (stack, label);

  return is_shared ? PYRO_LABEL_SHARED : before;
}

void
pyro_node_stack_acts (PyroNodeStack *stack, guint64 label)
{
  guint32 node = pyro_label_word_node (label);

  if (node == 0 || node == pyro_label_word_node (stack->base))
    return;
  if (is_anothers (stack, label))
    pyro_node_stack_rebase (stack, PYRO_LABEL_SHARED);
}

void
pyro_node_stack_enter_task (guint64 label)
{
  PyroNodeStack *stack = pyro_own_node_stack;

  if (stack == NULL) {
    stack = map_stack ();
    if (stack == NULL)
      return;
    attach (stack);
  }
  stack->outer = pyro_node_stack_rebase (stack, label);
}

void
pyro_node_stack_leave_task (void)
{
  PyroNodeStack *stack = pyro_own_node_stack;

  if (stack != NULL)
    pyro_node_stack_rebase (stack, stack->outer);
}

PyroNodeStack *
pyro_node_stack_renew (guint generation)
{
  PyroNodeStack *stack = pyro_own_node_stack;

  if (stack == NULL) {
    stack = map_stack ();
    if (stack == NULL)
      return NULL;
    attach (stack);
  }
  /* Hooks were off in between: what is on the stack is not true any more. */
  stack->depth = 0;
  pyro_node_stack_set_label (stack, stack->base);
  stack->generation = generation;
  announce (stack);
  pyro_announcements_hurry ();
  return stack;
}

static void
note_answer (PyroSoleLabel *sole, guint64 question, guint64 answer)
{
  if (sole->label == question)
    __atomic_store_n (&sole->label, answer, __ATOMIC_RELEASE);
}

/* A task goes on for long: the question of whose it is has been answered by
 * now, and is forgotten later. */
static void
settle_base (PyroNodeStack *stack)
{
  guint64 base;

  if (!(stack->base & PYRO_LABEL_QUESTION))
    return;
  base = pyro_nodes_try_settle (stack->base);
  if (base == 0)
    return;
  note_answer (&stack->task, stack->base, base);
  note_answer (&stack->announcement.sole, stack->base, base);
  stack->base = base;
}

PyroPadCacheEntry *
pyro_node_stack_resolve (PyroNodeStack *stack, GstPad *pad)
{
  /* Fibonacci hashing: the low bits of a pointer say little. */
  guint set
      = (guint)((guintptr)pad * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15) >> 32)
        % PYRO_PAD_CACHE_SETS;
  PyroPadCacheEntry *ways = stack->pads[set];
  PyroPadCacheEntry *entry;

  settle_base (stack);
  for (guint i = 0; i < PYRO_PAD_CACHE_WAYS; i++)
    if (ways[i].pad == pad) {
      if (ways[i].epoch != pyro_pad_epoch (pad))
        ways[i].epoch = pyro_nodes_resolve_pad (pad, &ways[i].labels);
      return &ways[i];
    }
  entry = &ways[stack->next_way[set]++ % PYRO_PAD_CACHE_WAYS];
  entry->epoch = pyro_nodes_resolve_pad (pad, &entry->labels);
  entry->pad = pad;
  return entry;
}
