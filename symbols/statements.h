/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: what the statements in an ELF file's code say of its functions:
 * GST_DEBUG(), g_return_if_fail(), g_assert(), GST_DEBUG_FUNCPTR()...
 * Owner: names belong to the code's image. Threads: one at a time.
 */
#pragma once

#include "symbols/code-image.h"
#include "symbols/fde-table.h"
#include "symbols/statement-calls.h"
#include "symbols/time-limit.h"

G_BEGIN_DECLS

/* One name that statements inside a function give. */
typedef struct {
  const gchar *name;
  const gchar *file; /* or NULL */
  guint n;           /* statements */
  guint line;        /* the highest one, 0: unknown */
} PyroStatedName;

/* A function by its call frame information. What is seldom run may be a piece
 * of its own. */
typedef struct {
  guint64 start, end;
  GArray *names;           /* of PyroStatedName, or NULL */
  const gchar *registered; /* by GST_DEBUG_FUNCPTR (function), or NULL */
  gboolean has_registered; /* there is more than one */
  gchar *program;          /* of ORC's that it runs, or NULL */
  gboolean is_backup;      /* it does what that program would */
  gboolean has_programs;   /* there is more than one */
  guint n_callers;         /* functions, this one left out */
  guint caller;            /* the last one's index */
  gboolean is_pointed_at;  /* its address is taken */
} PyroStatedFunction;

/* Of PyroStatedFunction, one for each of FDES, by their start. NULL if there
 * is no way to read IMAGE's code, or if LIMIT was over before. CALLS know the
 * stubs. */
GArray *
pyro_statements_read (const PyroStatementCalls *calls,
                      const PyroCodeImage *image, const PyroFdeTable *fdes,
                      const PyroTimeLimit *limit);

G_END_DECLS
