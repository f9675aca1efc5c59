/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Handler-safe: no lock, no allocation, no system call, no libc, no TLS. */

#include "unwind.h"

#include "memory-map.h"
#include "rescue.h"
#include "step.h"
#include "tables.h"

/* How many guesses a rescue may try to follow to the root. */
#define MAX_TRIALS 64

static inline void
prepare_cache (const PyroUnwindSources *sources)
{
  PyroUnwindCache *cache = sources->cache;
  unsigned i;

  if (cache == NULL || cache->tables_generation == sources->tables->generation)
    return;
  /* volatile: else the compiler may call memset. */
  for (i = 0; i < PYRO_CACHED_RULES; i++)
    *(volatile uint64_t *)&cache->rules[i] = 0;
  for (i = 0; i < PYRO_CACHED_SEGMENTS; i++)
    *(volatile uintptr_t *)&cache->segments[i].limit = 0;
  cache->n_frames = 0;
  cache->tables_generation = sources->tables->generation;
}

/* Where FRAME leads: to a thread's start (or further than anybody follows), or
 * at least through a signal's frame to another interrupted function. A return
 * address of zero is the root of a walk that began with what is true; where the
 * beginning is a guess, any zero on the stack would confirm it, so only code
 * whose CFI says that it has no caller does. */
typedef enum {
  LEADS_ASTRAY,
  LEADS_THROUGH_SIGNAL,
  LEADS_TO_ROOT,
} Lead;

static Lead
follow (const PyroUnwindSources *sources, const PyroFrame *frame)
{
  PyroFrame trial = *frame;
  PyroWalkHistory history;
  PyroFrameBuffer nowhere;
  PyroStackEnd end;

  pyro_frame_buffer_init (&nowhere, NULL, 0);
  trial.crossed_signal = false;
  pyro_walk_history_init (&history, sources->cache);
  history.next = NULL;
  end = pyro_step_to_end (sources, &trial, &history, &nowhere);
  if (end == PYRO_STACK_TOO_DEEP
      || (end == PYRO_STACK_COMPLETE && trial.regs.pc != 0))
    return trial.crossed_signal ? LEADS_THROUGH_SIGNAL : LEADS_TO_ROOT;
  if (trial.exact
      && (end == PYRO_STACK_NO_UNWIND_INFO || end == PYRO_STACK_UNKNOWN_CODE))
    return LEADS_THROUGH_SIGNAL;
  return LEADS_ASTRAY;
}

/* Hand-written code may use rbp for data. It then pushed the caller's, soon
 * after it was entered: among the words just below the return address. */
#if defined(__x86_64__)
#define MAX_SAVED_FP_WORDS 7
#else
#define MAX_SAVED_FP_WORDS 0
#endif

static Lead
follow_with_saved_fp (const PyroUnwindSources *sources, const PyroFrame *leaf,
                      PyroFrame *caller)
{
  PyroFrame trial = *caller;
  uintptr_t slot = caller->regs.sp - sizeof (uintptr_t);
  unsigned i;

  for (i = 1; i <= MAX_SAVED_FP_WORDS; i++) {
    uintptr_t at = slot - i * sizeof (uintptr_t);

    if (at < leaf->regs.sp
        || !pyro_stack_read (&leaf->stack, at, &trial.regs.fp))
      break;
    if (trial.regs.fp < caller->regs.sp || trial.regs.fp >= caller->stack.high)
      continue;
    if (follow (sources, &trial) == LEADS_TO_ROOT) {
      *caller = trial;
      return LEADS_TO_ROOT;
    }
  }
  return LEADS_ASTRAY;
}

/* FRAME is in code without CFI, where it was interrupted or where it called a
 * function that has CFI (x264's coder of residuals does). Makes it its caller's
 * frame. A guess that does not lead to the root is none: the stack then ends
 * here, and says so. One that leads through a signal's frame is taken only if
 * there is no other: below the stack pointer of old lie the remains of our own
 * signals, and a function that has just made room there has not overwritten
 * them all. Not PYRO_COLD: where it optimises for size, GCC calls memcpy for
 * these copies on aarch64. */
