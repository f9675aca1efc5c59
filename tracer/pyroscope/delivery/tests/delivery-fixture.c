/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "delivery-fixture.h"
#include "kernel-clock.h"

#include <gst/gst.h>
#include <string.h>

gint n_encoded, n_destroyed;
gsize job_size;
gint64 job_time_offset;

/* One job of the tests. */
typedef struct {
  GBytes *pprof; /* or NULL */
  gulong encode_us;
} Work;

PyroDeliveryStats last_before, last_now;

static GBytes *
work_encode (gpointer data, const PyroDeliveryStats *before,
             const PyroDeliveryStats *now)
{
  Work *work = data;

  g_atomic_int_inc (&n_encoded);
  last_before = *before;
  last_now = *now;
  if (work->encode_us > 0)
    g_usleep (work->encode_us);
  return work->pprof ? g_bytes_ref (work->pprof) : NULL;
}

static void
work_destroy (gpointer data)
{
  Work *work = data;

  g_atomic_int_inc (&n_destroyed);
  if (work->pprof != NULL)
    g_bytes_unref (work->pprof);
  g_free (work);
}

void
submit (PyroDelivery *delivery, GBytes *pprof, gulong encode_us)
{
  Work *work = g_new0 (Work, 1);
  PyroDeliveryJob job = { .time_ns = pyro_clock_real () + job_time_offset,
                          .duration_ns = G_GINT64_CONSTANT (10000000000),
                          .profile_name = "process_cpu",
                          .size = job_size,
                          .n_samples = 10,
                          .data = work,
                          .encode = work_encode,
                          .destroy = work_destroy };

  work->pprof = pprof ? g_bytes_ref (pprof) : NULL;
  work->encode_us = encode_us;
  pyro_delivery_submit (delivery, &job);
}

void
submit_small (PyroDelivery *delivery)
{
  g_autoptr (GBytes) pprof = fixture_pprof_new (3, 10);

  submit (delivery, pprof, 0);
}

void
fixture_init (Fixture *f)
{
  g_autofree gchar *old = fixture_log_take ();

  memset (f, 0, sizeof *f);
  f->settings = fixture_settings_new ();
  n_encoded = n_destroyed = 0;
  job_size = 1000;
  job_time_offset = 0;
}

void
with_server (Fixture *f, const HttpReply *replies, guint n_replies)
{
  g_autofree gchar *url = NULL;

  f->server = http_server_new ();
  url = g_strdup_printf ("http://127.0.0.1:%u",
                         http_server_get_port (f->server));
  fixture_set (&f->settings->server_url, url);
  if (n_replies > 0)
    http_server_set_replies (f->server, replies, n_replies);
}

void
with_dir (Fixture *f)
{
  f->dir = fixture_dir_new ();
  fixture_set (&f->settings->output_dir, f->dir);
}

void
with_spool (Fixture *f)
{
  f->spool = fixture_dir_new ();
  fixture_set (&f->settings->spool_dir, f->spool);
}

void
start (Fixture *f)
{
  f->delivery = pyro_delivery_new (f->settings);
  pyro_delivery_start (f->delivery);
}

gboolean
stop_within (Fixture *f, gint64 ms, PyroDeliveryStats *stats)
{
  gint64 begin = g_get_monotonic_time ();
  gint64 deadline = begin + ms * 1000;
  gboolean ended = pyro_delivery_stop (f->delivery, deadline, stats);

  /* Some leeway for a loaded machine, none for a second wait. */
  g_assert_cmpint (g_get_monotonic_time () - deadline, <, 200000);
  f->delivery = NULL;
  return ended;
}

void
fixture_clear (Fixture *f)
{
  g_assert_null (f->delivery);
  if (f->server != NULL)
    http_server_free (f->server);
  if (f->dir != NULL)
    fixture_dir_remove (f->dir);
  if (f->spool != NULL)
    fixture_dir_remove (f->spool);
  fixture_settings_free (f->settings);
}

void
wait_for_stats (Fixture *f, gsize offset, guint64 n)
{
  gint64 end = g_get_monotonic_time () + 20 * G_TIME_SPAN_SECOND;
  PyroDeliveryStats stats;

  do {
    g_usleep (5000);
    pyro_delivery_get_stats (f->delivery, &stats);
  } while (G_STRUCT_MEMBER (guint64, &stats, offset) < n
           && g_get_monotonic_time () < end);
  g_assert_cmpuint (G_STRUCT_MEMBER (guint64, &stats, offset), ==, n);
}

void
fixture_main_init (int *argc, char ***argv)
{
  static const gchar *const proxies[]
      = { "http_proxy",  "https_proxy", "all_proxy", "no_proxy",
          "HTTPS_PROXY", "ALL_PROXY",   "NO_PROXY",  NULL };

  for (guint i = 0; proxies[i] != NULL; i++)
    g_unsetenv (proxies[i]);
  gst_init (NULL, NULL);
  g_test_init (argc, argv, NULL);
  fixture_log_start ();
}
