/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: encoded profiles on their way out, with bounds in bytes and age. Two
 * consumers take them, files and HTTP, each from its own queue, oldest first;
 * neither ever waits for the other, nor does who puts them in.
 * Owner: the store owns what is in it; a consumer borrows an item between take
 * and what ends that.
 * Threads: any; its lock is held for no disk and no network, but for the
 * removal of a spooled file.
 */
#pragma once

#include "spool.h"

G_BEGIN_DECLS

typedef enum {
  PYRO_STORE_FILES,
  PYRO_STORE_HTTP,
  PYRO_STORE_N_CONSUMERS,
} PyroStoreConsumer;

/* What became of an item. */
typedef enum {
  PYRO_FATE_DELIVERED, /* written, or taken by the server */
  PYRO_FATE_REFUSED,   /* by the server, for good; or it cannot be written */
  PYRO_FATE_DROPPED,   /* the bounds, of bytes or of age */
  PYRO_FATE_LOST,      /* the process ended first */
  PYRO_FATE_KEPT,      /* it waits in the spool for another process */
  PYRO_FATE_ELSEWHERE, /* another process has taken it out of the spool */
  PYRO_N_FATES,
} PyroFate;

typedef struct _PyroProfileFate PyroProfileFate;

/* Read the first fields, leave them as they are. */
typedef struct {
  gint64 time_ns; /* UNIX time at which its interval began */
  GBytes *data;   /* a gzipped profile, or a request; NULL: only in the spool */
  gchar *path;    /* in the spool, or NULL */
  guint n_tries;  /* HTTP: how often it was sent */
  guint n_errors; /* HTTP: how often the server answered that it failed */

  /*< private >*/
  PyroStoreConsumer consumer;
  PyroProfileFate *fate;
  gsize size;
  PyroFileLock lock;
  gboolean is_taken, is_spooling, is_over, stays_in_memory;
} PyroStoreItem;

typedef struct {
  guint64 profiles[PYRO_STORE_N_CONSUMERS][PYRO_N_FATES];
  guint64 sent_again; /* requests that repeated an earlier one */
  guint64 split;      /* profiles that are more than one request */
  guint64 found;      /* requests that an earlier process left in the spool */
  gsize memory_bytes, spool_bytes; /* now */
} PyroStoreStats;

typedef struct _PyroStore PyroStore;

/* SPOOL, or NULL, is borrowed. */
PyroStore *pyro_store_new (gsize max_bytes, const PyroSpool *spool,
                           guint64 max_spool_bytes);
void pyro_store_free (PyroStore *store);

/* Nanoseconds after which a profile is dropped instead of sent, by default what
 * servers accept by default. Before anything is put in. */
void pyro_store_set_max_age (PyroStore *store, gint64 max_age_ns);

/* PROFILE for the files. */
void pyro_store_put_capture (PyroStore *store, gint64 time_ns, GBytes *profile);
/* REQUESTS (GBytes): those of one profile, for the server. */
void
pyro_store_put_requests (PyroStore *store, gint64 time_ns, GPtrArray *requests);
/* What is in the spool already, an array of PyroSpoolFile. */
void pyro_store_put_found (PyroStore *store, const GArray *files);

/* The next of CONSUMER, or NULL where there is none now. For HTTP, what is
 * older than the server accepts is dropped. An item that the server failed for
 * again and again steps behind those that it did not. */
PyroStoreItem *pyro_store_take (PyroStore *store, PyroStoreConsumer consumer);
/* The next that waits for the server and is to be copied to the spool, or
 * NULL. It may be sent meanwhile: only *DATA (transfer full) is to be used. */
PyroStoreItem *pyro_store_take_unspooled (PyroStore *store, GBytes **data);

/* A taken item is back, or over. */
void pyro_store_put_back (PyroStore *store, PyroStoreItem *item);
void pyro_store_finish (PyroStore *store, PyroStoreItem *item, PyroFate fate);
/* PATH (transfer full) and *LOCK, which the store takes over; NULL: it could
 * not be written, and stays in memory only. */
void pyro_store_spooled (PyroStore *store, PyroStoreItem *item, gchar *path,
                         PyroFileLock *lock);

typedef enum {
  PYRO_CLAIM_OURS,
  PYRO_CLAIM_LATER, /* another process is at work on it: it is put back */
  PYRO_CLAIM_OVER,  /* another process has taken it, or it is damaged */
} PyroClaim;

/* HTTP: makes the data of the taken ITEM present, and no other process's. */
PyroClaim pyro_store_claim (PyroStore *store, PyroStoreItem *item);

/* A request was sent that had been sent before. */
void pyro_store_count_again (PyroStore *store);

/* How many are there for CONSUMER, taken ones included. */
guint pyro_store_get_n (PyroStore *store, PyroStoreConsumer consumer);
void pyro_store_get_stats (PyroStore *store, PyroStoreStats *stats);

/* Nothing more will be put in. */
void pyro_store_close (PyroStore *store);
/* All has to be over at STOP_TIME (monotonic, microseconds). */
void pyro_store_stop (PyroStore *store, gint64 stop_time);
/* G_MAXINT64: there is no stop. */
gint64 pyro_store_get_stop_time (PyroStore *store);

/* Waits until something of CONSUMER was put in or comes back, the store is
 * closed, a stop begins, or it is TIME (monotonic, microseconds). SEEN is the
 * caller's, 0 to begin with: what has happened since it last was here does not
 * wait. */
void pyro_store_wait (PyroStore *store, guint *seen, gint64 time);
gboolean pyro_store_is_closed (PyroStore *store);

/* At the end, without consumers: what is left is kept in the spool, or lost. */
void pyro_store_settle (PyroStore *store);

/* In the child of a fork(): the locks on files are the parent's alone. */
void pyro_store_fork_child (PyroStore *store);

G_END_DECLS
