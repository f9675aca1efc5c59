/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: a delivery under test, with a server and a directory where wanted.
 * Owner: a Fixture owns all of its fields.
 * Threads: the test's; the counters are written by the delivery's.
 */
#pragma once

#include "delivery.h"
#include "fixture.h"
#include "http-server.h"

G_BEGIN_DECLS

typedef struct {
  HttpServer *server;
  PyroSettings *settings;
  gchar *dir, *spool;
  PyroDelivery *delivery;
} Fixture;

/* How often a job's functions were called since fixture_init(). */
extern gint n_encoded, n_destroyed;
/* Of the next jobs: bytes, and how much later than now they are (ns). */
extern gsize job_size;
extern gint64 job_time_offset;

/* The beginning of main(): no proxy, GStreamer, GLib's tests, a kept log. */
void fixture_main_init (int *argc, char ***argv);

void fixture_init (Fixture *f);
void with_server (Fixture *f, const HttpReply *replies, guint n_replies);
void with_dir (Fixture *f);
void with_spool (Fixture *f);
void start (Fixture *f);

/* A job that encodes to PPROF, or nothing if NULL, in ENCODE_US. */
void submit (PyroDelivery *delivery, GBytes *pprof, gulong encode_us);
void submit_small (PyroDelivery *delivery);

/* Waits until the counter at OFFSET in the stats is N. */
void wait_for_stats (Fixture *f, gsize offset, guint64 n);
#define WAIT_FOR(f, field, n) \
  wait_for_stats (f, G_STRUCT_OFFSET (PyroDeliveryStats, field), n)

/* Stops the delivery and sees that it takes no longer than MS. */
gboolean stop_within (Fixture *f, gint64 ms, PyroDeliveryStats *stats);
void fixture_clear (Fixture *f);

/* What the last profile was encoded with. */
extern PyroDeliveryStats last_before, last_now;

G_END_DECLS
