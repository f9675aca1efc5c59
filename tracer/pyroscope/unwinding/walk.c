/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Handler-safe: no lock, no allocation, no system call, no libc, no TLS. */

#include "unwind.h"

#include "frame.h"
#include "frame-buffer.h"
#include "memory-map.h"
#include "rescue.h"
#include "tables.h"
#include "unwind-cache.h"

/* A walk that takes longer has lost its way, or is a recursion that nobody
 * wants to pay for at each sample: 4096 frames take some 20 µs. */
#define MAX_STEPS 4096

/* How many guesses a rescue may try to follow to the root. */
#define MAX_TRIALS 64

/* Not a PyroStackEnd: there is a caller. */
#define GO_ON PYRO_STACK_N_ENDS

#define CACHE_LINE 64

/* An entry of the cache holds 22 bits of rule and 42 of pc >> 8. */
#define CACHED_PC_LIMIT ((uintptr_t)1 << 50)

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

static uint32_t PYRO_HOT
look_up_rule (const PyroUnwindSources *sources, uintptr_t pc)
{
  const PyroUnwindTables *tables = sources->tables;
  const PyroSegment *segment;

  if (tables != NULL && pc == tables->context_start - 1)
    return PYRO_SPECIAL_ROOT;
#if defined(__aarch64__)
  /* PC may be its address minus 1, or the interrupted one in it. */
  if (tables != NULL && tables->signal_return != 0
      && pc + 1 - tables->signal_return <= 8)
    return PYRO_SPECIAL_SIGNAL;
#endif
  segment = pyro_sources_find_segment (sources, pc);
  return segment != NULL ? pyro_segment_find_rule (segment, pc)
                         : PYRO_SPECIAL_UNKNOWN;
}

static uint32_t PYRO_HOT
find_rule (const PyroUnwindSources *sources, uintptr_t pc)
{
  PyroUnwindCache *cache = sources->cache;
  unsigned index = (unsigned)((pc ^ pc >> 8 ^ pc >> 16) % PYRO_CACHED_RULES);
  uint64_t tag = (uint64_t)(pc >> 8) << PYRO_ROW_RULE_BITS;
  uint32_t rule;

  if (cache == NULL || pc >= CACHED_PC_LIMIT)
    return look_up_rule (sources, pc);
  if ((cache->rules[index] & ~(uint64_t)PYRO_ROW_RULE_MASK) == tag
      && cache->rules[index] != 0)
    return (uint32_t)cache->rules[index] & PYRO_ROW_RULE_MASK;
  rule = look_up_rule (sources, pc);
  cache->rules[index] = tag | rule;
  return rule;
}

static inline uint32_t
find_rule_by_history (const PyroUnwindSources *sources,
                      PyroWalkHistory *history, uintptr_t pc, uintptr_t sp)
{
  uint32_t rule;

  if (!pyro_walk_history_find (history, pc, sp, &rule))
    rule = find_rule (sources, pc);
  pyro_walk_history_add (history, pc, sp, rule);
  return rule;
}

#if defined(__x86_64__)

#define RETURN_ADDRESS_BITS(ra) (ra)

#define OFFSET(name) offsetof (PyroRegisters, name)

/* By DWARF number (System V ABI, AMD64 supplement, figure 3.36). */
static const uint8_t offset_by_dwarf[16]
    = { OFFSET (rax), OFFSET (rdx), OFFSET (rcx), OFFSET (rbx),
        OFFSET (rsi), OFFSET (rdi), OFFSET (fp),  OFFSET (sp),
        OFFSET (r8),  OFFSET (r9),  OFFSET (r10), OFFSET (r11),
        OFFSET (r12), OFFSET (r13), OFFSET (r14), OFFSET (r15) };

/* rbp and rsp are followed everywhere, rbx and r12 to r15 where all callees
 * tell; the others are known in the interrupted function alone. */
#define FOLLOWED (1u << 6 | 1u << 7)
#define CALLEE_SAVED (1u << 3 | 0xfu << 12)

