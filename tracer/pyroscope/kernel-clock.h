/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the kernel's clocks. Applications run with libraries before the C
 * library's clocks (libfaketime: a date of its own, time that runs faster);
 * what is measured and what stamps a profile is true nevertheless. Each reading
 * is a system call, 0.1 us to 0.3 us.
 * Owner: stateless.
 * Threads: any, in signal handlers, too.
 *
 * Only compare these readings with one another: never with those of
 * g_get_monotonic_time() or clock_gettime().
 */
#pragma once

#include <linux/futex.h>
#include <time.h>

#include <glib.h>

#include "raw-syscall.h"

G_BEGIN_DECLS

/* Nanoseconds. FALSE: there is no such clock (its thread is gone). */
static inline gboolean
pyro_clock_read (clockid_t clock, gint64 *ns)
{
  struct timespec ts;

  if (pyro_raw_syscall (SYS_clock_gettime, clock, (long)&ts, 0, 0, 0, 0) != 0)
    return FALSE;
  *ns = (gint64)ts.tv_sec * G_GINT64_CONSTANT (1000000000) + ts.tv_nsec;
  return TRUE;
}

/* CLOCK_MONOTONIC, microseconds. */
static inline gint64
pyro_clock_monotonic (void)
{
  gint64 ns;

  /* A sandbox may refuse the call; the C library reads without it. */
  return pyro_clock_read (CLOCK_MONOTONIC, &ns) ? ns / 1000
                                                : g_get_monotonic_time ();
}

/* UNIX time, nanoseconds. */
static inline gint64
pyro_clock_real (void)
{
  gint64 ns;

  return pyro_clock_read (CLOCK_REALTIME, &ns) ? ns : g_get_real_time () * 1000;
}

/* One thread waits, others wake it up: a wake-up that comes before the wait is
 * not lost. Zero to begin with. */
typedef struct {
  guint32 pending; /* PyroWokenBy */
} PyroWakeup;

typedef enum {
  PYRO_WOKEN_BY_TIME,
  PYRO_WOKEN_BY_SEND,
  PYRO_WOKEN_BY_HINT, /* and by nothing else */
} PyroWokenBy;

/* Async-signal-safe. */
static inline void
pyro_wakeup_send (PyroWakeup *wakeup)
{
  if (__atomic_exchange_n (&wakeup->pending, PYRO_WOKEN_BY_SEND,
                           __ATOMIC_ACQ_REL)
      == PYRO_WOKEN_BY_TIME)
    pyro_raw_syscall (SYS_futex, (long)&wakeup->pending, FUTEX_WAKE_PRIVATE, 1,
                      0, 0, 0);
}

/* The same for what is worth less than a whole turn of the one that waits. */
static inline void
pyro_wakeup_hint (PyroWakeup *wakeup)
{
  guint32 pending = PYRO_WOKEN_BY_TIME;

  if (__atomic_compare_exchange_n (&wakeup->pending, &pending,
                                   PYRO_WOKEN_BY_HINT, FALSE, __ATOMIC_ACQ_REL,
                                   __ATOMIC_RELAXED))
    pyro_raw_syscall (SYS_futex, (long)&wakeup->pending, FUTEX_WAKE_PRIVATE, 1,
                      0, 0, 0);
}

/* Waits for TIMEOUT microseconds at most, by the kernel's clock. */
static inline PyroWokenBy
pyro_wakeup_wait (PyroWakeup *wakeup, gint64 timeout)
{
  gint64 end = pyro_clock_monotonic () + timeout;
  guint32 by;

  while ((by = __atomic_exchange_n (&wakeup->pending, PYRO_WOKEN_BY_TIME,
                                    __ATOMIC_ACQ_REL))
         == PYRO_WOKEN_BY_TIME) {
    gint64 left = end - pyro_clock_monotonic ();
    struct timespec ts = { .tv_sec = (time_t)(left / G_USEC_PER_SEC),
                           .tv_nsec = left % G_USEC_PER_SEC * 1000 };

    if (left <= 0)
      break;
    pyro_raw_syscall (SYS_futex, (long)&wakeup->pending, FUTEX_WAIT_PRIVATE, 0,
                      (long)&ts, 0, 0);
  }
  return (PyroWokenBy)by;
}

G_END_DECLS
