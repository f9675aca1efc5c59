/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Servers that misbehave, each by a script of answers, until they behave. What
 * a real server would have stored in the end has to be what was sampled: of
 * what was sent twice, one. All scripts run at once, with a spool and without:
 * most of their time is pauses. (What says 200 and goes on for ever, or is no
 * HTTP, is a wrong address, not an outage: test-push.c.) */
#include "delivery-fixture.h"

#include <string.h>

#include "kernel-clock.h"
#include "profile/profile.h"
#include "profile/push.pb-c.h"

#define N_PROFILES 5
#define SECOND_NS G_GINT64_CONSTANT (1000000000)
/* The pauses of four failures in a row are at most 1, 2, 4 and 8 s long, and a
 * silent server is left after 10 s. */
#define MAX_WAIT_US (120 * G_USEC_PER_SEC)
#define N_MODES 2 /* without and with a spool */

#define ANSWER(status, headers)                                        \
  {                                                                    \
    HTTP_ANSWER, status, headers, "{\"code\":\"x\",\"message\":\"y\"}" \
  }
#define OK           \
  {                  \
    HTTP_ANSWER, 200 \
  }
#define RAW(text)           \
  {                         \
    HTTP_RAW, 0, NULL, text \
  }

typedef struct {
  const gchar *name;
  HttpReply replies[5]; /* then 200 */
} Script;

static const Script scripts[] = {
  { "closes", { { HTTP_CUT }, { HTTP_CUT }, OK, { HTTP_CUT }, OK } },
  { "resets", { { HTTP_RESET }, OK, { HTTP_RESET }, OK, OK } },
  { "hangs", { OK, { HTTP_HANG }, OK, OK, OK } },
  { "trickles", { { HTTP_DRIBBLE }, OK, OK, OK, OK } },
  { "says-too-long",
    { RAW ("HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{}"), OK, OK, OK,
      OK } },
  { "says-too-short",
    { RAW ("HTTP/1.1 503 No\r\nContent-Length: 1\r\n\r\n{\"code\":\"x\"}"), OK,
      OK, OK, OK } },
  { "half-a-status", { OK, RAW ("HTTP/1."), OK, OK, OK } },
  { "408", { ANSWER (408, NULL), OK, ANSWER (408, NULL), OK, OK } },
  { "425", { ANSWER (425, NULL), OK, OK, OK, OK } },
  { "429", { ANSWER (429, NULL), ANSWER (429, NULL), OK, OK, OK } },
  { "429-with-retry-after",
    { ANSWER (429, "Retry-After: 1\r\n"), OK, OK, OK, OK } },
  { "500",
    { ANSWER (500, NULL), ANSWER (500, NULL), ANSWER (500, NULL), OK, OK } },
  { "503", { OK, ANSWER (503, NULL), ANSWER (503, NULL), OK, OK } },
  { "503-with-retry-after",
    { OK, ANSWER (503, "Retry-After: 2\r\n"), OK, OK, OK } },
  { "503-with-nonsense",
    { ANSWER (503, "Retry-After: soon\r\n"), OK, OK, OK, OK } },
  { "504", { ANSWER (504, NULL), OK, ANSWER (504, NULL), OK, OK } },
};

typedef struct {
  Fixture f;
  const Script *script;
  gboolean has_spool;
  HttpReply replies[G_N_ELEMENTS (scripts[0].replies) + 1];
} Trial;

/* Whether the server says so, however it goes on. */
static gboolean
is_stored (const Trial *trial, guint n)
{
  const HttpReply *reply
      = &trial->replies[MIN (n, G_N_ELEMENTS (trial->replies) - 1)];

  switch (reply->behaviour) {
  case HTTP_ANSWER:
    return reply->status == 200;
  case HTTP_RAW:
    return g_str_has_prefix (reply->body, "HTTP/1.1 200 ");
  default:
    return FALSE;
  }
}

static void
trial_begin (Trial *trial, const Script *script, gboolean has_spool)
{
  trial->script = script;
  trial->has_spool = has_spool;
  memcpy (trial->replies, script->replies, sizeof script->replies);
  trial->replies[G_N_ELEMENTS (trial->replies) - 1] = (HttpReply)OK;
  fixture_init (&trial->f);
  with_server (&trial->f, trial->replies, G_N_ELEMENTS (trial->replies));
  if (has_spool)
    with_spool (&trial->f);
  trial->f.settings->stop_timeout = 3;
  start (&trial->f);
  for (guint i = 0; i < N_PROFILES; i++) {
    job_time_offset = i * SECOND_NS;
    submit_small (trial->f.delivery);
  }
}

