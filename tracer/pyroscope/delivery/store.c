/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store.h"
#include "kernel-clock.h"
#include "retry.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Answers that a server failed, after which others have their turn: what it
 * always fails for would hold up all that is younger. */
#define ERRORS_A_ROUND 4

/* Of all requests of one profile. */
struct _PyroProfileFate {
  guint n_left;
  PyroFate worst;
};

struct _PyroStore {
  gsize max_bytes;
  guint64 max_spool_bytes;
  const PyroSpool *spool; /* or NULL */
  gint64 max_age_ns;

  GMutex lock;
  GCond changed;
  /* With the lock. */
  GQueue items[PYRO_STORE_N_CONSUMERS]; /* PyroStoreItem, oldest first */
  PyroStoreStats stats;
  guint n_changes;
  gboolean closed;
  gint64 stop_time;

  /* Atomic: of the request that is being sent, for a child of fork(). */
  PyroFileLock *held;
};

PyroStore *
pyro_store_new (gsize max_bytes, const PyroSpool *spool,
                guint64 max_spool_bytes)
{
  PyroStore *self = g_new0 (PyroStore, 1);

  self->max_bytes = max_bytes;
  self->spool = spool;
  self->max_spool_bytes = max_spool_bytes;
  self->max_age_ns = PYRO_RETRY_MAX_AGE_NS;
  self->stop_time = G_MAXINT64;
  g_mutex_init (&self->lock);
  g_cond_init (&self->changed);
  for (guint i = 0; i < PYRO_STORE_N_CONSUMERS; i++)
    g_queue_init (&self->items[i]);
  return self;
}

void
pyro_store_set_max_age (PyroStore *self, gint64 max_age_ns)
{
  self->max_age_ns = max_age_ns;
}

static void
item_free (PyroStoreItem *item)
{
  g_clear_pointer (&item->data, g_bytes_unref);
  pyro_file_lock_release (&item->lock);
  g_free (item->path);
  g_free (item);
}

void
pyro_store_free (PyroStore *self)
{
  if (self == NULL)
    return;
  for (guint i = 0; i < PYRO_STORE_N_CONSUMERS; i++)
    g_queue_clear_full (&self->items[i], (GDestroyNotify)item_free);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->changed);
  g_free (self);
}

/* With the lock. */
static void
wake (PyroStore *self)
{
  self->n_changes++;
  g_cond_broadcast (&self->changed);
}

/* ------------------------------------------------------------- the fate -- */

static PyroProfileFate *
fate_new (guint n_items)
{
  PyroProfileFate *fate = g_new0 (PyroProfileFate, 1);

  fate->n_left = n_items;
  fate->worst = PYRO_FATE_DELIVERED;
  return fate;
}

/* A profile is delivered when all of it is; else what kept the first part of it
 * from that is what is counted. With the lock. */
static void
settle_fate (PyroStore *self, PyroStoreItem *item, PyroFate fate)
{
  PyroProfileFate *all = item->fate;

  if (all->worst == PYRO_FATE_DELIVERED)
    all->worst = fate;
  if (--all->n_left > 0)
    return;
  self->stats.profiles[item->consumer][all->worst]++;
  g_free (all);
}

static void
forget_data (PyroStore *self, PyroStoreItem *item)
{
  if (item->data == NULL)
    return;
  self->stats.memory_bytes -= item->size;
  g_clear_pointer (&item->data, g_bytes_unref);
}

static void
remove_file (PyroStore *self, PyroStoreItem *item)
{
  if (item->path == NULL)
    return;
  unlink (item->path);
  self->stats.spool_bytes -= item->size;
  g_clear_pointer (&item->path, g_free);
}

static void
release_lock (PyroStore *self, PyroStoreItem *item)
{
  g_atomic_pointer_set (&self->held, NULL);
  pyro_file_lock_release (&item->lock);
}

