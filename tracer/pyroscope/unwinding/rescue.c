/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Handler-safe: no lock, no allocation, no system call, no libc, no TLS. */

#include "rescue.h"

#include "step.h"
#include "unwind-cache.h"

/* x264's trellis functions keep 4.5 KiB of tables on the stack; no other
 * hand-written function seen here has more than 1 KiB. */
#define MAX_SCAN_BYTES 8192

/* ORC's longest functions here take less than 4 KiB. */
#define MAX_ORC_FUNCTION 16384

#if defined(__x86_64__)

enum { RBX = 3, RBP = 5, R12 = 12, R15 = 15 };

/* The System V ABI aligns the stack to 16 bytes at each call, so that the CFA
 * of any frame that its code makes is a multiple of 16. */
#define ABI_ALIGNMENT 16

/* How many bytes the push at BYTES takes, 0 if it is none; REG is what it
 * pushes. */
static unsigned
decode_push (const uint8_t *bytes, unsigned *reg)
{
  if (bytes[0] >= 0x50 && bytes[0] <= 0x57) {
    *reg = bytes[0] - 0x50u;
    return 1;
  }
  if (bytes[0] == 0x41 && bytes[1] >= 0x50 && bytes[1] <= 0x57) {
    *reg = bytes[1] - 0x50u + 8;
    return 2;
  }
  return 0;
}

static unsigned
decode_pop (const uint8_t *bytes)
{
  if (bytes[0] >= 0x58 && bytes[0] <= 0x5f)
    return 1;
  if (bytes[0] == 0x41 && bytes[1] >= 0x58 && bytes[1] <= 0x5f)
    return 2;
  return 0;
}

/* How many words an epilogue that begins at AT still pops; -1 if AT is not in
 * an epilogue. */
static int
count_pops (const uint8_t *at, const uint8_t *limit)
{
  int pops = 0;

  while (limit - at >= 3) {
    unsigned length = decode_pop (at);

    if (length > 0) {
      pops++;
      at += length;
    } else if (at[0] == 0x0f && at[1] == 0x77) { /* emms */
      at += 2;
    } else if (at[0] == 0xc5 && at[1] == 0xf8 && at[2] == 0x77) {
      at += 3; /* vzeroupper */
    } else {
      return at[0] == 0xc3 ? pops : -1;
    }
    if (pops > 8)
      return -1;
  }
  return -1;
}

/* The start of the function that holds AT, or NULL. BYTES is what is at
 * ADDRESS. */
static const uint8_t *
find_orc_function (const uint8_t *bytes, uintptr_t address, const uint8_t *at)
{
  static const uint32_t endbr64 = 0xfa1e0ff3;
  const uint8_t *low
      = at - bytes > MAX_ORC_FUNCTION ? at - MAX_ORC_FUNCTION : bytes;
  const uint8_t *start
      = at - ((address + (uintptr_t)(at - bytes)) & (uintptr_t)15);

  for (; start >= low; start -= 16) {
    if (*(const uint32_t *)start == endbr64)
      return start;
    if (start - low < 16)
      break;
  }
  return NULL;
}

bool
pyro_rescue_orc (const PyroUnwindSources *sources, const PyroCodeMapping *code,
                 const PyroFrame *frame, PyroFrame *caller)
{
  const uint8_t *bytes = pyro_memory_map_code_copy (sources->map, code);
  const uint8_t *limit, *start, *pc, *at;
  uintptr_t slot, ra, fp = frame->regs.fp;
  int rbp_slot = -1, pushes = 0, pops;
  const PyroSegment *segment;

  if (bytes == NULL || code->limit - frame->regs.pc < 16)
    return false;
  limit = bytes + (code->limit - code->start);
  pc = bytes + (frame->regs.pc - code->start);
  /* Zeroes are what was there before ORC wrote. */
  if (pc[0] == 0 && pc[1] == 0)
    return false;
  start = find_orc_function (bytes, code->start, pc);
  if (start == NULL)
    return false;

  /* The prologue, as far as it has been executed. */
  for (at = start + 4; at < pc && limit - at >= 3;) {
    unsigned reg;
    unsigned length = decode_push (at, &reg);

    if (length > 0) {
      if (reg == RBP)
        rbp_slot = pushes;
      pushes++;
      at += length;
    } else if (at[0] == 0x48 && at[1] == 0x89 && at[2] == 0xe5) {
      at += 3; /* mov %rsp,%rbp */
    } else {
      break;
    }
  }
  if (pushes > 8)
    return false;

  /* Pops undo the pushes in reverse order: what is left are the first ones. */
  pops = count_pops (pc, limit);
  if (pops >= 0 && pops < pushes)
    pushes = pops;
  slot = frame->regs.sp + (uintptr_t)pushes * sizeof (uintptr_t);
  if (!pyro_stack_read (&frame->stack, slot, &ra))
    return false;
  if (rbp_slot >= 0 && rbp_slot < pushes
      && !pyro_stack_read (&frame->stack, slot - (uintptr_t)(rbp_slot + 1) * 8,
                           &fp))
    return false;

  segment = pyro_sources_find_segment (sources, ra - 1);
  if (segment == NULL
      || pyro_segment_find_rule (segment, ra - 1) == PYRO_SPECIAL_NONE)
    return false;
  *caller = *frame;
  caller->regs.pc = ra;
  caller->regs.sp = slot + sizeof (uintptr_t);
  caller->regs.fp = fp;
  caller->exact = false;
  caller->saved_known = false;
  return true;
}

