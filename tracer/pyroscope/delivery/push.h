/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: one request to a Pyroscope server: push.v1.PusherService/Push, Connect
 * protocol, unary, over libcurl.
 * Owner: holds nothing between calls: no connection, no descriptor.
 * Threads: one that blocks SIGPIPE; it waits for the network, so only the
 * delivery's.
 */
#pragma once

#include "push-target.h"

G_BEGIN_DECLS

typedef enum {
  PYRO_PUSH_TAKEN,
  PYRO_PUSH_REJECTED,    /* 400, 413 …: this profile is at fault */
  PYRO_PUSH_AUTH,        /* 401, 403, 407 */
  PYRO_PUSH_WRONG_URL,   /* no Pyroscope server, or another address of it */
  PYRO_PUSH_UNTRUSTED,   /* the server's certificate, or ca-file itself */
  PYRO_PUSH_BUSY,        /* 408, 429, 499, 5xx: the server says later */
  PYRO_PUSH_UNREACHABLE, /* network, no answer in time */
  PYRO_PUSH_ABORTED,     /* the time that the caller gave was over */
} PyroPushStatus;

typedef struct {
  PyroPushStatus status;
  /* Worth one more try. Not so where the server had all of the request and
   * then let the time run out: it may have taken the profile, and a repeated
   * one counts twice (the ID does not deduplicate). */
  gboolean may_retry;
  gint64 retry_after; /* seconds, as the server wishes; 0: it did not say */
  gchar *reason;      /* one line without secrets; NULL if taken */
} PyroPushOutcome;

void pyro_push_outcome_clear (PyroPushOutcome *outcome);

/* Called about ten times a second while the network is waited for. Returns the
 * monotonic time, microseconds, at which to give up. */
typedef gint64 (*PyroPushTick) (gpointer user_data);

/* Sends BODY, a PushRequest compressed with gzip, and waits for the answer for
 * at most TIMEOUT_MS (5 s of it for the connection) or until TICK's time.
 * Redirects are not followed, since they could carry the credentials to
 * another host: they are PYRO_PUSH_WRONG_URL. Fills *OUTCOME; clear it. */
void pyro_push_send (const PyroPushTarget *target, GBytes *body,
                     guint timeout_ms, PyroPushTick tick, gpointer user_data,
                     PyroPushOutcome *outcome);

G_END_DECLS
