/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: what becomes of a profile after a try to push it, and when the next
 * try is made.
 * Owner: the caller owns the state, zero to begin with but for RANDOM.
 * Threads: one.
 */
#pragma once

#include "push.h"

G_BEGIN_DECLS

/* A server with default settings refuses what began longer ago than this. */
#define PYRO_RETRY_MAX_AGE_NS G_GINT64_CONSTANT (3600000000000)

typedef enum {
  PYRO_RETRY_DONE,  /* the server has it */
  PYRO_RETRY_AGAIN, /* the same bytes will be tried again */
  PYRO_RETRY_NEVER, /* this profile will never be taken */
} PyroRetryAction;

typedef struct {
  guint n_failures; /* one after another */
  /* Borrowed. One of its own: GLib's is the same in all children of fork(). */
  GRand *random;
} PyroRetry;

/* The pause is for all profiles, *PAUSE_US microseconds until the next try.
 * After a failure it is random between 0.1 s and a bound that doubles from 1 s
 * to 60 s ("full jitter"), or as long as the server wishes, at most an hour;
 * after an answer that the next profile will get as well, a minute. */
PyroRetryAction
pyro_retry_after (PyroRetry *retry, const PyroPushOutcome *outcome,
                  gint64 *pause_us);

G_END_DECLS
