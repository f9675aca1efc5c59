/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: tells the user what pushing comes to: one warning for an outage, one
 * line when it is over.
 * Owner: the delivery thread's; TARGET is borrowed.
 * Threads: one.
 */
#pragma once

#include "push.h"

G_BEGIN_DECLS

typedef struct {
  const PyroPushTarget *target;
  gboolean keeps_captures; /* output-dir is set: little is lost */
  gboolean has_spool;      /* nothing is lost */

  PyroPushStatus state; /* what was said last; TAKEN: no outage */
  gint64 since;         /* monotonic, microseconds: the outage's start */
  gint64 last_rejected; /* when a rejected profile was last spoken of, or 0 */
  guint64 n_failed;     /* pushes since then */
  guint64 rejected_quietly; /* rejected ones that were not spoken of */
} PyroPushReport;

/* A push ended in OUTCOME. */
void pyro_push_report_outcome (PyroPushReport *report,
                               const PyroPushOutcome *outcome);

G_END_DECLS
