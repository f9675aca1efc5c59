/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pushing.h"

#include <string.h>

#include "delivery/requests.h"
#include "delivery/sender.h"
#include "delivery/series.h"
#include "inspect-error.h"
#include "kernel-clock.h"
#include "own-thread.h"
#include "profile/profile-comments.h"

/* Of requests that wait: so much is read ahead of the server. */
#define MAX_WAITING_BYTES ((gsize)8 * 1024 * 1024)
#define STACK_BYTES (256 * 1024)

struct _PyroPushing {
  PyroSettings *settings;
  const GArray *overrides;
  gint64 patience_us;
  gchar *address;
  PyroStore *store;
  PyroSender *sender;
  pthread_t thread;
  GRand *random;
  guint seen;
  gint quiet;
  guint64 n_profiles;

  GMutex lock;
  /* With the lock. */
  GHashTable *paths; /* GBytes of a request that waits -> path of its file */
  gint64 since;      /* when something was taken last, monotonic */
  gboolean is_out;   /* an outage was reported */
  gboolean given_up;
  guint64 bytes;
};

/* With the lock. */
static void
give_up (PyroPushing *self)
{
  self->given_up = TRUE;
  pyro_store_stop (self->store, pyro_clock_monotonic ());
}

/* With the lock. */
static void
report_outage (PyroPushing *self, const PyroPushOutcome *outcome)
{
  switch (outcome->status) {
  case PYRO_PUSH_AUTH:
    pyro_report ("%s refuses access: %s; check --auth-token-file, "
                 "--basic-auth-user and --tenant-id",
                 self->address, outcome->reason);
    give_up (self);
    break;
  case PYRO_PUSH_WRONG_URL:
    pyro_report ("%s: no Pyroscope server takes profiles there: %s; "
                 "--server-address is the address that Pyroscope itself has, "
                 "such as http://localhost:4040",
                 self->address, outcome->reason);
    give_up (self);
    break;
  case PYRO_PUSH_UNTRUSTED:
    pyro_report ("%s is not trusted: %s; --ca-file names the certificate of "
                 "its authority",
                 self->address, outcome->reason);
    give_up (self);
    break;
  default:
    if (!self->is_out)
      pyro_report ("%s: %s; it is tried again for %d s", self->address,
                   outcome->reason, (gint)(self->patience_us / G_USEC_PER_SEC));
    self->is_out = TRUE;
  }
}

/* On the sender's thread. */
static void
on_outcome (const PyroPushOutcome *outcome, GBytes *request, gpointer data)
{
  PyroPushing *self = data;

  g_mutex_lock (&self->lock);
  switch (outcome->status) {
  case PYRO_PUSH_TAKEN:
    self->bytes += g_bytes_get_size (request);
    break;
  case PYRO_PUSH_REJECTED:
    pyro_report ("%s: the server refuses it: %s",
                 (const gchar *)g_hash_table_lookup (self->paths, request),
                 outcome->reason);
    break;
  case PYRO_PUSH_ABORTED:
    break;
  default:
    report_outage (self, outcome);
  }
  if (outcome->status == PYRO_PUSH_TAKEN
      || outcome->status == PYRO_PUSH_REJECTED) {
    self->since = pyro_clock_monotonic ();
    self->is_out = FALSE;
    g_hash_table_remove (self->paths, request);
  }
  g_mutex_unlock (&self->lock);
}

PyroPushing *
pyro_pushing_new (const PyroSettings *settings, const GArray *overrides,
                  guint patience, GError **error)
{
  PyroPushTarget *target = pyro_push_target_new (settings, error);
  PyroPushing *self;
  gint code;

  if (target == NULL)
    return NULL;
  self = g_new0 (PyroPushing, 1);
  g_mutex_init (&self->lock);
  self->paths = g_hash_table_new_full (NULL, NULL,
                                       (GDestroyNotify)g_bytes_unref, g_free);
  self->settings = pyro_settings_copy (settings);
  /* There is no fleet that pushes in step. */
  self->settings->upload_interval = 0;
  self->overrides = overrides;
  self->patience_us = (gint64)patience * G_USEC_PER_SEC;
  self->address = g_strdup (target->display);
  self->random = g_rand_new ();
  self->since = pyro_clock_monotonic ();
  /* A file that is older than a server accepts by default is its to judge. */
  self->store = pyro_store_new (G_MAXSIZE, NULL, 0);
  pyro_store_set_max_age (self->store, G_MAXINT64);
  self->quiet = TRUE;
  self->sender = pyro_sender_new (self->settings, target, self->store, FALSE,
                                  &self->quiet);
  pyro_sender_observe (self->sender, on_outcome, self);
  code = pyro_own_thread_create (&self->thread, STACK_BYTES,
                                 PYRO_OWN_THREAD_PROMPT, pyro_sender_run,
                                 self->sender);
  if (code != 0)
    g_error ("a thread cannot be made: %s", g_strerror (code));
  return self;
}

/* Tells by the types what a profile without comments is. */
static const gchar *
guess_profile_name (const PyroProfile *profile)
{
  for (gsize i = 0; i < profile->n_sample_types; i++) {
    const gchar *type = profile->sample_types[i].type;

    if (strcmp (type, "cpu") == 0)
      return "process_cpu";
    if (strcmp (type, "inuse_space") == 0 || strcmp (type, "alloc_space") == 0)
      return "memory";
  }
  return profile->sample_types[profile->n_sample_types - 1].type;
}

