/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: requests to a Pyroscope server: push.v1.PusherService/Push, Connect
 * protocol, unary, over libcurl, on one connection that is kept.
 * Owner: a link owns the connection, one descriptor; its target is borrowed.
 * Threads: one that blocks SIGPIPE; it waits for the network, so only the
 * sender's. pyro_push_link_fork_child() after a fork.
 */
#pragma once

#include "push-target.h"

G_BEGIN_DECLS

typedef enum {
  PYRO_PUSH_TAKEN,
  PYRO_PUSH_REJECTED,    /* 400, 413, 422 …: this profile is at fault */
  PYRO_PUSH_AUTH,        /* 401, 403, 407 */
  PYRO_PUSH_WRONG_URL,   /* no Pyroscope server, or another address of it */
  PYRO_PUSH_UNTRUSTED,   /* a certificate, ours or the server's, or its file */
  PYRO_PUSH_BUSY,        /* 408, 425, 429, 499, 5xx: the server says later */
  PYRO_PUSH_UNREACHABLE, /* network, no answer in time, an answer cut off */
  PYRO_PUSH_ABORTED,     /* the time that the caller gave was over */
} PyroPushStatus;

typedef struct {
  PyroPushStatus status;
  guint http_status;  /* 0: there was no whole answer */
  gint64 retry_after; /* seconds, as the server wishes; 0: it did not say */
  gchar *reason;      /* one line without secrets; NULL if taken */
} PyroPushOutcome;

void pyro_push_outcome_clear (PyroPushOutcome *outcome);

typedef struct _PyroPushLink PyroPushLink;

/* No connection yet. */
PyroPushLink *pyro_push_link_new (PyroPushTarget *target);

/* Closes the connection, unless libcurl may not be used any more: then it is
 * left to the process's end. */
void pyro_push_link_free (PyroPushLink *link);

/* In the child of a fork(): closes the child's copy of the connection, so that
 * it ends when the parent ends it. Async-signal-safe. */
void pyro_push_link_fork_child (PyroPushLink *link);

/* Called about ten times a second while the network is waited for. Returns the
 * monotonic time, microseconds, at which to give up. */
typedef gint64 (*PyroPushTick) (gpointer user_data);

/* Sends BODY, a PushRequest, and waits for the answer for at most TIMEOUT_MS
 * (5 s of it for the connection) or until TICK's time. Redirects are not
 * followed, since they could carry the credentials to another host: they are
 * PYRO_PUSH_WRONG_URL. Fills *OUTCOME; clear it.
 *
 * Whether a server that was sent all of BODY and gave no answer has taken it,
 * nobody knows. The same BODY may be sent again: of rows of one series with one
 * time a server keeps one. */
void pyro_push_send (PyroPushLink *link, GBytes *body, guint timeout_ms,
                     PyroPushTick tick, gpointer user_data,
                     PyroPushOutcome *outcome);

G_END_DECLS