/* Takes ITEM out of its queue. With the lock. */
static void
finish_locked (PyroStore *self, PyroStoreItem *item, PyroFate fate)
{
  g_queue_remove (&self->items[item->consumer], item);
  settle_fate (self, item, fate);
  forget_data (self, item);
  if (fate != PYRO_FATE_KEPT && fate != PYRO_FATE_ELSEWHERE)
    remove_file (self, item);
  else if (item->path != NULL)
    self->stats.spool_bytes -= item->size;
  release_lock (self, item);
  item->is_over = TRUE;
  if (!item->is_spooling)
    item_free (item);
  wake (self);
}

/* --------------------------------------------------------------- bounds -- */

/* The oldest that nobody has in hand and, if SPOOLED, is in the spool, else in
 * memory alone. */
static PyroStoreItem *
find_oldest (PyroStore *self, gboolean spooled)
{
  PyroStoreItem *oldest = NULL;

  for (guint i = 0; i < PYRO_STORE_N_CONSUMERS; i++) {
    for (GList *l = self->items[i].head; l != NULL; l = l->next) {
      PyroStoreItem *item = l->data;

      if (!item->is_taken && !item->is_spooling
          && (item->path != NULL) == spooled
          && (oldest == NULL || item->time_ns < oldest->time_ns))
        oldest = item;
    }
  }
  return oldest;
}

static void
keep_memory_bound (PyroStore *self)
{
  PyroStoreItem *item;

  /* First what is on disk as well. */
  for (GList *l = self->items[PYRO_STORE_HTTP].head;
       l != NULL && self->stats.memory_bytes > self->max_bytes; l = l->next) {
    item = l->data;
    if (item->path != NULL && !item->is_taken)
      forget_data (self, item);
  }
  while (self->stats.memory_bytes > self->max_bytes
         && (item = find_oldest (self, FALSE)) != NULL)
    finish_locked (self, item, PYRO_FATE_DROPPED);
}

static void
keep_spool_bound (PyroStore *self)
{
  PyroStoreItem *item;

  while (self->stats.spool_bytes > self->max_spool_bytes
         && (item = find_oldest (self, TRUE)) != NULL)
    finish_locked (self, item, PYRO_FATE_DROPPED);
}

static void
drop_aged (PyroStore *self)
{
  gint64 now = pyro_clock_real ();
  GList *next;

  for (GList *l = self->items[PYRO_STORE_HTTP].head; l != NULL; l = next) {
    PyroStoreItem *item = l->data;

    next = l->next;
    if (now - item->time_ns > self->max_age_ns && !item->is_taken
        && !item->is_spooling)
      finish_locked (self, item, PYRO_FATE_DROPPED);
  }
}

/* --------------------------------------------------------------- put in -- */

static PyroStoreItem *
item_new (PyroStoreConsumer consumer, gint64 time_ns, PyroProfileFate *fate)
{
  PyroStoreItem *item = g_new0 (PyroStoreItem, 1);

  item->consumer = consumer;
  item->time_ns = time_ns;
  item->fate = fate;
  item->lock = PYRO_FILE_LOCK_NONE;
  return item;
}

/* With the lock. */
static void
put_locked (PyroStore *self, PyroStoreItem *item, GBytes *data)
{
  item->data = g_bytes_ref (data);
  item->size = g_bytes_get_size (data);
  self->stats.memory_bytes += item->size;
  g_queue_push_tail (&self->items[item->consumer], item);
}

void
pyro_store_put_capture (PyroStore *self, gint64 time_ns, GBytes *profile)
{
  g_mutex_lock (&self->lock);
  put_locked (self, item_new (PYRO_STORE_FILES, time_ns, fate_new (1)),
              profile);
  keep_memory_bound (self);
  wake (self);
  g_mutex_unlock (&self->lock);
}

void
pyro_store_put_requests (PyroStore *self, gint64 time_ns, GPtrArray *requests)
{
  PyroProfileFate *fate = fate_new (requests->len);

  g_mutex_lock (&self->lock);
  self->stats.split += requests->len > 1;
  for (guint i = 0; i < requests->len; i++)
    put_locked (self, item_new (PYRO_STORE_HTTP, time_ns, fate),
                requests->pdata[i]);
  keep_memory_bound (self);
  wake (self);
  g_mutex_unlock (&self->lock);
}

