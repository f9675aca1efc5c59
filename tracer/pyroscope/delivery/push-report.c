/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "push-report.h"
#include "kernel-clock.h"
#include "log.h"

/* Rejected profiles are spoken of at most this often: each has a reason of its
 * own, but an application that runs for weeks must not fill its log. */
#define REJECTED_PAUSE_US (60 * G_USEC_PER_SEC)

static gboolean
is_outage (PyroPushStatus status)
{
  return status != PYRO_PUSH_TAKEN && status != PYRO_PUSH_REJECTED;
}

/* A server that is away and one that is back but busy are one outage. */
static gboolean
is_same_outage (PyroPushStatus a, PyroPushStatus b)
{
  gboolean a_passes = a == PYRO_PUSH_BUSY || a == PYRO_PUSH_UNREACHABLE
                      || a == PYRO_PUSH_ABORTED;
  gboolean b_passes = b == PYRO_PUSH_BUSY || b == PYRO_PUSH_UNREACHABLE
                      || b == PYRO_PUSH_ABORTED;

  return a == b || (a_passes && b_passes);
}

static const gchar *
what_becomes_of_it (PyroPushReport *report)
{
  if (report->has_spool)
    return "profiles wait in spool-dir";
  return report->keeps_captures
             ? "profiles wait in memory, for an hour at most; output-dir has "
               "them all"
             : "profiles wait in memory, for an hour at most, and are lost if "
               "the process ends before";
}

static const gchar *
remedy (PyroPushReport *report)
{
  if (report->has_spool || report->keeps_captures)
    return "set server-url= (empty) to push nowhere";
  return "set server-url= (empty) to push nowhere, spool-dir to keep what "
         "waits, or output-dir to keep captures";
}

/* An answer may be a proxy's, and who set one in the environment has long
 * forgotten. (transfer full) */
static gchar *
where (const PyroPushTarget *target)
{
  if (target->proxy_display[0] == '\0')
    return g_strdup (target->display);
  return g_strdup_printf ("%s (proxy of the environment: %s)", target->display,
                          target->proxy_display);
}

static void
warn (PyroPushReport *report, const PyroPushOutcome *outcome)
{
  g_autofree gchar *url = where (report->target);
  const gchar *fate = what_becomes_of_it (report);

  switch (outcome->status) {
  case PYRO_PUSH_UNREACHABLE:
    pyro_log_user (GST_LEVEL_WARNING, "no server at %s: %s; %s; %s", url,
                   outcome->reason, fate, remedy (report));
    break;
  case PYRO_PUSH_ABORTED:
    pyro_log_user (GST_LEVEL_WARNING,
                   "server at %s: %s when the stop's time was over; what it "
                   "was not sent is %s; raise stop-timeout to wait longer",
                   url, outcome->reason,
                   report->has_spool        ? "in spool-dir"
                   : report->keeps_captures ? "in output-dir only"
                                            : "lost");
    break;
  case PYRO_PUSH_BUSY:
    pyro_log_user (GST_LEVEL_WARNING,
                   "server at %s takes no profiles now: %s; %s", url,
                   outcome->reason, fate);
    break;
  case PYRO_PUSH_AUTH:
    pyro_log_user (GST_LEVEL_WARNING,
                   "server at %s refuses access: %s; a profile is dropped a "
                   "minute, the others wait; check basic-auth-user and "
                   "basic-auth-password, auth-token, tenant-id",
                   url, outcome->reason);
    break;
  case PYRO_PUSH_UNTRUSTED:
    pyro_log_user (GST_LEVEL_WARNING,
                   "server at %s is not trusted: %s; %s; set ca-file (now "
                   "\"%s\") to the certificate of its authority, and "
                   "server-url to a name that its own certificate has",
                   url, outcome->reason, fate,
                   report->target->ca_file ? report->target->ca_file : "");
    break;
  case PYRO_PUSH_WRONG_URL:
    pyro_log_user (GST_LEVEL_WARNING,
                   "server-url=%s: no Pyroscope server takes profiles "
                   "there: %s; a profile is dropped a minute, the others "
                   "wait; set server-url to the address that Pyroscope itself "
                   "has, such as http://localhost:4040",
                   url, outcome->reason);
    break;
  case PYRO_PUSH_REJECTED:
  case PYRO_PUSH_TAKEN:
    break;
  }
}

static void
report_rejected (PyroPushReport *report, const PyroPushOutcome *outcome)
{
  gint64 now = pyro_clock_monotonic ();
  g_autofree gchar *more = NULL;

  if (report->last_rejected != 0
      && now - report->last_rejected < REJECTED_PAUSE_US) {
    report->rejected_quietly++;
    GST_CAT_INFO (pyro_debug, "server at %s rejects a profile: %s",
                  report->target->display, outcome->reason);
    return;
  }
  if (report->rejected_quietly > 0)
    more = g_strdup_printf (" (and %" G_GUINT64_FORMAT
                            " more since the last message)",
                            report->rejected_quietly);
  pyro_log_user (GST_LEVEL_WARNING,
                 "server at %s rejects a profile, which is dropped: %s%s; "
                 "raise the server's limit or change what its words name",
                 report->target->display, outcome->reason, more ? more : "");
  report->last_rejected = now;
  report->rejected_quietly = 0;
}

void
pyro_push_report_outcome (PyroPushReport *report,
                          const PyroPushOutcome *outcome)
{
  if (is_outage (outcome->status)) {
    if (!is_outage (report->state)) {
      report->since = pyro_clock_monotonic ();
      report->n_failed = 0;
    }
    if (!is_same_outage (report->state, outcome->status))
      warn (report, outcome);
    report->state = outcome->status;
    report->n_failed++;
    return;
  }

  /* Also a server that rejects a profile is there again. */
  if (is_outage (report->state))
    pyro_log_recovery (
        "server at %s takes profiles again, after %.0f s and %" G_GUINT64_FORMAT
        " failed pushes",
        report->target->display,
        (pyro_clock_monotonic () - report->since) / (double)G_USEC_PER_SEC,
        report->n_failed);
  report->state = PYRO_PUSH_TAKEN;
  if (outcome->status == PYRO_PUSH_REJECTED)
    report_rejected (report, outcome);
}
