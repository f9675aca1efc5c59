/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: notices at once when the application closes a library, and what was
 * loaded until then. Samples carry the count of unloads (published.h): between
 * two unloads the loader only adds modules, so that what is loaded at the end
 * of that time says which module every address of it belonged to.
 * Owner: records wait for the collector, which frees them.
 * Threads: pyro_unloads_close() on the application's; the rest belongs to the
 * collector's, but for fork_child.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* What there was when an unload began. */
typedef struct _PyroUnload {
  struct _PyroUnload *next;
  guint32 epoch;        /* the count until then */
  guint64 subs, logged; /* modules that the loader had removed; of these, those
                         * that were removed by pyro_unloads_close() */
  gboolean is_certain;  /* FALSE: another unload was on its way, or what was
                         * new is not known */
  GPtrArray *added;     /* of PyroLoadedModule: the newest of those that were
                         * loaded, at least all that the collector had not
                         * seen; or NULL: it had seen all */
} PyroUnload;

/* dlclose(3), which calls of it are led to. Never waits for a lock of ours. */
int pyro_unloads_close (void *handle);

/* The collector looks from now on, or no longer. */
void pyro_unloads_watch (gboolean watch);

/* How many modules the loader had added, and the count of unloads, when the
 * collector last looked. */
void pyro_unloads_set_seen (guint64 adds, guint32 epoch);

/* What waits, the earliest unload first; for pyro_unload_free(). */
PyroUnload *pyro_unloads_take (void);
void pyro_unload_free (PyroUnload *unload);

/* Modules removed by pyro_unloads_close() so far, but for calls of it that have
 * not returned. */
guint64 pyro_unloads_get_logged (void);

/* After fork(), in the child: other threads' calls will never return. */
void pyro_unloads_fork_child (void);

G_END_DECLS
