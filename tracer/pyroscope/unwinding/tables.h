/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Handler-safe: no lock, no allocation, no system call, no libc, no TLS. */
/*
 * What: the compiled form of .eh_frame, and the look-up from pc to rule.
 * Owner: modules.c owns all of it; nothing here is written once published.
 * Threads: any; the look-ups are inline and read only.
 *
 * A table covers one executable segment. Its text is cut into buckets of 1 KiB;
 * FIRST[b] is the index of bucket b's first row, and that row always has offset
 * 0, so that a look-up touches one word of the index and one or two lines of
 * rows. A row is 32 bits: the offset in the bucket (10) and the rule (22), in
 * force up to the next row. A rule holds the common case itself; the others
 * stand in an array of PyroRule that all tables share.
 */
#pragma once

#include <stddef.h>

#include "unwind.h"

#define PYRO_BUCKET_SHIFT 10
#define PYRO_BUCKET_SIZE (1u << PYRO_BUCKET_SHIFT)

#define PYRO_ROW_RULE_BITS 22
#define PYRO_ROW_RULE_MASK ((1u << PYRO_ROW_RULE_BITS) - 1)

/* The two lowest bits of a rule. */
enum {
  PYRO_RULE_SP = 0,    /* CFA = sp + 8 * words, see below */
  PYRO_RULE_FP = 1,    /* CFA = fp + 8 * words, see below */
  PYRO_RULE_INDEX = 2, /* the rest is an index into the shared rules */
  PYRO_RULE_OTHER = 3, /* the rest is a PyroSpecialRule */
};

/* PYRO_RULE_SP and PYRO_RULE_FP: 12 bits of words from the register to the
 * CFA, 7 bits of slot, 1 bit that tells that the other callee-saved registers
 * are unchanged (0: not known; the module was compiled without them). The slot
 * is where the caller's frame pointer was saved, in words below the CFA; 0: it
 * was not. x86_64: the return address is at CFA - 8. aarch64: it is the word
 * above the frame pointer's slot (a frame record), or in lr if the slot is 0.
 */
#define PYRO_RULE_WORDS(rule) (((rule) >> 2) & 0xfff)
#define PYRO_RULE_SLOT(rule) (((rule) >> 14) & 0x7f)
#define PYRO_RULE_MAX_WORDS 0xfff
#define PYRO_RULE_MAX_SLOT 0x7f
#define PYRO_RULE_SAVED_KNOWN (1u << 21)
#define PYRO_RULE_PACK(kind, words, slot) \
  ((uint32_t)(kind) | (uint32_t)(words) << 2 | (uint32_t)(slot) << 14)

#define PYRO_RULE_MAX_INDEX 0xfffff

typedef enum {
  PYRO_SPECIAL_NONE = 3 | 0 << 2,        /* no FDE here */
  PYRO_SPECIAL_ROOT = 3 | 1 << 2,        /* return address undefined: start */
  PYRO_SPECIAL_SIGNAL = 3 | 2 << 2,      /* the kernel's signal frame */
  PYRO_SPECIAL_UNSUPPORTED = 3 | 3 << 2, /* CFI that no rule can hold */
  PYRO_SPECIAL_UNKNOWN = 3 | 4 << 2,     /* never in a table: no module */
} PyroSpecialRule;

typedef enum {
  PYRO_CFA_REGISTER, /* reg + offset */
  PYRO_CFA_DEREF,    /* *(reg + offset) + add */
  PYRO_CFA_PLT,      /* sp + offset + ((pc & 15) >= add ? 8 : 0) */
} PyroCfaKind;

typedef enum {
  PYRO_FROM_SAME,     /* the register still holds it */
  PYRO_FROM_CFA,      /* in memory at CFA + offset */
  PYRO_FROM_FP,       /* in memory at fp + offset */
  PYRO_FROM_SP,       /* in memory at sp + offset */
  PYRO_FROM_REGISTER, /* in the register whose DWARF number is offset */
} PyroFrom;

/* x86_64: rbx, r12, r13, r14, r15. aarch64: none are carried. */
#define PYRO_N_SAVED 5

/* 32 bytes: two to a cache line. Registers by their DWARF numbers. */
typedef struct {
  uint8_t cfa; /* PyroCfaKind */
  uint8_t cfa_reg;
  uint8_t ra_from; /* PyroFrom */
  uint8_t fp_from; /* PyroFrom */
  int32_t cfa_offset;
  int32_t cfa_add;
  int32_t ra_offset;
  int32_t fp_offset;
  /* In words from the CFA; 0: not saved here. Only if SAVED_KNOWN: the module
   * was compiled with the callee-saved registers. */
  int16_t saved[PYRO_N_SAVED];
  uint16_t saved_known;
} PyroRule;

typedef struct {
  uint32_t n_buckets;
  uint32_t n_rows;
  uint32_t first[]; /* n_buckets + 1, then the rows */
} PyroTable;

