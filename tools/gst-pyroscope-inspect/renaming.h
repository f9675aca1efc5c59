/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: a copy of a profile in which frames have the names that the files on
 * this machine give them.
 * Owner: results belong to the caller. Threads: one at a time: files are read.
 */
#pragma once

#include "profile/profile.h"
#include "symbols/symbolizer.h"

G_BEGIN_DECLS

/* Of a profile's addresses in code. */
typedef struct {
  guint n_addresses;
  guint n_named_before; /* had a name */
  guint n_named;        /* have one now */
  guint n_better;       /* have another one than before, or lines as well */
  guint n_unknown;      /* whose file has no build id: it may be any */
} PyroRenamingCounts;

/* Looks up every address of PROFILE that has no name from symbols, or no line.
 * What is found replaces what was there if it is from symbols, or if there was
 * nothing. A file is only used if its build id is the mapping's. (transfer
 * full) */
GBytes *
pyro_renaming_apply (const PyroProfile *profile, PyroSymbolizer *symbolizer,
                     PyroRenamingCounts *counts);

G_END_DECLS
