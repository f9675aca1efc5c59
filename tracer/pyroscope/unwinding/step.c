/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Handler-safe: no lock, no allocation, no system call, no libc, no TLS. */

#include "step.h"

#include "memory-map.h"
#include "tables.h"

#define GO_ON PYRO_GO_ON

/* An entry of the cache holds 22 bits of rule and 42 of pc >> 8. */
#define CACHED_PC_LIMIT ((uintptr_t)1 << 50)

uint32_t PYRO_HOT
pyro_step_look_up (const PyroUnwindSources *sources, uintptr_t pc)
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
find_rule (const PyroUnwindSources *sources, uintptr_t pc, int *budget)
{
  PyroUnwindCache *cache = sources->cache;
  unsigned index = (unsigned)((pc ^ pc >> 8 ^ pc >> 16) % PYRO_CACHED_RULES);
  uint64_t tag = (uint64_t)(pc >> 8) << PYRO_ROW_RULE_BITS;
  uint32_t rule;

  if (cache == NULL || pc >= CACHED_PC_LIMIT)
    return pyro_step_look_up (sources, pc);
  if ((cache->rules[index] & ~(uint64_t)PYRO_ROW_RULE_MASK) == tag
      && cache->rules[index] != 0)
    return (uint32_t)cache->rules[index] & PYRO_ROW_RULE_MASK;
  *budget -= PYRO_COST_LOOK_UP;
  rule = pyro_step_look_up (sources, pc);
  cache->rules[index] = tag | rule;
  return rule;
}

static inline uint32_t
find_rule_by_history (const PyroUnwindSources *sources,
                      PyroWalkHistory *history, uintptr_t pc, uintptr_t sp,
                      int *budget)
{
  uint32_t rule;

  if (!pyro_walk_history_find (history, pc, sp, &rule))
    rule = find_rule (sources, pc, budget);
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
  if (frame->regs.sp >= frame->stack.low
      && frame->regs.sp < frame->stack.high) {
    pyro_stack_reach (&frame->stack, frame->regs.sp);
    return GO_ON;
  }
  /* The signal's frame is not on that one: no page of it is certain. */
  if (frame->stack.shift != 0
      || !pyro_stack_find (sources, frame->regs.sp, false, &frame->stack)
      || (frame->guessed && frame->stack.limit != 0))
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
  if (!pyro_stack_reach (&frame->stack, cfa))
    return PYRO_STACK_UNREADABLE;
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
static inline __attribute__ ((always_inline)) PyroStackEnd
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

static inline __attribute__ ((always_inline)) PyroStackEnd
step (const PyroUnwindSources *sources, uint32_t rule, PyroFrame *frame)
{
  switch (rule & 3) {
  case PYRO_RULE_SP:
  case PYRO_RULE_FP:
    return step_by_common_rule (rule, frame);
  case PYRO_RULE_INDEX:
    return step_by_indexed_rule (&sources->tables->rules[rule >> 2], frame);
  default:
    switch (rule) {
    case PYRO_SPECIAL_ROOT:
      return PYRO_STACK_COMPLETE;
    case PYRO_SPECIAL_SIGNAL:
      return step_signal (sources, frame);
    case PYRO_SPECIAL_NONE:
      return PYRO_STACK_NO_UNWIND_INFO;
    case PYRO_SPECIAL_UNKNOWN:
      return PYRO_STACK_UNKNOWN_CODE;
    default:
      return PYRO_STACK_UNSUPPORTED;
    }
  }
}

/* A call may be the last instruction of its function: the return address is
 * then the next function's. */
static inline uintptr_t
pc_to_look_up (const PyroFrame *frame)
{
  return frame->regs.pc - !frame->exact;
}

PyroStackEnd PYRO_COLD
pyro_step (const PyroUnwindSources *sources, PyroFrame *frame)
{
  int unbounded = PYRO_BUDGET;

  return step (sources, find_rule (sources, pc_to_look_up (frame), &unbounded),
               frame);
}

PyroStackEnd PYRO_HOT
pyro_step_to_end (const PyroUnwindSources *sources, PyroFrame *frame,
                  PyroWalkHistory *history, PyroFrameBuffer *buffer,
                  int *budget)
{
  while (*budget > 0) {
    uintptr_t sp = frame->regs.sp;
    uint32_t rule = find_rule_by_history (sources, history,
                                          pc_to_look_up (frame), sp, budget);
    PyroStackEnd end = step (sources, rule, frame);

    *budget -= pyro_step_cost (sp, frame->regs.sp);
    if (end != GO_ON)
      return end;
    pyro_frame_buffer_add (buffer, frame->regs.pc + frame->exact);
  }
  return PYRO_STACK_TOO_DEEP;
}
