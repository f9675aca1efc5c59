/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: system calls past the C library: what others put before its functions
 * (libfaketime before the clocks, sandboxes before syscall() itself) does not
 * come in between.
 * Owner: stateless.
 * Threads: any, in signal handlers, too; not a cancellation point.
 */
#pragma once

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What the kernel returns: -1 to -4095 is an errno, which is left as it is. */
static inline long
pyro_raw_syscall (long number, long a, long b, long c, long d, long e, long f)
{
#if defined(__x86_64__)
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  long result;

  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8),
                     "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;

  __asm__ volatile("svc #0"
                   : "+r"(x0)
                   : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                   : "memory");
  return x0;
#else
  int saved_errno = errno;
  long result = syscall (number, a, b, c, d, e, f);

  if (result == -1)
    result = -errno;
  errno = saved_errno;
  return result;
#endif
}
