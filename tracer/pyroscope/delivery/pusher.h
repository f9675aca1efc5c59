/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the profiles that wait for a server, and when one is tried again, let
 * be for a while, or given up.
 * Owner: the pusher owns what waits; its hooks are borrowed.
 * Threads: the delivery's own, but for pyro_pusher_new() and _free().
 */
#pragma once

#include "settings.h"

G_BEGIN_DECLS

typedef struct _PyroPusher PyroPusher;

/* What the pusher asks of its owner while it waits for the network. */
typedef struct {
  gpointer owner;
  /* Does what else there is to do, which may add profiles. Returns the
   * monotonic time, microseconds, at which a stop wants all to be over;
   * G_MAXINT64: there is no stop. */
  gint64 (*keep_up) (gpointer owner);
  /* Waits until that monotonic time, or for less. */
  void (*wait_until) (gpointer owner, gint64 time);
  /* FALSE: say nothing any more. */
  gboolean (*may_log) (gpointer owner);
} PyroPusherHooks;

/* NULL where server-url is empty or, with a warning, wrong. Reads SETTINGS and
 * keeps nothing of them. */
PyroPusher *
pyro_pusher_new (const PyroSettings *settings, const PyroPusherHooks *hooks);
void pyro_pusher_free (PyroPusher *pusher);

/* Queues a PPROF message, not compressed, for pushing, in parts where it is
 * too big for a server. Returns how many profiles were given up for it: the
 * oldest of a full queue, or itself if it is no profile. */
guint
pyro_pusher_add (PyroPusher *pusher, const gchar *profile_name, GBytes *pprof);

gboolean pyro_pusher_is_empty (PyroPusher *pusher);

/* Tries the oldest profile. TRUE: the server took all of it; FALSE: it is
 * given up. In a stop, each profile that waits gets an equal share of its
 * time. */
gboolean pyro_pusher_push_oldest (PyroPusher *pusher);

G_END_DECLS