/* Whether RA, found at SLOT, can be what a call in SEGMENT pushed. */
static bool
is_return_address (const PyroUnwindTables *tables, const PyroSegment *segment,
                   uintptr_t slot, uintptr_t ra)
{
  uint32_t rule = pyro_segment_find_rule (segment, ra - 1);

  if ((rule & 3) == PYRO_RULE_OTHER)
    return false;
  if ((rule & 3) == PYRO_RULE_SP
      && (slot + sizeof (uintptr_t)
          + PYRO_RULE_WORDS (rule) * sizeof (uintptr_t))
                 % ABI_ALIGNMENT
             != 0)
    return false;
  return pyro_tables_may_return_to (tables, segment, ra);
}

bool
pyro_rescue_scan (const PyroUnwindSources *sources, const PyroFrame *frame,
                  uintptr_t *from, PyroFrame *caller, int *budget)
{
  const PyroUnwindTables *tables = sources->tables;
  const PyroSegment *segment;
  PyroSegment own = { 0 };
  uintptr_t sp = frame->regs.sp;
  uintptr_t lowest, highest, slot, ra;
  bool is_own;

  if (tables == NULL || tables->n_segments == 0)
    return false;
  segment = pyro_sources_find_segment (sources, frame->regs.pc);
  if (segment != NULL) {
    own = *segment;
    if (own.calls == 0)
      pyro_sources_want_code (sources, frame->regs.pc);
  }
  lowest = tables->segments[0].start;
  highest = tables->segments[tables->n_segments - 1].limit;
  /* The caller's stack pointer was aligned before the call pushed RA below it.
   * SP itself need not be: some code takes four bytes first. */
  slot = ((sp + sizeof (uintptr_t) - 1) & ~(uintptr_t)(ABI_ALIGNMENT - 1))
         + ABI_ALIGNMENT - sizeof (uintptr_t);
  if (slot < *from)
    slot = *from;
  for (; slot - sp < MAX_SCAN_BYTES; slot += ABI_ALIGNMENT) {
    *budget -= PYRO_COST_WORD;
    if (*budget <= 0 || !pyro_stack_read (&frame->stack, slot, &ra))
      return false;
    if (ra <= lowest || ra > highest)
      continue;
    *budget -= PYRO_COST_LOOK_UP;
    is_own = ra > own.start && ra <= own.limit;
    segment = is_own ? &own : pyro_sources_find_segment (sources, ra - 1);
    /* The signal handler calls no such code, but it has left its frames on
     * every stack that it ever ran on. */
    if (segment == NULL
        || (!is_own && tables->own != NULL
            && segment->start == tables->own->start)
        || !is_return_address (tables, segment, slot, ra))
      continue;
    *caller = *frame;
    caller->regs.pc = ra;
    caller->regs.sp = slot + sizeof (uintptr_t);
    caller->exact = false;
    caller->saved_known = false;
    *from = slot + ABI_ALIGNMENT;
    return true;
  }
  return false;
}

#elif defined(__aarch64__)

/* ORC's code for aarch64 and hand-written leaves keep the return address in
 * lr; where they do not, nothing is guessed. */

static bool
return_by_lr (const PyroUnwindSources *sources, const PyroFrame *frame,
              PyroFrame *caller)
{
  uintptr_t ra = frame->regs.lr;
  uint32_t rule = pyro_tables_find_rule (sources->tables, ra - 1);

  if (rule == PYRO_SPECIAL_NONE || rule == PYRO_SPECIAL_UNKNOWN)
    return false;
  *caller = *frame;
  caller->regs.pc = ra;
  caller->exact = false;
  return true;
}

bool
pyro_rescue_orc (const PyroUnwindSources *sources, const PyroCodeMapping *code,
                 const PyroFrame *frame, PyroFrame *caller)
{
  return return_by_lr (sources, frame, caller);
}

bool
pyro_rescue_scan (const PyroUnwindSources *sources, const PyroFrame *frame,
                  uintptr_t *from, PyroFrame *caller, int *budget)
{
  if (*from > 0)
    return false;
  *from = 1;
  *budget -= PYRO_COST_LOOK_UP;
  return return_by_lr (sources, frame, caller);
}

#endif
