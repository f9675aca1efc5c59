/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "map-upkeep.h"

#include <errno.h>

#include "log.h"
#include "sampling/cpu-timer.h"

#define GST_CAT_DEFAULT pyro_debug

/* When the memory map is read again at the earliest: a process may go on
 * running code or stacks that the map does not explain. */
#define MIN_PAUSE_US 50000
#define MAX_PAUSE_US 3200000
/* Reading takes 0.1 ms to some ms of CPU time: one part in so many of all time
 * is spent on it. What was not spent in the last seconds may be spent at once,
 * when a pipeline starts its threads. */
#define TIME_BY_COST 400
#define SAVED_US 4000000

void
pyro_map_upkeep_hurry (PyroMapUpkeep *upkeep)
{
  upkeep->pause = MIN_PAUSE_US;
}

/* CPU time, not wall time: on a busy machine most of that is waiting. */
static gint64
own_cpu_time_us (void)
{
  guint64 ns = 0;

  pyro_thread_cpu_time (0, &ns);
  return (gint64)(ns / 1000);
}

void
pyro_map_upkeep_refresh (PyroMapUpkeep *upkeep, PyroMemoryWatch *watch,
                         PyroThreads *threads, gint64 now)
{
  gint64 begin = own_cpu_time_us ();
  bool changed = false;
  uintptr_t low, high;

  upkeep->is_old = FALSE;
  upkeep->time = now;
  if (!pyro_memory_watch_refresh (watch, &changed))
    GST_DEBUG ("the memory map cannot be read: %s", g_strerror (errno));
  if (pyro_memory_map_get_main_stack (pyro_memory_map_published (), &low,
                                      &high))
    pyro_threads_set_main_stack (threads, low, high);
  upkeep->pause
      = changed ? MIN_PAUSE_US : MIN (upkeep->pause * 2, MAX_PAUSE_US);
  upkeep->paid = MAX (upkeep->paid, now - SAVED_US)
                 + TIME_BY_COST * (own_cpu_time_us () - begin);
}

void
pyro_map_upkeep_tick (PyroMapUpkeep *upkeep, PyroMemoryWatch *watch,
                      PyroThreads *threads, gint64 now)
{
  if (upkeep->is_old && now - upkeep->time >= upkeep->pause
      && now >= upkeep->paid)
    pyro_map_upkeep_refresh (upkeep, watch, threads, now);
}
