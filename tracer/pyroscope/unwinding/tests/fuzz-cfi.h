/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: inputs for runs of the compiler on hostile bytes (fuzz.h).
 * Owner: nothing is owned.
 * Threads: any.
 */
#pragma once

#include "ci/fuzz/fuzz.h"
#include "loader.h"

/* What the bytes are. */
typedef enum {
  PYRO_FUZZ_CFI_EH_FRAME,
  PYRO_FUZZ_CFI_DEBUG_FRAME,
  PYRO_FUZZ_CFI_BOTH,   /* .eh_frame up to their middle, .debug_frame from it */
  PYRO_FUZZ_CFI_SHARED, /* each of both is all of them */
} PyroFuzzCfiSections;

/* What stands before the section: where it and its text are. */
typedef struct {
  guint8 sections;   /* bits 0 and 1: PyroFuzzCfiSections */
  guint8 with_saved; /* bit 0 */
  guint8 start;      /* of the text, in its page */
  guint8 unused;
  guint32 text_size; /* modulo 4 MiB */
  gint32 distance;   /* from the text to the section */
} PyroFuzzCfiHeader;

/* Functions that were compiled, in all runs: to see that inputs reach the
 * compiler at all. */
extern guint64 pyro_fuzz_cfi_n_functions;

/* At most MAX bytes of the section that MODULE has for the segment that is
 * executed, behind its header; NULL if it has none. */
GByteArray *pyro_fuzz_cfi_input (const PyroLoadedModule *module, gsize max);

/* INPUT, which has an .eh_frame, with a .debug_frame of the same functions
 * behind it or, if IS_ALONE, instead of it. */
GByteArray *
pyro_fuzz_cfi_with_debug_frame (const GByteArray *input, gboolean is_alone);