void
pyro_store_put_found (PyroStore *self, const GArray *files)
{
  g_mutex_lock (&self->lock);
  for (guint i = files->len; i > 0; i--) {
    const PyroSpoolFile *file = &g_array_index (files, PyroSpoolFile, i - 1);
    PyroStoreItem *item
        = item_new (PYRO_STORE_HTTP, file->time_ns, fate_new (1));

    item->path = g_strdup (file->path);
    item->size = file->size;
    self->stats.spool_bytes += file->size;
    self->stats.found++;
    g_queue_push_head (&self->items[PYRO_STORE_HTTP], item);
  }
  keep_spool_bound (self);
  wake (self);
  g_mutex_unlock (&self->lock);
}

/* ------------------------------------------------------------- consumers -- */

PyroStoreItem *
pyro_store_take (PyroStore *self, PyroStoreConsumer consumer)
{
  PyroStoreItem *next = NULL;

  g_mutex_lock (&self->lock);
  if (consumer == PYRO_STORE_HTTP)
    drop_aged (self);
  for (GList *l = self->items[consumer].head; l != NULL; l = l->next) {
    PyroStoreItem *item = l->data;

    if (!item->is_taken
        && (next == NULL
            || item->n_errors / ERRORS_A_ROUND
                   < next->n_errors / ERRORS_A_ROUND))
      next = item;
  }
  if (next != NULL)
    next->is_taken = TRUE;
  g_mutex_unlock (&self->lock);
  return next;
}

PyroStoreItem *
pyro_store_take_unspooled (PyroStore *self, GBytes **data)
{
  PyroStoreItem *next = NULL;

  if (self->spool == NULL)
    return NULL;
  g_mutex_lock (&self->lock);
  for (GList *l = self->items[PYRO_STORE_HTTP].head; l != NULL && next == NULL;
       l = l->next) {
    PyroStoreItem *item = l->data;

    if (item->path == NULL && item->data != NULL && !item->is_spooling
        && !item->stays_in_memory)
      next = item;
  }
  if (next != NULL) {
    next->is_spooling = TRUE;
    *data = g_bytes_ref (next->data);
  }
  g_mutex_unlock (&self->lock);
  return next;
}

void
pyro_store_spooled (PyroStore *self, PyroStoreItem *item, gchar *path,
                    PyroFileLock *lock)
{
  g_mutex_lock (&self->lock);
  item->is_spooling = FALSE;
  if (path == NULL) {
    item->stays_in_memory = TRUE;
  } else {
    item->path = path;
    self->stats.spool_bytes += item->size;
    item->lock = *lock;
    /* While it is being sent no other process may take it. */
    if (item->is_taken && !item->is_over)
      g_atomic_pointer_set (&self->held, &item->lock);
    else if (!item->is_over)
      pyro_file_lock_release (&item->lock);
  }
  if (item->is_over) {
    remove_file (self, item);
    item_free (item);
  }
  keep_spool_bound (self);
  wake (self);
  g_mutex_unlock (&self->lock);
}

void
pyro_store_put_back (PyroStore *self, PyroStoreItem *item)
{
  g_mutex_lock (&self->lock);
  item->is_taken = FALSE;
  release_lock (self, item);
  keep_memory_bound (self);
  wake (self);
  g_mutex_unlock (&self->lock);
}

void
pyro_store_finish (PyroStore *self, PyroStoreItem *item, PyroFate fate)
{
  g_mutex_lock (&self->lock);
  finish_locked (self, item, fate);
  g_mutex_unlock (&self->lock);
}

