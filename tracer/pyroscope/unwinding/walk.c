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

/* One sample's walk. */
typedef struct {
  PyroUnwindSources sources;
  PyroFrame frame;
  PyroWalkHistory history;
  PyroFrameBuffer buffer;
  int budget;
} Walk;

/* Where a frame leads: to a thread's start (or further than anybody follows),
 * or at least through a signal's frame to another interrupted function. A
 * return address of zero is the root of a walk that began with what is true;
 * where the beginning is a guess, any zero on the stack would confirm it, so
 * only code whose CFI says that it has no caller does. */
typedef enum {
  LEADS_ASTRAY,
  LEADS_THROUGH_SIGNAL,
  LEADS_TO_ROOT,
} Lead;

/* So much of the budget for one guess that it is as good as any that leads to
 * the root: what it can be mistaken for joins the true stack, too. */
#define FURTHER_THAN_GUESSES 512

static Lead
judge (const Walk *walk, const PyroFrame *trial, PyroStackEnd end, int before)
{
  if ((end == PYRO_STACK_TOO_DEEP
       && before - walk->budget >= FURTHER_THAN_GUESSES)
      || (end == PYRO_STACK_COMPLETE && trial->regs.pc != 0))
    return trial->crossed_signal ? LEADS_THROUGH_SIGNAL : LEADS_TO_ROOT;
  if (trial->exact
      && (end == PYRO_STACK_NO_UNWIND_INFO || end == PYRO_STACK_UNKNOWN_CODE))
    return LEADS_THROUGH_SIGNAL;
  return LEADS_ASTRAY;
}

/* Follows CALLER. Where it leads to the root, the walk is there then, and *END
 * says so; else it is where it was. */
static Lead
follow (Walk *walk, const PyroFrame *caller, PyroStackEnd *end)
{
  PyroFrame trial = *caller;
  PyroWalkHistory history = walk->history;
  PyroFrameBuffer buffer = walk->buffer;
  /* Only what nobody has written to yet is written to. */
  bool keeps = buffer.n <= buffer.max - buffer.tail;
  int before = walk->budget;
  Lead lead;

  if (!keeps) {
    history.next = NULL;
    pyro_frame_buffer_init (&buffer, NULL, 0);
  }
  trial.crossed_signal = false;
  pyro_frame_buffer_add (&buffer, trial.regs.pc);
  *end = pyro_step_to_end (&walk->sources, &trial, &history, &buffer,
                           &walk->budget);
  lead = judge (walk, &trial, *end, before);
  if (lead != LEADS_TO_ROOT)
    return lead;
  if (keeps) {
    walk->frame = trial;
    walk->history = history;
    walk->buffer = buffer;
  } else {
    walk->frame = *caller;
    pyro_frame_buffer_add (&walk->buffer, caller->regs.pc);
    *end = PYRO_GO_ON;
  }
  return lead;
}

/* Hand-written code may use rbp for data. It then pushed the caller's, soon
 * after it was entered: among the words just below the return address. */
#if defined(__x86_64__)
#define MAX_SAVED_FP_WORDS 7
#else
#define MAX_SAVED_FP_WORDS 0
#endif

static Lead
follow_with_saved_fp (Walk *walk, const PyroFrame *caller, PyroStackEnd *end)
{
  const PyroFrame *leaf = &walk->frame;
  PyroFrame trial = *caller;
  uintptr_t slot = caller->regs.sp - sizeof (uintptr_t);
  unsigned i;

  for (i = 1; i <= MAX_SAVED_FP_WORDS && walk->budget > 0; i++) {
    uintptr_t at = slot - i * sizeof (uintptr_t);

    if (at < leaf->regs.sp
        || !pyro_stack_read (&trial.stack, at, &trial.regs.fp))
      break;
    if (trial.regs.fp < caller->regs.sp || trial.regs.fp >= caller->stack.high)
      continue;
    if (follow (walk, &trial, end) == LEADS_TO_ROOT)
      return LEADS_TO_ROOT;
  }
  return LEADS_ASTRAY;
}

static void
take (Walk *walk, const PyroFrame *caller, PyroStackEnd *end)
{
  walk->frame = *caller;
  pyro_frame_buffer_add (&walk->buffer, caller->regs.pc);
  *end = PYRO_GO_ON;
}

static bool
rescue_generated (Walk *walk, const PyroFrame *leaf, PyroStackEnd *end)
{
  const PyroCodeMapping *code
      = pyro_memory_map_find_code (walk->sources.map, leaf->regs.pc);
  PyroFrame caller;
  Lead lead = LEADS_ASTRAY;

  if (code == NULL || code->kind != PYRO_CODE_ORC)
    return false;
  if (pyro_rescue_orc (&walk->sources, code, leaf, &caller))
    lead = follow (walk, &caller, end);
  if (lead == LEADS_THROUGH_SIGNAL)
    take (walk, &caller, end);
  /* No copy, or one that is older than the code. */
  if (lead == LEADS_ASTRAY)
    pyro_sources_want_code (&walk->sources, leaf->regs.pc);
  return lead != LEADS_ASTRAY;
}

