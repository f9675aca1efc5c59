/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: what tests of walks share: tables and map of this process, stepping.
 * Owner: one set of tables, made by pyro_test_set_up.
 * Threads: one at a time may step.
 */
#pragma once

#include <glib.h>
#include <ucontext.h>

#include "memory-map.h"
#include "modules.h"
#include "unwind-cache.h"

extern PyroModules *pyro_test_modules;
extern PyroMemoryWatch *pyro_test_watch;

/* Makes or renews the tables and the map. */
void pyro_test_refresh (void);
void pyro_test_tear_down (void);

/* Walks from CONTEXT by the tables. The main thread's stack is known, others
 * are not. */
void pyro_test_walk (const ucontext_t *context, PyroUnwindCache *cache,
                     uintptr_t *pcs, unsigned max, PyroWalk *walk);

void pyro_test_install (int signo, void (*handler) (int, siginfo_t *, void *),
                        int flags);

/* Written aside and renamed: whoever has TO mapped keeps the old file. */
void pyro_test_copy_file (const char *from, const char *to);

/* The calls that have been executed since stepping began and have not
 * returned, and what was above them when it began. */
typedef struct {
  uintptr_t chain[64]; /* innermost first */
  unsigned n_executed; /* the first of them */
  unsigned n;          /* with those from before */
} PyroTestTruth;

/* Called after each instruction. */
typedef void (*PyroTestStepFunc) (const ucontext_t *context,
                                  const PyroTestTruth *truth, gpointer data);

/* Calls FUNC (ARGUMENT) with the trap flag set. Returns how many instructions
 * were executed. */
unsigned pyro_test_step (void (*func) (gpointer), gpointer argument,
                         PyroTestStepFunc on_step, gpointer data);