static bool
register_value (const PyroFrame *frame, unsigned dwarf, uintptr_t *value)
{
  unsigned known = FOLLOWED | (frame->saved_known ? CALLEE_SAVED : 0);

  if (dwarf >= 16 || (!frame->exact && !(known >> dwarf & 1)))
    return false;
  *value = *(const uintptr_t *)((const char *)&frame->regs
                                + offset_by_dwarf[dwarf]);
  return true;
}

/* In the order of PyroRule's saved. */
static const uint8_t offset_by_saved[PYRO_N_SAVED]
    = { OFFSET (rbx), OFFSET (r12), OFFSET (r13), OFFSET (r14), OFFSET (r15) };

/* In an epilogue a slot may be below the stack pointer already: compilers do
 * not write DW_CFA_restore for what they pop. Within the red zone it still has
 * the value, and further down the register has been restored. */
static bool
restore_saved (PyroFrame *frame, const PyroRule *rule, uintptr_t cfa)
{
  unsigned i;

  for (i = 0; i < PYRO_N_SAVED; i++) {
    uintptr_t slot = cfa + (uintptr_t)(rule->saved[i] * 8l);
    char *reg = (char *)&frame->regs + offset_by_saved[i];

    if (rule->saved[i] != 0
        && !pyro_stack_read (&frame->stack, slot, (uintptr_t *)reg)
        && slot >= frame->regs.sp)
      return false;
  }
  return true;
}

/* The kernel's frame: at the return into __restore_rt, sp points to the
 * ucontext; the general registers begin 40 bytes into it, in the order of
 * <sys/ucontext.h>. */
static bool
load_signal_registers (PyroFrame *frame)
{
  static const uint8_t order[]
      = { OFFSET (r8),  OFFSET (r9),  OFFSET (r10), OFFSET (r11), OFFSET (r12),
          OFFSET (r13), OFFSET (r14), OFFSET (r15), OFFSET (rdi), OFFSET (rsi),
          OFFSET (fp),  OFFSET (rbx), OFFSET (rdx), OFFSET (rax), OFFSET (rcx),
          OFFSET (sp),  OFFSET (pc) };
  uintptr_t at = frame->regs.sp + 40;
  unsigned i;

  for (i = 0; i < sizeof (order); i++) {
    if (!pyro_stack_read (&frame->stack, at + i * 8,
                          (uintptr_t *)((char *)&frame->regs + order[i])))
      return false;
  }
  return true;
}

#elif defined(__aarch64__)

/* Pointer authentication signs the bits above the user's address space. */
#define RETURN_ADDRESS_BITS(ra) ((ra) & (((uintptr_t)1 << 48) - 1))

static bool
register_value (const PyroFrame *frame, unsigned dwarf, uintptr_t *value)
{
  switch (dwarf) {
  case 29:
    *value = frame->regs.fp;
    return true;
  case 30:
    *value = frame->regs.lr;
    return frame->exact;
  case 31:
    *value = frame->regs.sp;
    return true;
  default:
    return false;
  }
}

static bool
restore_saved (PyroFrame *frame, const PyroRule *rule, uintptr_t cfa)
{
  return true;
}

/* The kernel's frame: siginfo (128 bytes), ucontext; in its mcontext (176 bytes
 * in, aligned to 16) fault_address, x0 to x30, sp, pc
 * (arch/arm64/include/uapi/asm/sigcontext.h). */
static bool
load_signal_registers (PyroFrame *frame)
{
  uintptr_t x0 = frame->regs.sp + 128 + 176 + 8;
  PyroRegisters *regs = &frame->regs;

  return pyro_stack_read (&frame->stack, x0 + 29 * 8, &regs->fp)
         && pyro_stack_read (&frame->stack, x0 + 30 * 8, &regs->lr)
         && pyro_stack_read (&frame->stack, x0 + 32 * 8, &regs->pc)
         && pyro_stack_read (&frame->stack, x0 + 31 * 8, &regs->sp);
}

#else
#error "The registers of this processor are not known here: add them."
#endif

