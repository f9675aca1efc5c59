/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: an allocator in front of libc's that ends the process if it is called
 *   inside a signal handler.
 * Owner: the flag is each thread's own.
 * Threads: any; the flag is for handlers.
 */
#pragma once

#include "asan.h"

/* Not under AddressSanitizer, whose own allocator comes first. */
#if !PYRO_TEST_HAS_ASAN && defined(__GLIBC__)
#define PYRO_TEST_HAS_ALLOCATOR 1
#else
#define PYRO_TEST_HAS_ALLOCATOR 0
#endif

/* Set by a handler that must not allocate, while it runs. In an executable it
 * is at a constant offset from the thread pointer. */
extern __thread int pyro_test_in_handler;

/* Calls that were let through, by all threads. */
extern unsigned long pyro_test_n_allocations;
