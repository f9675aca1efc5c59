/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: tasks of GLib's thread pools, which GStreamer's task pools are, too:
 * each runs with the label word of whoever pushed it. The threads move from
 * pool to pool, so who made them means nothing. A pool whose function the
 * pusher's plugin cannot have is the application's: its tasks are nobody's.
 * Owner: a pool that an element makes has a record until it is freed, which its
 * public fields lead to; another one gets another function when an element
 * first pushes a task of its own. The application finds in the fields of its
 * own pools what it put there. Threads: any; beside what the wrapped functions
 * do themselves, memory is allocated, and nobody is waited for.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* In the place of GLib's functions: same arguments, same results. */
GThreadPool *pyro_pools_new (GFunc func, gpointer user_data, gint max_threads,
                             gboolean exclusive, GError **error);
#if GLIB_CHECK_VERSION(2, 70, 0)
GThreadPool *
pyro_pools_new_full (GFunc func, gpointer user_data,
                     GDestroyNotify item_free_func, gint max_threads,
                     gboolean exclusive, GError **error);
#endif
gboolean pyro_pools_push (GThreadPool *pool, gpointer data, GError **error);
void pyro_pools_free (GThreadPool *pool, gboolean immediate, gboolean wait);

/* In the child of a fork(). */
void pyro_pools_fork_child (void);

G_END_DECLS