/* The walk's frame is in code without CFI, where it was interrupted or where it
 * called a function that has CFI (x264's coder of residuals does). Moves the
 * walk to its caller, or on to the root. A guess that does not lead to the root
 * is none: the stack then ends here, and says so. One that leads through a
 * signal's frame is taken only if there is no other: below the stack pointer of
 * old lie the remains of our own signals, and a function that has just made
 * room there has not overwritten them all. Not PYRO_COLD: where it optimises
 * for size, GCC calls memcpy for these copies on aarch64. */
static bool __attribute__ ((noinline)) rescue (Walk *walk, PyroStackEnd *end)
{
  bool is_module = *end == PYRO_STACK_NO_UNWIND_INFO;
  PyroFrame leaf = walk->frame, caller, second_best;
  bool has_second_best = false;
  uintptr_t from = 0;
  unsigned trials;

  pyro_stack_forgo_reach (&leaf.stack);
  leaf.guessed = true;
  if (leaf.exact && !is_module && rescue_generated (walk, &leaf, end))
    return true;
  for (trials = 0; trials < MAX_TRIALS; trials++) {
    PyroStackEnd its_end;
    Lead lead;

    if (!pyro_rescue_scan (&walk->sources, &leaf, &from, &caller,
                           &walk->budget))
      break;
    lead = follow (walk, &caller, &its_end);
    if (lead == LEADS_ASTRAY)
      lead = follow_with_saved_fp (walk, &caller, &its_end);
    if (lead == LEADS_TO_ROOT) {
      *end = its_end;
      return true;
    }
    if (lead == LEADS_THROUGH_SIGNAL && !has_second_best) {
      second_best = caller;
      has_second_best = true;
    }
  }
  if (has_second_best)
    take (walk, &second_best, end);
  else if (walk->budget <= 0)
    *end = PYRO_STACK_GIVEN_UP;
  return has_second_best;
}

/* One rescue for the leaf, and one for each function that a signal interrupted
 * before or that calls functions with CFI; the bound is for stacks that lead in
 * circles. */
#define MAX_RESCUES 9

static inline __attribute__ ((always_inline)) PyroStackEnd
run (Walk *walk, bool *rescued)
{
  PyroStackEnd end = PYRO_GO_ON;
  unsigned rescues;

  for (rescues = 0;; rescues++) {
    if (end == PYRO_GO_ON)
      end = pyro_step_to_end (&walk->sources, &walk->frame, &walk->history,
                              &walk->buffer, &walk->budget);
    if ((end != PYRO_STACK_NO_UNWIND_INFO && end != PYRO_STACK_UNKNOWN_CODE)
        || rescues == MAX_RESCUES || !rescue (walk, &end))
      return end;
    *rescued = true;
  }
}

void PYRO_HOT
pyro_unwind_by_tables (const PyroUnwindSources *sources,
                       const PyroRegisters *regs, const PyroStackBounds *stack,
                       uintptr_t *pcs, unsigned max, PyroWalk *result)
{
  PyroUnwindCache *cache = sources->cache;
  Walk walk;

  /* What it remembers is of tables that are gone. */
  if (sources->tables == NULL)
    cache = NULL;
  walk.sources = *sources;
  walk.sources.cache = cache;
  pyro_frame_buffer_init (&walk.buffer, pcs, max);
  pyro_frame_buffer_add (&walk.buffer, regs->pc);
  result->rescued = false;
  result->end = PYRO_STACK_UNKNOWN_STACK;
  if (regs->sp >= stack->low && regs->sp < stack->high) {
    prepare_cache (&walk.sources);
    walk.frame.regs = *regs;
    walk.frame.stack = *stack;
    walk.frame.exact = true;
    walk.frame.saved_known = true;
    walk.frame.crossed_signal = false;
    walk.frame.guessed = false;
    walk.budget = PYRO_BUDGET;
    pyro_walk_history_init (&walk.history, cache);
    result->end = run (&walk, &result->rescued);
    pyro_walk_history_finish (&walk.history, cache);
  }
  pyro_frame_buffer_finish (&walk.buffer, result);
}

/* In bytes. Each line too many delays those that are waited for: more of the
 * stack, or the cache of rules as a whole, took longer. */
#define PREFETCHED_STACK 1536
#define PREFETCHED_STEPS 1024
#define PREFETCHED_LOOK_UP 512

void PYRO_HOT
pyro_unwind_prefetch (const PyroUnwindSources *sources,
                      const PyroRegisters *regs)
{
  const PyroUnwindCache *cache = sources->cache;
  const PyroSegment *segment;
  uintptr_t bucket;

  __builtin_prefetch (cache);
  __builtin_prefetch (sources->tables);
  pyro_prefetch ((const void *)(uintptr_t)pyro_step_to_end, PREFETCHED_STEPS);
  pyro_prefetch ((const void *)(uintptr_t)pyro_step_look_up,
                 PREFETCHED_LOOK_UP);
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
