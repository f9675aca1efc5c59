/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the CIEs and FDEs of an .eh_frame or .debug_frame section in memory.
 * Owner: a reader points into the caller's bytes and owns its list of CIEs.
 * Threads: one at a time.
 *
 * Sources: DWARF 5, section 6.4.1; Linux Standard Base 5.0, chapter 10.6
 * (.eh_frame, augmentation strings, pointer encodings).
 */
#pragma once

#include <glib.h>

#include "bytes.h"

G_BEGIN_DECLS

typedef struct {
  guint64 code_align;
  gint64 data_align;
  guint64 ra_register;
  guint8 address_size;
  guint8 fde_encoding; /* DW_EH_PE_*, .debug_frame: absolute */
  gboolean has_data;   /* FDEs carry augmentation data */
  gboolean is_signal;  /* its functions are signal trampolines */
  gboolean is_usable;  /* FALSE: an augmentation that is not known */
  PyroBytes program;   /* the initial instructions */
} PyroCie;

typedef struct {
  guint64 start;  /* address */
  guint64 length; /* bytes of code; start + length does not wrap */
  guint cie;      /* index, for pyro_cfi_reader_get_cie */
  PyroBytes program;
} PyroFde;

typedef struct _PyroCfiReader PyroCfiReader;

/* ADDRESS: where the section's first byte stands in the address space that
 * pc-relative pointers mean (run-time, or the file's). */
PyroCfiReader *pyro_cfi_reader_new (const guint8 *data, gsize size,
                                    guint64 address, gboolean is_debug_frame);
void pyro_cfi_reader_free (PyroCfiReader *reader);

/* The next FDE that can be understood. FALSE at the terminator, at the end of
 * the bytes, or at a length that leads out of them. Entries that are malformed
 * in themselves are skipped and counted. */
gboolean pyro_cfi_reader_next (PyroCfiReader *reader, PyroFde *fde);

/* The FDE of .eh_frame that begins at OFFSET of DATA (see above for ADDRESS),
 * and its CIE, without a reader: allocates nothing. fde->cie means nothing.
 * FALSE: it cannot be understood, or is none. */
gboolean pyro_cfi_read_one (const guint8 *data, gsize size, guint64 address,
                            gsize offset, PyroFde *fde, PyroCie *cie);

const PyroCie *pyro_cfi_reader_get_cie (PyroCfiReader *reader, guint cie);
guint pyro_cfi_reader_get_n_cies (PyroCfiReader *reader);
guint pyro_cfi_reader_get_n_bad (PyroCfiReader *reader);

G_END_DECLS
