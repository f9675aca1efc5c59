/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: where threads begin: what a complete stack ends in. Learnt from
 * libgcc's unwinder, which is neither the tables nor libunwind.
 * Owner: each program that includes it has its own.
 * Threads: learn once, before there are others; then any, also in a handler.
 */
#pragma once

#include <execinfo.h>
#include <glib.h>

/* Bytes of code around the call of the main function's caller and of a thread's
 * function; clone3 and _start have less than these. */
#define PYRO_TEST_START_SIZE 96

/* Return addresses in _start and in clone3 (or clone). */
static guintptr pyro_test_main_start, pyro_test_thread_start;

static gpointer
pyro_test_outermost_caller (gpointer data)
{
  void *pcs[32];
  int n = backtrace (pcs, G_N_ELEMENTS (pcs));

  g_assert_cmpint (n, >, 0);
  g_assert_cmpint (n, <, G_N_ELEMENTS (pcs));
  return pcs[n - 1];
}

/* Of the main thread only. */
static inline void
pyro_test_learn_thread_starts (void)
{
  pyro_test_main_start = (guintptr)pyro_test_outermost_caller (NULL);
  pyro_test_thread_start = (guintptr)g_thread_join (
      g_thread_new ("start", pyro_test_outermost_caller, NULL));
}

static inline gboolean
pyro_test_is_thread_start (guintptr pc)
{
  return pc - pyro_test_main_start + PYRO_TEST_START_SIZE
             <= 2 * PYRO_TEST_START_SIZE
         || pc - pyro_test_thread_start + PYRO_TEST_START_SIZE
                <= 2 * PYRO_TEST_START_SIZE;
}
