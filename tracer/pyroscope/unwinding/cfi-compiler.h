/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: from the bytes of .eh_frame, and of .debug_frame for functions that are
 * not in it, to the table of one executable segment.
 * Owner: the caller owns the table (g_free) and the bytes, which may be freed
 * afterwards.
 * Threads: the collector's; takes no lock, calls nobody.
 */
#pragma once

#include "rule-set.h"
#include "tables.h"

G_BEGIN_DECLS

typedef struct {
  /* .eh_frame, or at least up to its terminator; NULL: none */
  const guint8 *data;
  gsize size;
  guint64 address; /* of DATA, in the same space as the segment's */
  /* .debug_frame; NULL: none */
  const guint8 *debug_frame;
  gsize debug_frame_size;
  guint64 bias; /* from the file's addresses, which it has, to the segment's */
  guint64 segment_start;
  guint64 segment_limit; /* at most 4 GiB after start */
  gboolean with_saved;   /* carry the callee-saved registers' slots, even if no
                          * CFA   is computed from one */
} PyroCfiInput;

typedef struct {
  guint n_fdes;        /* compiled */
  guint n_skipped;     /* malformed, unknown augmentation, or overlapping */
  guint n_truncated;   /* a malformed program: known up to there only */
  guint n_unsupported; /* rows that no rule can hold */
  guint64 bare_size;   /* bytes of text without CFI, but for padding */
  gboolean has_saved;  /* the callee-saved registers' slots are carried */
} PyroCfiStatistics;

/* Never fails on any bytes: what cannot be understood has no rule. Time is
 * linear (n log n for the sort) in SIZE plus segment size / 1 KiB, and so is
 * memory. STATISTICS may be NULL. The result is owned by the caller. */
PyroTable *pyro_cfi_compile (const PyroCfiInput *input, PyroRuleSet *rules,
                             PyroCfiStatistics *statistics);

/* Bytes that TABLE takes. */
gsize pyro_table_get_size (const PyroTable *table);

G_END_DECLS