/* A signal interrupted this frame's callee, perhaps on another stack. */
static PyroStackEnd PYRO_COLD
step_signal (const PyroUnwindSources *sources, PyroFrame *frame)
{
  if (!load_signal_registers (frame))
    return PYRO_STACK_UNREADABLE;
  frame->exact = true;
  frame->saved_known = true;
  frame->crossed_signal = true;
  if (frame->regs.sp >= frame->stack.low && frame->regs.sp < frame->stack.high)
    return GO_ON;
  if (frame->stack.shift != 0
      || !pyro_memory_map_find_stack (sources->map, frame->regs.sp,
                                      &frame->stack))
    return PYRO_STACK_UNKNOWN_STACK;
  return GO_ON;
}

/* The caller's stack pointer is the CFA: it has to be further up, else the walk
 * would turn in circles. A leaf that keeps its return address in a register may
 * have no frame at all. */
static inline PyroStackEnd
move_to (PyroFrame *frame, uintptr_t cfa, uintptr_t ra, uintptr_t fp)
{
  if (cfa < frame->regs.sp || (cfa == frame->regs.sp && !frame->exact))
    return PYRO_STACK_NO_PROGRESS;
  frame->regs.pc = RETURN_ADDRESS_BITS (ra);
  frame->regs.sp = cfa;
  frame->regs.fp = fp;
  frame->exact = false;
  return frame->regs.pc == 0 ? PYRO_STACK_COMPLETE : GO_ON;
}

static bool
load_from (const PyroFrame *frame, PyroFrom from, int32_t offset, uintptr_t cfa,
           uintptr_t same, uintptr_t *value)
{
  switch (from) {
  case PYRO_FROM_SAME:
    *value = same;
    return true;
  case PYRO_FROM_CFA:
    return pyro_stack_read (&frame->stack, cfa + (uintptr_t)(intptr_t)offset,
                            value);
  case PYRO_FROM_FP:
    return pyro_stack_read (
        &frame->stack, frame->regs.fp + (uintptr_t)(intptr_t)offset, value);
  case PYRO_FROM_SP:
    return pyro_stack_read (
        &frame->stack, frame->regs.sp + (uintptr_t)(intptr_t)offset, value);
  case PYRO_FROM_REGISTER:
    return register_value (frame, (unsigned)offset, value);
  default:
    return false;
  }
}

static PyroStackEnd PYRO_COLD
step_by_indexed_rule (const PyroRule *rule, PyroFrame *frame)
{
  uintptr_t base, cfa, ra, fp;

  if (!register_value (frame, rule->cfa_reg, &base))
    return PYRO_STACK_UNSUPPORTED;
  cfa = base + (uintptr_t)(intptr_t)rule->cfa_offset;
  switch (rule->cfa) {
  case PYRO_CFA_DEREF:
    if (!pyro_stack_read (&frame->stack, cfa, &cfa))
      return PYRO_STACK_UNREADABLE;
    cfa += (uintptr_t)(intptr_t)rule->cfa_add;
    break;
  case PYRO_CFA_PLT:
    if ((frame->regs.pc & 15) >= (uintptr_t)rule->cfa_add)
      cfa += 8;
    break;
  default:
    break;
  }
  if (rule->ra_from == PYRO_FROM_SAME && !frame->exact)
    return PYRO_STACK_NO_PROGRESS; /* lr was overwritten by the call */
  if (!load_from (frame, rule->ra_from, rule->ra_offset, cfa, frame->regs.lr,
                  &ra)
      || !load_from (frame, rule->fp_from, rule->fp_offset, cfa, frame->regs.fp,
                     &fp)
      || !restore_saved (frame, rule, cfa))
    return PYRO_STACK_UNREADABLE;
  frame->saved_known = frame->saved_known && rule->saved_known;
  return move_to (frame, cfa, ra, fp);
}

