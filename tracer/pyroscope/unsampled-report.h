/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the warnings about CPU time that can have no stacks, each once a
 *   session: threads that block our signal, and timers that the kernel refuses.
 * Owner: the session; pyro_unsampled_report_clear() frees what it holds.
 * Threads: the collector.
 */
#pragma once

#include <glib.h>
#include <sys/types.h>

#include "aggregate.h"

G_BEGIN_DECLS

typedef struct {
  GHashTable *blocking; /* ids of threads, of the interval */
  gboolean blocked_reported, refusal_reported;
} PyroUnsampledReport;

void pyro_unsampled_report_init (PyroUnsampledReport *report);
void pyro_unsampled_report_clear (PyroUnsampledReport *report);

void
pyro_unsampled_report_add_blocking (PyroUnsampledReport *report, pid_t tid);

/* At the end of an interval. SIGNO is ours; TIMER_ERROR (errno) says why the
 * last timer was refused. */
void pyro_unsampled_report_end_interval (PyroUnsampledReport *report,
                                         const PyroAggregateStats *stats,
                                         gint signo, gint timer_error);

G_END_DECLS
