/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: turns finished intervals into profiles, writes them to capture files
 * and sends them to a Pyroscope server.
 *
 *   submit ──► encoder ──► store ──┬──► files: output-dir, spool-dir
 *              (names, pprof)      └──► sender: HTTP
 *
 * Owner: the delivery owns every job submitted to it, and three threads.
 * Threads: submit from the collector; new and stop from the session's owner.
 * A submit never blocks on disk or network.
 */
#pragma once

#include "settings.h"

G_BEGIN_DECLS

typedef struct _PyroDelivery PyroDelivery;

/* Profiles, unless it says otherwise. */
typedef struct {
  guint64 captured;     /* capture files written */
  guint64 write_failed; /* capture files that could not be written */
  guint64 pushed;       /* those that a server took, all parts of each */
  guint64 failed;       /* refused by the server for good, or not profiles */
  guint64 dropped;      /* left the store for its bounds, of bytes or age */
  guint64 discarded;    /* lost: the encoder was behind, a thread could not be
                         * made, the stop's time was over */
  guint64 samples_lost; /* samples of those that were not even encoded */
  guint64 spooled;      /* wait in spool-dir at the end, for another process */
  guint64 elsewhere;    /* another process has taken them from spool-dir */
  guint64 sent_again;   /* requests that repeated an earlier one */
  guint64 split;        /* sent in parts */
  guint64 found;        /* requests of earlier processes, in spool-dir */
} PyroDeliveryStats;

/* One interval of one profile type. The collector makes it, the delivery
 * thread encodes it: symbols are read there, not on the collector. */
typedef struct {
  gint64 time_ns;            /* UNIX time of the interval's start */
  gint64 duration_ns;        /* its length */
  const gchar *profile_name; /* static: "process_cpu", the series' __name__ */
  gsize size;                /* bytes of memory that DATA takes, about */
  guint64 n_samples;         /* that were taken */
  gpointer data;
  /* Returns the pprof message, not compressed (transfer full), or NULL where
   * there is nothing to send. BEFORE: what had become of profiles when the last
   * one was encoded; NOW: until now. Called once at most, on the delivery
   * thread. */
  GBytes *(*encode) (gpointer data, const PyroDeliveryStats *before,
                     const PyroDeliveryStats *now);
  /* Called once, on any thread. */
  void (*destroy) (gpointer data);
} PyroDeliveryJob;

/* SETTINGS is read here, and not afterwards; a wrong server-url is reported. */
PyroDelivery *pyro_delivery_new (const PyroSettings *settings);

/* Makes its threads, which is not what the sampling shall wait for. A thread
 * that cannot be made is tried again at each submit. */
void pyro_delivery_start (PyroDelivery *self);

/* Takes a copy of *JOB and with it the ownership of its data. Where those that
 * wait for the encoder take too much memory, the oldest is discarded. */
void pyro_delivery_submit (PyroDelivery *delivery, const PyroDeliveryJob *job);

void pyro_delivery_get_stats (PyroDelivery *delivery, PyroDeliveryStats *stats);

/* Delivers what is queued, then ends the threads; what cannot be delivered
 * before DEADLINE (monotonic time, microseconds; 50 ms are always granted to
 * threads with nothing to do) is counted and given up. Returns TRUE if the
 * threads ended in time and the delivery is freed; FALSE if one had to be left
 * behind, in an encode for example: then it keeps what it uses until the
 * process ends, and the caller has to keep what the jobs' functions use.
 * Either way DELIVERY is not to be used again. STATS, or NULL, gets the last
 * numbers. */
gboolean pyro_delivery_stop (PyroDelivery *delivery, gint64 deadline,
                             PyroDeliveryStats *stats);

/* At exit(), after the last stop: a thread that was left behind does not use
 * libcurl and its TLS library any more, which exit() cleans up next. FALSE: it
 * was in the middle of it for longer than 0.5 s. */
gboolean pyro_delivery_close (void);

/* After fork(), in the child: as if nothing had been delivered in this process;
 * for each delivery also pyro_delivery_forget(). */
void pyro_delivery_fork_child (void);

/* After fork(), in the child: forgets the threads, which are not there, without
 * touching any lock that they may have held, and closes the child's copies of
 * what they have open. Leaks on purpose. Submits to it are discarded and a stop
 * of it returns at once. */
void pyro_delivery_forget (PyroDelivery *delivery);

G_END_DECLS