/* PYRO_RULE_SP and PYRO_RULE_FP, nearly all there are. */
static inline PyroStackEnd
step_by_common_rule (uint32_t rule, PyroFrame *frame)
{
  uintptr_t base = (rule & 3) == PYRO_RULE_SP ? frame->regs.sp : frame->regs.fp;
  uintptr_t cfa = base + PYRO_RULE_WORDS (rule) * 8;
  uintptr_t slot = PYRO_RULE_SLOT (rule) * 8;
  uintptr_t fp = frame->regs.fp;
  uintptr_t ra;

  /* See restore_saved. */
  if (slot != 0 && !pyro_stack_read (&frame->stack, cfa - slot, &fp)
      && cfa - slot >= frame->regs.sp)
    return PYRO_STACK_UNREADABLE;
#if defined(__x86_64__)
  if (!pyro_stack_read (&frame->stack, cfa - 8, &ra))
    return PYRO_STACK_UNREADABLE;
#else
  if (slot != 0) {
    if (!pyro_stack_read (&frame->stack, cfa - slot + 8, &ra))
      return PYRO_STACK_UNREADABLE;
  } else {
    if (!frame->exact)
      return PYRO_STACK_NO_PROGRESS; /* lr was overwritten by the call */
    ra = frame->regs.lr;
  }
#endif
  frame->saved_known = frame->saved_known && (rule & PYRO_RULE_SAVED_KNOWN);
  return move_to (frame, cfa, ra, fp);
}

/* Walks on from FRAME, whose pc is in BUFFER already, up to the root or to the
 * first frame that has no caller by the tables; that frame stays in *FRAME. */
static PyroStackEnd PYRO_HOT
walk_by_rules (const PyroUnwindSources *sources, PyroFrame *frame,
               PyroWalkHistory *history, PyroFrameBuffer *buffer)
{
  unsigned steps;

  for (steps = 0; steps < MAX_STEPS; steps++) {
    /* A call may be the last instruction of its function: the return address
     * is then the next function's. */
    uint32_t rule = find_rule_by_history (
        sources, history, frame->regs.pc - !frame->exact, frame->regs.sp);
    PyroStackEnd end;

    switch (rule & 3) {
    case PYRO_RULE_SP:
    case PYRO_RULE_FP:
      end = step_by_common_rule (rule, frame);
      break;
    case PYRO_RULE_INDEX:
      end = step_by_indexed_rule (&sources->tables->rules[rule >> 2], frame);
      break;
    default:
      switch (rule) {
      case PYRO_SPECIAL_ROOT:
        return PYRO_STACK_COMPLETE;
      case PYRO_SPECIAL_SIGNAL:
        end = step_signal (sources, frame);
        break;
      case PYRO_SPECIAL_NONE:
        return PYRO_STACK_NO_UNWIND_INFO;
      case PYRO_SPECIAL_UNKNOWN:
        return PYRO_STACK_UNKNOWN_CODE;
      default:
        return PYRO_STACK_UNSUPPORTED;
      }
    }
    if (end != GO_ON)
      return end;
    pyro_frame_buffer_add (buffer, frame->regs.pc + frame->exact);
  }
  return PYRO_STACK_TOO_DEEP;
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
  end = walk_by_rules (sources, &trial, &history, &nowhere);
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
      walk->end = walk_by_rules (&usable, &frame, &history, &buffer);
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
#define PREFETCHED_WALK 1024
#define PREFETCHED_LOOK_UP 512

static inline void
prefetch (const void *from, size_t size)
{
  size_t i;

  for (i = 0; i < size; i += CACHE_LINE)
    __builtin_prefetch ((const char *)from + i);
}

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
  prefetch ((const void *)(uintptr_t)walk_by_rules, PREFETCHED_WALK);
  prefetch ((const void *)(uintptr_t)look_up_rule, PREFETCHED_LOOK_UP);
  prefetch ((const void *)regs->sp, PREFETCHED_STACK);
  if (cache == NULL)
    return;
  prefetch (cache->frames[cache->current],
            cache->n_frames * sizeof (PyroCachedFrame));
  /* The interrupted function is seldom the one of the sample before. */
  segment = &cache->segments[PYRO_CACHED_SEGMENT (regs->pc)];
  bucket = (regs->pc - segment->start) >> PYRO_BUCKET_SHIFT;
  if (regs->pc < segment->limit && bucket < segment->n_buckets)
    __builtin_prefetch (&segment->first[bucket]);
}
