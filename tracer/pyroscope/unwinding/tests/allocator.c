/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <features.h>

#include "allocator.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

__thread int pyro_test_in_handler;
unsigned long pyro_test_n_allocations;

#if PYRO_TEST_HAS_ALLOCATOR

/* glibc's own names for what it exports as malloc and so on: a program's
 * functions of those names replace them everywhere ("Replacing malloc" in
 * glibc's manual). */
void *__libc_malloc (size_t size);
void *__libc_calloc (size_t n, size_t size);
void *__libc_realloc (void *block, size_t size);
void *__libc_memalign (size_t alignment, size_t size);
void __libc_free (void *block);

static void
look (void)
{
  static const char text[] = "the allocator was called in a handler\n";

  if (pyro_test_in_handler) {
    pyro_test_in_handler = 0;
    if (write (STDERR_FILENO, text, sizeof text - 1) < 0)
      _exit (3);
    abort ();
  }
  __atomic_fetch_add (&pyro_test_n_allocations, 1, __ATOMIC_RELAXED);
}

__attribute__ ((visibility ("default"))) void *
malloc (size_t size)
{
  look ();
  return __libc_malloc (size);
}

__attribute__ ((visibility ("default"))) void *
calloc (size_t n, size_t size)
{
  look ();
  return __libc_calloc (n, size);
}

__attribute__ ((visibility ("default"))) void *
realloc (void *block, size_t size)
{
  look ();
  return __libc_realloc (block, size);
}

__attribute__ ((visibility ("default"))) void *
aligned_alloc (size_t alignment, size_t size)
{
  look ();
  return __libc_memalign (alignment, size);
}

__attribute__ ((visibility ("default"))) void *
memalign (size_t alignment, size_t size)
{
  look ();
  return __libc_memalign (alignment, size);
}

__attribute__ ((visibility ("default"))) int
posix_memalign (void **block, size_t alignment, size_t size)
{
  void *result;

  look ();
  result = __libc_memalign (alignment, size);
  if (result == NULL)
    return ENOMEM;
  *block = result;
  return 0;
}

__attribute__ ((visibility ("default"))) void
free (void *block)
{
  look ();
  __libc_free (block);
}

#endif