/* 32 bytes: two to a cache line. Holds all that a look-up needs of the table.
 */
typedef struct {
  uintptr_t start;
  uintptr_t limit;
  const uint32_t *first; /* the table's, and behind it the rows */
  uint32_t n_buckets;    /* 0: no CFI at all */
  uint32_t calls;        /* index in the tables' call_sites; 0: not known */
} PyroSegment;

/* One in so many segments' starts stands in TOPS. */
#define PYRO_TOPS_STEP 16

struct _PyroUnwindTables {
  uint32_t generation; /* never 0, never the same twice */
  uint32_t listing;    /* the first generation with the same segments */
  uint32_t n_segments; /* sorted by start, disjoint */
  const PyroSegment *segments;
  const uintptr_t *starts; /* of the segments: eight to a line, not two */
  const uintptr_t *tops;   /* of starts */
  const PyroSegment *own;  /* where this very code lies, or NULL */
  const PyroRule *rules;
  /* By PyroSegment's CALLS, from 1 on: bit N tells that a call instruction ends
   * N bytes into the segment. A copy of what the text says: the text itself is
   * not the handler's to read. */
  const uint8_t *const *call_sites;
  /* Where makecontext() lets a coroutine return to, or 0: the start of its
   * stack, which no CFI tells. */
  uintptr_t context_start;
  /* Where signal handlers return to if no CFI tells that either, or 0. */
  uintptr_t signal_return;
};

static inline void
pyro_segment_set_table (PyroSegment *segment, const PyroTable *table)
{
  segment->first = table != NULL ? table->first : NULL;
  segment->n_buckets = table != NULL ? table->n_buckets : 0;
}

/* The index of the last of N ascending values that is not above ADDRESS, or 0.
 */
static inline uint32_t
pyro_find_last (const uintptr_t *values, uint32_t n, uintptr_t address)
{
  const uintptr_t *base = values;

  while (n > 1) {
    uint32_t half = n / 2;

    if (base[half] <= address)
      base += half;
    n -= half;
  }
  return (uint32_t)(base - values);
}

/* The segment that holds ADDRESS, or NULL. */
static inline const PyroSegment *
pyro_tables_find_segment (const PyroUnwindTables *tables, uintptr_t address)
{
  const PyroSegment *segment;
  uint32_t n_tops, from, n;

  if (tables == NULL || tables->n_segments == 0)
    return NULL;
  n_tops = (tables->n_segments + PYRO_TOPS_STEP - 1) / PYRO_TOPS_STEP;
  from = pyro_find_last (tables->tops, n_tops, address) * PYRO_TOPS_STEP;
  n = tables->n_segments - from;
  if (n > PYRO_TOPS_STEP)
    n = PYRO_TOPS_STEP;
  from += pyro_find_last (tables->starts + from, n, address);
  segment = &tables->segments[from];
  if (address < segment->start || address >= segment->limit)
    return NULL;
  return segment;
}

/* The rule for ADDRESS, which lies in SEGMENT. */
static inline uint32_t
pyro_segment_find_rule (const PyroSegment *segment, uintptr_t address)
{
  uintptr_t offset = address - segment->start;
  const uint32_t *row;
  uintptr_t bucket = offset >> PYRO_BUCKET_SHIFT;
  uint32_t n, key;

  if (bucket >= segment->n_buckets)
    return PYRO_SPECIAL_NONE;
  row = segment->first + segment->n_buckets + 1 + segment->first[bucket];
  n = segment->first[bucket + 1] - segment->first[bucket];
  /* Some 20 rows are two lines: both at once. */
  __builtin_prefetch (row + n - 1);
  /* The largest row with this key has this offset or a smaller one. */
  key = (uint32_t)(offset & (PYRO_BUCKET_SIZE - 1)) << PYRO_ROW_RULE_BITS
        | PYRO_ROW_RULE_MASK;
  while (n > 1) {
    uint32_t half = n / 2;

    if (row[half] <= key)
      row += half;
    n -= half;
  }
  return *row & PYRO_ROW_RULE_MASK;
}

/* FALSE: it is known that no call in SEGMENT returns to ADDRESS, which lies in
 * it or at its limit. */
static inline bool
pyro_tables_may_return_to (const PyroUnwindTables *tables,
                           const PyroSegment *segment, uintptr_t address)
{
  uintptr_t offset = address - segment->start;

  if (segment->calls == 0)
    return true;
  return tables->call_sites[segment->calls][offset / 8] >> (offset % 8) & 1;
}

static inline uint32_t
pyro_tables_find_rule (const PyroUnwindTables *tables, uintptr_t address)
{
  const PyroSegment *segment = pyro_tables_find_segment (tables, address);

  if (segment == NULL)
    return PYRO_SPECIAL_UNKNOWN;
  return pyro_segment_find_rule (segment, address);
}