/* The labels that its writer would have pushed it with, if it is a capture;
 * else those of a service. (transfer full) */
static GArray *
make_series (PyroPushing *self, const PyroProfile *profile)
{
  GArray *series
      = pyro_series_new (self->settings, guess_profile_name (profile));
  gboolean is_capture = FALSE;

  for (gsize i = 0; i < profile->n_comments; i++)
    is_capture |= g_str_has_prefix (profile->comments[i], PYRO_COMMENT_SERIES);
  for (guint i = series->len; i > 0; i--) {
    const gchar *key = g_array_index (series, PyroLabel, i - 1).key;

    /* "hostname" and its like are this process's. */
    if (strcmp (key, "__name__") != 0
        && (is_capture || strcmp (key, "service_name") != 0))
      g_array_remove_index (series, i - 1);
  }
  for (gsize i = 0; i < profile->n_comments; i++) {
    const gchar *comment = profile->comments[i];
    const gchar *key = comment + strlen (PYRO_COMMENT_SERIES);
    const gchar *equals = strchr (comment, '=');
    g_autofree gchar *name = NULL;

    if (!g_str_has_prefix (comment, PYRO_COMMENT_SERIES) || equals == NULL
        || equals <= key || equals[1] == '\0')
      continue;
    name = g_strndup (key, equals - key);
    pyro_series_set (series, name, equals + 1);
  }
  for (guint i = 0; i < self->overrides->len; i++) {
    const PyroLabel *label = &g_array_index (self->overrides, PyroLabel, i);

    pyro_series_set (series, label->key, label->value);
  }
  return series;
}

gboolean
pyro_pushing_add (PyroPushing *self, const gchar *path,
                  const PyroProfile *profile, GBytes *pprof, GError **error)
{
  g_autoptr (GArray) series = make_series (self, profile);
  g_autoptr (GPtrArray) requests
      = pyro_requests_new (series, pprof, NULL, self->random, error);
  PyroStoreStats stats;

  if (requests == NULL)
    return FALSE;
  for (;;) {
    pyro_store_get_stats (self->store, &stats);
    if (stats.memory_bytes < MAX_WAITING_BYTES || pyro_pushing_is_over (self))
      break;
    pyro_pushing_wait (self, 1000);
  }
  g_mutex_lock (&self->lock);
  for (guint i = 0; i < requests->len; i++)
    g_hash_table_insert (self->paths, g_bytes_ref (requests->pdata[i]),
                         g_strdup (path));
  g_mutex_unlock (&self->lock);
  self->n_profiles++;
  pyro_store_put_requests (self->store, profile->time_ns, requests);
  return TRUE;
}

gboolean
pyro_pushing_is_over (PyroPushing *self)
{
  gboolean is_over;

  g_mutex_lock (&self->lock);
  if (pyro_store_get_n (self->store, PYRO_STORE_HTTP) == 0)
    self->since = pyro_clock_monotonic ();
  if (!self->given_up
      && pyro_clock_monotonic () - self->since > self->patience_us)
    give_up (self);
  is_over = self->given_up;
  g_mutex_unlock (&self->lock);
  return is_over;
}

gboolean
pyro_pushing_wait (PyroPushing *self, guint ms)
{
  gint64 end = pyro_clock_monotonic () + ms * G_TIME_SPAN_MILLISECOND;

  while (pyro_store_get_n (self->store, PYRO_STORE_HTTP) > 0
         && !pyro_pushing_is_over (self) && pyro_clock_monotonic () < end)
    pyro_store_wait (
        self->store, &self->seen,
        MIN (end, pyro_clock_monotonic () + 200 * G_TIME_SPAN_MILLISECOND));
  return pyro_store_get_n (self->store, PYRO_STORE_HTTP) == 0
         || pyro_pushing_is_over (self);
}

void
pyro_pushing_get_stats (PyroPushing *self, PyroPushingStats *stats)
{
  PyroStoreStats store;
  const guint64 *http = store.profiles[PYRO_STORE_HTTP];

  pyro_store_get_stats (self->store, &store);
  g_mutex_lock (&self->lock);
  *stats = (PyroPushingStats){
    .profiles = self->n_profiles,
    .taken = http[PYRO_FATE_DELIVERED],
    .refused = http[PYRO_FATE_REFUSED],
    .not_sent = http[PYRO_FATE_LOST] + http[PYRO_FATE_DROPPED],
    .split = store.split,
    .sent_again = store.sent_again,
    .bytes = self->bytes,
  };
  g_mutex_unlock (&self->lock);
}

void
pyro_pushing_finish (PyroPushing *self, PyroPushingStats *stats)
{
  while (!pyro_pushing_wait (self, 1000))
    continue;
  pyro_store_close (self->store);
  pthread_join (self->thread, NULL);
  pyro_store_settle (self->store);
  pyro_pushing_get_stats (self, stats);
  pyro_sender_free (self->sender);
  pyro_store_free (self->store);
  pyro_settings_free (self->settings);
  g_hash_table_unref (self->paths);
  g_rand_free (self->random);
  g_mutex_clear (&self->lock);
  g_free (self->address);
  g_free (self);
}

const gchar *
pyro_pushing_get_address (const PyroPushing *self)
{
  return self->address;
}
