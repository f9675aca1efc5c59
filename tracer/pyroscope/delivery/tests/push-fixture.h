/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: a server, settings that lead to it and a body, for the tests of pushes.
 * Owner: the test; fixture_clear() frees what fixture_init() made.
 * Threads: one, and the server's.
 */
#pragma once

#include "fixture.h"
#include "http-server.h"
#include "push.h"

#define TIMEOUT_MS 10000

/* Each credential of the tests has this in it. */
#define SECRET "s3cr3t"

typedef struct {
  HttpServer *server;
  PyroSettings *settings;
  GBytes *body;
} Fixture;

static inline void
fixture_init (Fixture *f)
{
  g_autofree gchar *url = NULL;

  f->server = http_server_new ();
  f->settings = fixture_settings_new ();
  url = g_strdup_printf ("http://127.0.0.1:%u",
                         http_server_get_port (f->server));
  fixture_set (&f->settings->server_url, url);
  f->body = g_bytes_new_static ("a body", 6);
}

static inline void
fixture_clear (Fixture *f)
{
  http_server_free (f->server);
  fixture_settings_free (f->settings);
  g_bytes_unref (f->body);
}

static inline gint64
no_limit (gpointer user_data)
{
  return G_MAXINT64;
}

static inline void
send_once (PyroPushTarget *target, GBytes *body, guint timeout_ms,
           PyroPushTick tick, gpointer user_data, PyroPushOutcome *outcome)
{
  PyroPushLink *link = pyro_push_link_new (target);

  pyro_push_send (link, body, timeout_ms, tick, user_data, outcome);
  pyro_push_link_free (link);
}

static inline void
push (Fixture *f, PyroPushOutcome *outcome)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (PyroPushTarget) target
      = pyro_push_target_new (f->settings, &error);

  g_assert_no_error (error);
  send_once (target, f->body, TIMEOUT_MS, no_limit, NULL, outcome);
}

static inline const gchar *
header (const HttpRequest *request, const gchar *name)
{
  return g_hash_table_lookup (request->headers, name);
}