/* The item is taken: nobody else removes its path or its data. */
PyroClaim
pyro_store_claim (PyroStore *self, PyroStoreItem *item)
{
  g_autofree gchar *path = NULL;
  PyroFileLock lock = PYRO_FILE_LOCK_NONE;
  g_autoptr (GBytes) data = NULL;
  int code;

  g_mutex_lock (&self->lock);
  path = g_strdup (item->path);
  data = item->data != NULL ? g_bytes_ref (item->data) : NULL;
  g_mutex_unlock (&self->lock);
  if (path == NULL)
    return PYRO_CLAIM_OURS;

  code = pyro_file_lock_take (&lock, path);
  if (code == ENOENT) {
    pyro_store_finish (self, item, PYRO_FATE_ELSEWHERE);
    return PYRO_CLAIM_OVER;
  }
  if (code != 0 && data == NULL) {
    item->n_errors += ERRORS_A_ROUND;
    pyro_store_put_back (self, item);
    return PYRO_CLAIM_LATER;
  }
  if (code == EWOULDBLOCK) {
    item->n_errors += ERRORS_A_ROUND;
    pyro_store_put_back (self, item);
    return PYRO_CLAIM_LATER;
  }
  if (data == NULL)
    data = pyro_spool_read (path);
  g_mutex_lock (&self->lock);
  item->lock = lock;
  g_atomic_pointer_set (&self->held, &item->lock);
  if (data != NULL && item->data == NULL) {
    item->data = g_bytes_ref (data);
    self->stats.memory_bytes += item->size;
  }
  g_mutex_unlock (&self->lock);
  if (data != NULL)
    return PYRO_CLAIM_OURS;
  pyro_store_finish (self, item, PYRO_FATE_REFUSED);
  return PYRO_CLAIM_OVER;
}

void
pyro_store_count_again (PyroStore *self)
{
  g_mutex_lock (&self->lock);
  self->stats.sent_again++;
  g_mutex_unlock (&self->lock);
}

/* ---------------------------------------------------------------- others -- */

guint
pyro_store_get_n (PyroStore *self, PyroStoreConsumer consumer)
{
  guint n;

  g_mutex_lock (&self->lock);
  n = g_queue_get_length (&self->items[consumer]);
  g_mutex_unlock (&self->lock);
  return n;
}

void
pyro_store_get_stats (PyroStore *self, PyroStoreStats *stats)
{
  g_mutex_lock (&self->lock);
  *stats = self->stats;
  g_mutex_unlock (&self->lock);
}

void
pyro_store_close (PyroStore *self)
{
  g_mutex_lock (&self->lock);
  self->closed = TRUE;
  wake (self);
  g_mutex_unlock (&self->lock);
}

void
pyro_store_stop (PyroStore *self, gint64 stop_time)
{
  g_mutex_lock (&self->lock);
  self->stop_time = stop_time;
  wake (self);
  g_mutex_unlock (&self->lock);
}

gint64
pyro_store_get_stop_time (PyroStore *self)
{
  gint64 time;

  g_mutex_lock (&self->lock);
  time = self->stop_time;
  g_mutex_unlock (&self->lock);
  return time;
}

gboolean
pyro_store_is_closed (PyroStore *self)
{
  gboolean closed;

  g_mutex_lock (&self->lock);
  closed = self->closed;
  g_mutex_unlock (&self->lock);
  return closed;
}

void
pyro_store_wait (PyroStore *self, guint *seen, gint64 time)
{
  g_mutex_lock (&self->lock);
  while (*seen == self->n_changes) {
    gint64 left
        = time == G_MAXINT64 ? G_MAXINT64 : time - pyro_clock_monotonic ();

    if (left <= 0)
      break;
    if (left == G_MAXINT64)
      g_cond_wait (&self->changed, &self->lock);
    else
      g_cond_wait_until (&self->changed, &self->lock,
                         g_get_monotonic_time () + left);
  }
  *seen = self->n_changes;
  g_mutex_unlock (&self->lock);
}

void
pyro_store_settle (PyroStore *self)
{
  g_mutex_lock (&self->lock);
  for (guint i = 0; i < PYRO_STORE_N_CONSUMERS; i++) {
    PyroStoreItem *item;

    while ((item = g_queue_peek_head (&self->items[i])) != NULL)
      finish_locked (self, item,
                     item->path != NULL ? PYRO_FATE_KEPT : PYRO_FATE_LOST);
  }
  g_mutex_unlock (&self->lock);
}

void
pyro_store_fork_child (PyroStore *self)
{
  PyroFileLock *held = g_atomic_pointer_get (&self->held);

  if (held != NULL)
    pyro_file_lock_release (held);
}
