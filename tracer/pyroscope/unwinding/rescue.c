/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Handler-safe: no lock, no allocation, no system call, no libc, no TLS. */

#include "rescue.h"

#include "unwind-cache.h"

/* x264's trellis functions keep 4.5 KiB of tables on the stack; no other
 * hand-written function seen here has more than 1 KiB. */
#define MAX_SCAN_BYTES 8192

/* ORC's longest functions here take less than 4 KiB. */
#define MAX_ORC_FUNCTION 16384

#if defined(__x86_64__)

enum { RBX = 3, RBP = 5, R12 = 12, R15 = 15 };

/* Whether the bytes before RA, not before LOW, are a call instruction: call
 * rel32 (e8), or ff /2 with every form of memory operand (Intel SDM vol. 2,
 * CALL). RA - 1 must be readable. */
static bool
follows_call (uintptr_t ra, uintptr_t low)
{
  const uint8_t *end = (const uint8_t *)ra;
  uintptr_t available = ra - low;
  unsigned length;

  if (available >= 5 && end[-5] == 0xe8)
    return true;
  for (length = 2; length <= 7 && length <= available; length++) {
    unsigned modrm, mod, rm, needed;

    if (end[-(int)length] != 0xff)
      continue;
    modrm = end[-(int)length + 1];
    if (((modrm >> 3) & 7) != 2)
      continue;
    mod = modrm >> 6;
    rm = modrm & 7;
    needed = 2;
    if (mod != 3 && rm == 4)
      needed += 1; /* SIB */
    if (mod == 1)
      needed += 1;
    else if (mod == 2 || (mod == 0 && rm == 5))
      needed += 4;
    if (needed == length)
      return true;
    /* [disp32] with neither base nor rip: a SIB whose base is 5. */
    if (mod == 0 && rm == 4 && length == 7 && (end[-(int)length + 2] & 7) == 5)
      return true;
  }
  return false;
}

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

/* How many words an epilogue that begins at PC still pops; -1 if PC is not in
 * an epilogue. */
static int
count_pops (uintptr_t pc, uintptr_t limit)
{
  int pops = 0;

  while (limit - pc >= 3) {
    const uint8_t *bytes = (const uint8_t *)pc;
    unsigned length = decode_pop (bytes);

    if (length > 0) {
      pops++;
      pc += length;
    } else if (bytes[0] == 0x0f && bytes[1] == 0x77) { /* emms */
      pc += 2;
    } else if (bytes[0] == 0xc5 && bytes[1] == 0xf8 && bytes[2] == 0x77) {
      pc += 3; /* vzeroupper */
    } else {
      return bytes[0] == 0xc3 ? pops : -1;
    }
    if (pops > 8)
      return -1;
  }
  return -1;
}

bool
pyro_rescue_orc (const PyroUnwindSources *sources, const PyroCodeMapping *code,
                 PyroFrame *frame)
{
  static const uint32_t endbr64 = 0xfa1e0ff3;
  uintptr_t pc = frame->regs.pc;
  uintptr_t start, low, at, slot, ra, fp = frame->regs.fp;
  int rbp_slot = -1, pushes = 0, pops;
  const PyroSegment *segment;

  if (!code->readable || code->limit - pc < 16)
    return false;
  low = code->start;
  if (pc - low > MAX_ORC_FUNCTION)
    low = pc - MAX_ORC_FUNCTION;
  for (start = pc & ~(uintptr_t)15;; start -= 16) {
    if (*(const uint32_t *)start == endbr64)
      break;
    if (start < low + 16)
      return false;
  }

  /* The prologue, as far as it has been executed. */
  for (at = start + 4; at < pc && code->limit - at >= 3;) {
    const uint8_t *bytes = (const uint8_t *)at;
    unsigned reg;
    unsigned length = decode_push (bytes, &reg);

    if (length > 0) {
      if (reg == RBP)
        rbp_slot = pushes;
      pushes++;
      at += length;
    } else if (bytes[0] == 0x48 && bytes[1] == 0x89 && bytes[2] == 0xe5) {
      at += 3; /* mov %rsp,%rbp */
    } else {
      break;
    }
  }
  if (pushes > 8)
    return false;

  /* Pops undo the pushes in reverse order: what is left are the first ones. */
  pops = count_pops (pc, code->limit);
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
  frame->regs.pc = ra;
  frame->regs.sp = slot + sizeof (uintptr_t);
  frame->regs.fp = fp;
  frame->exact = false;
  frame->saved_known = false;
  return true;
}

/* Whether RA, found at SLOT, can be what a call in SEGMENT pushed. */
static bool
is_return_address (const PyroSegment *segment, uintptr_t slot, uintptr_t ra,
                   bool may_read)
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
  return !may_read || follows_call (ra, segment->start);
}

/* Code of the module that is being executed right now cannot be unmapped, so
 * its bytes may be read. Those of other modules are not: a dlclose may be under
 * way, and the word may be a relic of a call long since returned from. */
bool
pyro_rescue_scan (const PyroUnwindSources *sources, const PyroFrame *frame,
                  uintptr_t *from, PyroFrame *caller)
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
  if (segment != NULL)
    own = *segment;
  lowest = tables->segments[0].start;
  highest = tables->segments[tables->n_segments - 1].limit;
  /* The caller's stack pointer was aligned before the call pushed RA below it.
   * SP itself need not be: some code takes four bytes first. */
  slot = ((sp + sizeof (uintptr_t) - 1) & ~(uintptr_t)(ABI_ALIGNMENT - 1))
         + ABI_ALIGNMENT - sizeof (uintptr_t);
  if (slot < *from)
    slot = *from;
  for (; slot - sp < MAX_SCAN_BYTES; slot += ABI_ALIGNMENT) {
    if (!pyro_stack_read (&frame->stack, slot, &ra))
      return false;
    if (ra <= lowest || ra > highest)
      continue;
    is_own = ra > own.start && ra <= own.limit;
    segment = is_own ? &own : pyro_sources_find_segment (sources, ra - 1);
    /* The signal handler calls no such code, but it has left its frames on
     * every stack that it ever ran on. */
    if (segment == NULL
        || (!is_own && tables->own != NULL
            && segment->start == tables->own->start)
        || !is_return_address (segment, slot, ra, is_own && own.readable))
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
return_by_lr (const PyroUnwindSources *sources, PyroFrame *frame)
{
  uintptr_t ra = frame->regs.lr;
  uint32_t rule = pyro_tables_find_rule (sources->tables, ra - 1);

  if (rule == PYRO_SPECIAL_NONE || rule == PYRO_SPECIAL_UNKNOWN)
    return false;
  frame->regs.pc = ra;
  frame->exact = false;
  return true;
}

bool
pyro_rescue_orc (const PyroUnwindSources *sources, const PyroCodeMapping *code,
                 PyroFrame *frame)
{
  return return_by_lr (sources, frame);
}

bool
pyro_rescue_scan (const PyroUnwindSources *sources, const PyroFrame *frame,
                  uintptr_t *from, PyroFrame *caller)
{
  if (*from > 0)
    return false;
  *from = 1;
  *caller = *frame;
  return return_by_lr (sources, caller);
}

#endif