static bool __attribute__ ((noinline))
rescue (const PyroUnwindSources *sources, PyroFrame *frame, bool is_module)
{
  PyroFrame caller, second_best;
  bool has_second_best = false;
  uintptr_t from = 0;
  unsigned trials;

  if (frame->exact && !is_module) {
    const PyroCodeMapping *code
        = pyro_memory_map_find_code (sources->map, frame->regs.pc);

    if (code != NULL && code->kind == PYRO_CODE_ORC
        && pyro_rescue_orc (sources, code, frame))
      return true;
  }
  for (trials = 0; trials < MAX_TRIALS; trials++) {
    Lead lead;

    if (!pyro_rescue_scan (sources, frame, &from, &caller)) {
      if (has_second_best)
        *frame = second_best;
      return has_second_best;
    }
    lead = follow (sources, &caller);
    if (lead == LEADS_ASTRAY)
      lead = follow_with_saved_fp (sources, frame, &caller);
    if (lead == LEADS_TO_ROOT) {
      *frame = caller;
      return true;
    }
    if (lead == LEADS_THROUGH_SIGNAL && !has_second_best) {
      second_best = caller;
      has_second_best = true;
    }
  }
  return false;
}

void PYRO_HOT
pyro_unwind_by_tables (const PyroUnwindSources *sources,
                       const PyroRegisters *regs, const PyroStackBounds *stack,
                       uintptr_t *pcs, unsigned max, PyroWalk *walk)
{
  PyroUnwindSources usable = *sources;
  PyroFrameBuffer buffer;
  PyroFrame frame;
  PyroWalkHistory history;
  unsigned rescues;

  /* What it remembers is of tables that are gone. */
  if (usable.tables == NULL)
    usable.cache = NULL;
  pyro_frame_buffer_init (&buffer, pcs, max);
  pyro_frame_buffer_add (&buffer, regs->pc);
  walk->rescued = false;
  walk->end = PYRO_STACK_UNKNOWN_STACK;
  if (regs->sp >= stack->low && regs->sp < stack->high) {
    prepare_cache (&usable);
    frame.regs = *regs;
    frame.stack = *stack;
    frame.exact = true;
    frame.saved_known = true;
    frame.crossed_signal = false;
    /* One rescue for the leaf, and one for each function that a signal
     * interrupted before or that calls functions with CFI; the bound is for
     * stacks that lead in circles. */
    pyro_walk_history_init (&history, usable.cache);
    for (rescues = 0; rescues <= 8; rescues++) {
      walk->end = pyro_step_to_end (&usable, &frame, &history, &buffer);
      if ((walk->end != PYRO_STACK_NO_UNWIND_INFO
           && walk->end != PYRO_STACK_UNKNOWN_CODE)
          || !rescue (&usable, &frame, walk->end == PYRO_STACK_NO_UNWIND_INFO))
        break;
      walk->rescued = true;
      pyro_frame_buffer_add (&buffer, frame.regs.pc);
    }
    pyro_walk_history_finish (&history, usable.cache);
  }
  pyro_frame_buffer_finish (&buffer, walk);
}

/* In bytes. Each line too many delays those that are waited for: more of the
 * stack, or the cache of rules as a whole, took longer. */
#define PREFETCHED_STACK 1536

void PYRO_HOT
pyro_unwind_prefetch (const PyroUnwindSources *sources,
                      const PyroRegisters *regs)
{
  const PyroUnwindCache *cache = sources->cache;
  const PyroSegment *segment;
  uintptr_t bucket;

  __builtin_prefetch (cache);
  __builtin_prefetch (sources->tables);
  __builtin_prefetch (sources->map);
  pyro_step_prefetch ();
  pyro_prefetch ((const void *)regs->sp, PREFETCHED_STACK);
  if (cache == NULL)
    return;
  pyro_prefetch (cache->frames[cache->current],
                 cache->n_frames * sizeof (PyroCachedFrame));
  /* The interrupted function is seldom the one of the sample before. */
  segment = &cache->segments[PYRO_CACHED_SEGMENT (regs->pc)];
  bucket = (regs->pc - segment->start) >> PYRO_BUCKET_SHIFT;
  if (regs->pc < segment->limit && bucket < segment->n_buckets)
    __builtin_prefetch (&segment->first[bucket]);
}
