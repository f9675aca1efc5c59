/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the constants that a function is called with, from the instructions
 * before the call.
 * Owner: the reader keeps a disassembler. Threads: one at a time.
 */
#pragma once

#include "symbols/code-image.h"

G_BEGIN_DECLS

#define PYRO_ARGUMENTS_MAX 10

typedef struct {
  gboolean known[PYRO_ARGUMENTS_MAX];
  guint64 value[PYRO_ARGUMENTS_MAX];   /* an address, or a number */
  gboolean loaded[PYRO_ARGUMENTS_MAX]; /* it is what lies at that address */
} PyroCallArguments;

typedef struct _PyroCallReader PyroCallReader;

/* NULL if code of IMAGE's machine cannot be read here. */
PyroCallReader *pyro_call_reader_new (const PyroCodeImage *image);
void pyro_call_reader_free (PyroCallReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PyroCallReader, pyro_call_reader_free)

/* The arguments of the call (or the jump that ends a function) at ADDRESS, as
 * far as the straight line of instructions that leads there from START (the
 * function's first) tells. It reads some two dozen instructions; past a bound
 * on all that one reader reads, nothing is known. */
void pyro_call_reader_read (PyroCallReader *reader, guint64 start,
                            guint64 address, PyroCallArguments *arguments);

G_END_DECLS
