/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "unsampled-report.h"

#include "log.h"
#include "sampling/signal-choice.h"

/* Less CPU time without stacks is not worth a line. */
#define MIN_REPORTED_PERCENT 2.0

void
pyro_unsampled_report_init (PyroUnsampledReport *report)
{
  report->blocking = g_hash_table_new (NULL, NULL);
}

void
pyro_unsampled_report_clear (PyroUnsampledReport *report)
{
  g_clear_pointer (&report->blocking, g_hash_table_unref);
}

void
pyro_unsampled_report_add_blocking (PyroUnsampledReport *report, pid_t tid)
{
  g_hash_table_add (report->blocking, GINT_TO_POINTER (tid));
}

static gdouble
percent_of (const PyroAggregateStats *stats, guint64 ns)
{
  return 100.0 * (gdouble)ns / (gdouble)MAX (stats->cpu_ns, 1);
}

void
pyro_unsampled_report_end_interval (PyroUnsampledReport *report,
                                    const PyroAggregateStats *stats, gint signo,
                                    gint timer_error)
{
  gdouble blocked = percent_of (stats, stats->blocked_ns);
  gdouble refused = percent_of (stats, stats->timerless_ns);

  if (blocked >= MIN_REPORTED_PERCENT && !report->blocked_reported) {
    report->blocked_reported = TRUE;
    pyro_log_user (GST_LEVEL_WARNING,
                   "%u threads block %s: %.0f %% of the CPU time have no "
                   "stacks; let them block fewer signals, or start them while "
                   "the pipeline plays (see \"Threads that block signals\" in "
                   "the guide)",
                   g_hash_table_size (report->blocking),
                   pyro_signal_name (signo), blocked);
  }
  g_hash_table_remove_all (report->blocking);

  /* A filter for system calls, or RLIMIT_SIGPENDING. */
  if (refused >= MIN_REPORTED_PERCENT && !report->refusal_reported) {
    report->refusal_reported = TRUE;
    pyro_log_user (GST_LEVEL_WARNING,
                   "%.0f %% of the CPU time have no stacks: the kernel refuses "
                   "CPU timers for threads (timer_create: %s); allow that call "
                   "in the filter for system calls, or raise "
                   "RLIMIT_SIGPENDING",
                   refused, g_strerror (timer_error));
  }
}
