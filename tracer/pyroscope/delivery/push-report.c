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
what_is_lost (PyroPushReport *report)
{
  return report->keeps_captures
             ? "profiles of this time are kept in output-dir only"
             : "profiles of this time are lost";
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
  const gchar *lost = what_is_lost (report);
  const gchar *remedy
      = report->keeps_captures
            ? "set server-url= (empty) to push nowhere"
            : "set server-url= (empty) to push nowhere or output-dir to keep "
              "captures";

  switch (outcome->status) {
  case PYRO_PUSH_UNREACHABLE:
    pyro_log_user (GST_LEVEL_WARNING, "no server at %s: %s; %s; %s", url,
                   outcome->reason, lost, remedy);
    break;
  case PYRO_PUSH_ABORTED:
    pyro_log_user (GST_LEVEL_WARNING,
                   "server at %s: %s when the stop's time was over; %s; "
                   "raise stop-timeout to wait longer",
                   url, outcome->reason, lost);
    break;
  case PYRO_PUSH_BUSY:
    pyro_log_user (GST_LEVEL_WARNING,
                   "server at %s takes no profiles now: %s; %s", url,
                   outcome->reason, lost);
    break;
  case PYRO_PUSH_AUTH:
    pyro_log_user (GST_LEVEL_WARNING,
                   "server at %s refuses access: %s; %s; check "
                   "basic-auth-user and basic-auth-password, auth-token, "
                   "tenant-id",
                   url, outcome->reason, lost);
    break;
  case PYRO_PUSH_UNTRUSTED:
    pyro_log_user (GST_LEVEL_WARNING,
                   "server at %s is not trusted: %s; %s; set ca-file (now "
                   "\"%s\") to the certificate of its authority, and "
                   "server-url to a name that its own certificate has",
                   url, outcome->reason, lost,
                   report->target->ca_file ? report->target->ca_file : "");
    break;
  case PYRO_PUSH_WRONG_URL:
    pyro_log_user (GST_LEVEL_WARNING,
                   "server-url=%s: no Pyroscope server takes profiles "
                   "there: %s; %s; set server-url to the address that "
                   "Pyroscope itself has, such as http://localhost:4040",
                   url, outcome->reason, lost);
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
                 "server at %s rejects a profile, which is dropped: %s%s",
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
      report->lost = 0;
    }
    if (!is_same_outage (report->state, outcome->status))
      warn (report, outcome);
    report->state = outcome->status;
    report->lost++;
    return;
  }

  /* Also a server that rejects a profile is there again. */
  if (is_outage (report->state))
    pyro_log_user (GST_LEVEL_INFO,
                   "server at %s takes profiles again; %" G_GUINT64_FORMAT
                   " were not pushed in %.0f s",
                   report->target->display, report->lost,
                   (pyro_clock_monotonic () - report->since)
                       / (double)G_USEC_PER_SEC);
  report->state = PYRO_PUSH_TAKEN;
  if (outcome->status == PYRO_PUSH_REJECTED)
    report_rejected (report, outcome);
}

void
pyro_push_report_skipped (PyroPushReport *report, guint n_profiles)
{
  report->lost += n_profiles;
}
