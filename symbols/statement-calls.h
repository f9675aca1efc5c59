/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: where an ELF file's code calls the functions that are handed the name
 * of their caller, or that of another function: gst_debug_log(),
 * g_return_if_fail_warning(), _gst_debug_register_funcptr()...
 * Owner: the caller owns what is returned; it points into the file, which must
 * stay open as long. Threads: one at a time.
 */
#pragma once

#include "symbols/code-image.h"
#include "symbols/elf-file.h"
#include "symbols/time-limit.h"

G_BEGIN_DECLS

typedef enum {
  PYRO_STATEMENT_OF_CALLER,  /* the name is that of the function that calls */
  PYRO_STATEMENT_REGISTERS,  /* it is that of the function at an address */
  PYRO_STATEMENT_ORC,        /* the caller runs a program of ORC's */
  PYRO_STATEMENT_ORC_BACKUP, /* and the function at an address does the same */
} PyroStatementRole;

/* Which parameter of a function is what; -1: none. */
typedef struct {
  const gchar *name;
  PyroStatementRole role;
  gint8 function; /* the name of a function; ORC: the program's bytecode */
  gint8 line;     /* where the caller's source has the statement */
  gint8 file;
  gint8 code; /* the address of a function */
} PyroStatementKind;

typedef struct _PyroStatementCalls PyroStatementCalls;

/* NULL if FILE calls none of them, or if the time is over. */
PyroStatementCalls *
pyro_statement_calls_new (PyroElfFile *file, const PyroTimeLimit *limit);
void pyro_statement_calls_free (PyroStatementCalls *calls);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PyroStatementCalls, pyro_statement_calls_free)

/* Finds the procedure linkage table, through which they may be called. */
void pyro_statement_calls_find_stubs (PyroStatementCalls *calls,
                                      const PyroCodeImage *image);

/* What a direct call of TARGET calls, or one through the pointer in SLOT; NULL
 * if it is something else. */
const PyroStatementKind *
pyro_statement_calls_find (const PyroStatementCalls *calls, guint64 target);
const PyroStatementKind *
pyro_statement_calls_find_slot (const PyroStatementCalls *calls, guint64 slot);

/* The address of the function that a pointer in SLOT leads to, if it is one
 * of FILE's own; else 0. */
guint64
pyro_statement_calls_find_own (const PyroStatementCalls *calls, guint64 slot);

/* The address of the function NAME if FILE exports it, or 0. */
guint64 pyro_statement_calls_find_exported (const PyroStatementCalls *calls,
                                            const gchar *name);

G_END_DECLS
