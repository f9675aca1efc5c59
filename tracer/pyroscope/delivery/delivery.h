/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: one thread that turns finished intervals into profiles, writes them
 * to capture files and pushes them to a Pyroscope server.
 * Owner: the delivery owns every job submitted to it, and its thread.
 * Threads: submit from the collector; new and stop from the session's owner.
 * A submit never blocks on disk or network.
 */
#pragma once

#include "settings.h"

G_BEGIN_DECLS

typedef struct _PyroDelivery PyroDelivery;

/* One interval of one profile type. The collector makes it, the delivery
 * thread encodes it: symbols are read there, not on the collector. */
typedef struct {
  gint64 time_ns;     /* UNIX time of the interval's start */
  gint64 duration_ns; /* its length */
  const gchar *profile_name; /* static: "process_cpu", the series' __name__ */
  gpointer data;
  /* Returns the pprof message, not compressed (transfer full), or NULL where
   * there is nothing to send. Called once, on the delivery thread. */
  GBytes *(*encode) (gpointer data);
  void (*destroy) (gpointer data);
} PyroDeliveryJob;

typedef struct {
  guint64 captured;   /* capture files written */
  guint64 pushed;     /* profiles a server took */
  guint64 failed;     /* pushes given up */
  guint64 write_failed;
  guint64 discarded;  /* intervals that found the queue full */
} PyroDeliveryStats;

/* SETTINGS is borrowed and must outlive the delivery. */
PyroDelivery *pyro_delivery_new (const PyroSettings *settings);

/* Takes a copy of *JOB and with it the ownership of its data. */
void pyro_delivery_submit (PyroDelivery *delivery, const PyroDeliveryJob *job);

void pyro_delivery_get_stats (PyroDelivery *delivery,
                              PyroDeliveryStats *stats);

/* Delivers what is queued, then ends the thread. Returns TRUE if all of it was
 * done by DEADLINE (monotonic time, microseconds) and the delivery is freed;
 * FALSE if the thread had to be left behind, in which case it keeps what it
 * uses (and the settings) alive until the process ends. */
gboolean pyro_delivery_stop (PyroDelivery *delivery, gint64 deadline);

/* After fork(), in the child: forgets the thread, which is not there, without
 * touching any lock that it may have held. Leaks on purpose. */
void pyro_delivery_forget (PyroDelivery *delivery);

G_END_DECLS