static gint64
sum_of (GBytes *pprof)
{
  g_autoptr (PyroProfile) profile = pyro_profile_decode (pprof, NULL, NULL);
  gint64 sum = 0;

  g_assert_nonnull (profile);
  for (gsize i = 0; i < profile->n_samples; i++)
    sum += profile->samples[i].values[profile->n_sample_types - 1];
  return sum;
}

/* By the id: as a server keeps one row of a series and time. */
static gint64
sum_stored (const Trial *trial, guint *n_ids)
{
  g_autoptr (GHashTable) seen
      = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  guint n = http_server_get_n_requests (trial->f.server);
  gint64 sum = 0;

  for (guint i = 0; i < n; i++) {
    GBytes *body = http_server_get_request (trial->f.server, i)->body;
    Push__V1__PushRequest *message;
    Push__V1__RawSample *sample;
    g_autoptr (GBytes) pprof = NULL;

    if (!is_stored (trial, i))
      continue;
    message = push__v1__push_request__unpack (NULL, g_bytes_get_size (body),
                                              g_bytes_get_data (body, NULL));
    g_assert_nonnull (message);
    sample = message->series[0]->samples[0];
    pprof = g_bytes_new (sample->raw_profile.data, sample->raw_profile.len);
    if (g_hash_table_add (seen, g_strdup (sample->id)))
      sum += sum_of (pprof);
    push__v1__push_request__free_unpacked (message, NULL);
  }
  *n_ids = g_hash_table_size (seen);
  return sum;
}

static void
trial_end (Trial *trial, gint64 expected)
{
  PyroDeliveryStats stats;
  gint64 deadline = g_get_monotonic_time () + MAX_WAIT_US, stored;
  guint n_ids;

  do {
    g_usleep (5000);
    pyro_delivery_get_stats (trial->f.delivery, &stats);
  } while (stats.pushed < N_PROFILES && g_get_monotonic_time () < deadline);
  stored = sum_stored (trial, &n_ids);
  g_test_message ("%s%s: %u requests; %u stored, %" G_GINT64_FORMAT
                  " ns of %" G_GINT64_FORMAT "; %" G_GUINT64_FORMAT
                  " refused, %" G_GUINT64_FORMAT " dropped, %" G_GUINT64_FORMAT
                  " lost",
                  trial->script->name, trial->has_spool ? " with a spool" : "",
                  http_server_get_n_requests (trial->f.server), n_ids, stored,
                  expected, stats.failed, stats.dropped, stats.discarded);
  /* All scripts are looked at. */
  if (n_ids != N_PROFILES || stored != expected
      || stats.failed + stats.dropped + stats.discarded > 0)
    g_test_fail ();
  g_assert_true (stop_within (&trial->f, 3000 + 1000, &stats));
  fixture_clear (&trial->f);
}

static void
test_scripts (void)
{
  Trial trials[G_N_ELEMENTS (scripts)][N_MODES] = { 0 };
  g_autoptr (GBytes) small = fixture_pprof_new (3, 10);
  gint64 expected = N_PROFILES * sum_of (small);

  for (guint i = 0; i < G_N_ELEMENTS (scripts); i++)
    for (guint mode = 0; mode < N_MODES; mode++)
      trial_begin (&trials[i][mode], &scripts[i], mode == 1);
  for (guint i = 0; i < G_N_ELEMENTS (scripts); i++)
    for (guint mode = 0; mode < N_MODES; mode++)
      trial_end (&trials[i][mode], expected);
}

/* A stop comes while it misbehaves: it is bounded, and with a spool the next
 * process sends what is left. */
static void
test_stops (void)
{
  g_autoptr (GBytes) small = fixture_pprof_new (3, 10);
  gint64 expected = N_PROFILES * sum_of (small);

  for (guint i = 0; i < G_N_ELEMENTS (scripts); i += 2) {
    Trial trial = { 0 };
    PyroDeliveryStats stats;
    guint n_ids;

    trial_begin (&trial, &scripts[i], TRUE);
    g_assert_true (stop_within (&trial.f, 3000 + 1000, &stats));
    g_assert_cmpuint (stats.pushed + stats.spooled, ==, N_PROFILES);
    while (stats.spooled > 0) {
      start (&trial.f);
      WAIT_FOR (&trial.f, found, stats.spooled);
      g_assert_true (stop_within (&trial.f, 3000 + 1000, &stats));
    }
    g_assert_cmpint (sum_stored (&trial, &n_ids), ==, expected);
    fixture_clear (&trial.f);
  }
}

int
main (int argc, char **argv)
{
  fixture_main_init (&argc, &argv);
  g_test_add_func ("/misbehaviour/what is stored is what was sampled",
                   test_scripts);
  g_test_add_func ("/misbehaviour/a stop is bounded and loses nothing",
                   test_stops);
  return g_test_run ();
}
