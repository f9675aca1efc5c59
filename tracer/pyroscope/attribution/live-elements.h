/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the elements that are in use, by their address: their nodes, and the
 * libraries that their plugins are.
 * Owner: one table for the process. Elements are not dereferenced.
 * Threads: any. Nothing foreign is called while its lock is held, but for the
 * caller's function in foreach().
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  gconstpointer element; /* compared, not dereferenced */
  const gchar *library;  /* name of its plugin's file, as pyro_library_name();
                          * "": the program */
  guint32 node;
} PyroLiveElement;

/* Adds it, or gives it another node. */
void pyro_live_elements_add (gconstpointer element, guint32 node,
                             const gchar *library);

/* It is freed, or back in the NULL state. Others are ignored. */
void pyro_live_elements_remove (gconstpointer object);

/* The first of the N WORDS that is the address of an element of a plugin in
 * LIBRARY. Returns its node or 0. */
guint32 pyro_live_elements_search (const guintptr *words, gsize n,
                                   const gchar *library);

/* Calls FUNC for each until it returns FALSE. */
typedef gboolean (*PyroLiveElementFunc) (const PyroLiveElement *element,
                                         gpointer data);
void pyro_live_elements_foreach (PyroLiveElementFunc func, gpointer data);

/* Around fork(). */
void pyro_live_elements_fork_prepare (void);
void pyro_live_elements_fork_done (void);

G_END_DECLS
