/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "unloads.h"

#include <dlfcn.h>
#include <errno.h>

#include "loader.h"
#include "published.h"

/* More unloads than this wait without a list of what was new. */
#define MAX_LISTS 64
/* More than this are not recorded at all. */
#define MAX_WAITING 4096
/* Modules in a list: a library and what it needs. */
#define MAX_ADDED 64

static struct {
  /* All atomic. */
  gint is_watched;
  gint n_waiting; /* records */
  guint64 seen; /* the count of unloads, and the low half of the modules added,
                 * when the collector last looked */
  guint64 logged;
  PyroUnload *waiting; /* lock-free stack */
} state;

static void
push (PyroUnload *unload)
{
  PyroUnload *head = __atomic_load_n (&state.waiting, __ATOMIC_RELAXED);

  do
    unload->next = head;
  while (!__atomic_compare_exchange_n (&state.waiting, &head, unload, TRUE,
                                       __ATOMIC_RELEASE, __ATOMIC_RELAXED));
}

/* Lists what the collector may not have seen. */
static gboolean
list_added (PyroUnload *unload, guint64 adds, gint n_waiting)
{
  guint64 seen = __atomic_load_n (&state.seen, __ATOMIC_ACQUIRE);
  guint32 n = (guint32)adds - (guint32)seen;

  /* What was seen since is not what was there until then. */
  if ((gint32)((guint32)(seen >> 32) - unload->epoch) > 0)
    return FALSE;
  if (n == 0)
    return TRUE;
  if (n > MAX_ADDED || n_waiting > MAX_LISTS)
    return FALSE;
  unload->added = pyro_loader_try_list_last (n);
  return unload->added != NULL;
}

/* WORD: that of pyro_unloads_begin(). What is listed after that was there until
 * then, and perhaps some more. */
static void
record (guint64 word)
{
  guint32 epoch = (guint32)(word >> 32);
  gint n_waiting = g_atomic_int_add (&state.n_waiting, 1);
  PyroUnload *unload
      = n_waiting < MAX_WAITING ? g_try_new0 (PyroUnload, 1) : NULL;
  guint64 adds;

  if (unload == NULL) {
    g_atomic_int_add (&state.n_waiting, -1);
    return;
  }
  unload->epoch = epoch;
  unload->logged = __atomic_load_n (&state.logged, __ATOMIC_ACQUIRE);
  unload->is_certain = (guint32)word == 0
                       && pyro_loader_try_get_counters (&adds, &unload->subs)
                       && list_added (unload, adds, n_waiting)
                       && pyro_unload_epoch () == epoch + 1;
  push (unload);
}

int
pyro_unloads_close (void *handle)
{
  int saved_errno = errno, result;
  guint64 adds, before, after;
  gboolean is_known;

  if (!g_atomic_int_get (&state.is_watched))
    return dlclose (handle);

  record (pyro_unloads_begin ());
  is_known = pyro_loader_try_get_counters (&adds, &before);
  errno = saved_errno;
  /* Runs destructors, which may do anything, and need not return. */
  result = dlclose (handle);
  saved_errno = errno;
  if (is_known && pyro_loader_try_get_counters (&adds, &after))
    __atomic_fetch_add (&state.logged, after - before, __ATOMIC_ACQ_REL);
  pyro_unloads_end ();
  errno = saved_errno;
  return result;
}

void
pyro_unloads_watch (gboolean watch)
{
  g_atomic_int_set (&state.is_watched, watch);
}

void
pyro_unloads_set_seen (guint64 adds, guint32 epoch)
{
  __atomic_store_n (&state.seen, (guint64)epoch << 32 | (guint32)adds,
                    __ATOMIC_RELEASE);
}

PyroUnload *
pyro_unloads_take (void)
{
  PyroUnload *taken
      = __atomic_exchange_n (&state.waiting, NULL, __ATOMIC_ACQUIRE);
  PyroUnload *sorted = NULL;

  /* The newest comes first, more or less. */
  while (taken != NULL) {
    PyroUnload *unload = taken, **at = &sorted;

    taken = unload->next;
    while (*at != NULL && (gint32)((*at)->epoch - unload->epoch) < 0)
      at = &(*at)->next;
    unload->next = *at;
    *at = unload;
  }
  return sorted;
}

void
pyro_unload_free (PyroUnload *unload)
{
  g_clear_pointer (&unload->added, g_ptr_array_unref);
  g_free (unload);
  g_atomic_int_add (&state.n_waiting, -1);
}

guint64
pyro_unloads_get_logged (void)
{
  return __atomic_load_n (&state.logged, __ATOMIC_ACQUIRE);
}

void
pyro_unloads_fork_child (void)
{
  pyro_unloads_forget ();
  g_atomic_int_set (&state.is_watched, FALSE);
}
