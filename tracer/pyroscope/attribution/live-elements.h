/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the elements that are in use, by their address: their nodes, and the
 * libraries that their plugins are.
 * Owner: one table for the process. Elements are not dereferenced.
 * Threads: any, and none waits for another. Whoever adds and removes one
 * element at the same time gets one of both; an element whose addition has
 * returned is found by all.
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

/* The only node that elements of plugins in LIBRARY have; 0: none is in use, or
 * *SEVERAL. Takes as long for many elements as for one. */
guint32 pyro_live_elements_get_only (const gchar *library, gboolean *several);

/* No other element in use than NODE's is of a plugin in LIBRARY. */
gboolean pyro_live_elements_is_only (guint32 node, const gchar *library);

/* Calls FUNC with the name of each library that elements in use are of, until
 * it returns FALSE. */
typedef gboolean (*PyroLiveLibraryFunc) (const gchar *library, gpointer data);
void
pyro_live_elements_foreach_library (PyroLiveLibraryFunc func, gpointer data);

/* Grows whenever an answer of pyro_live_elements_get_only() changes. */
guint64 pyro_live_elements_get_generation (void);

/* Calls FUNC for each until it returns FALSE. */
typedef gboolean (*PyroLiveElementFunc) (const PyroLiveElement *element,
                                         gpointer data);
void pyro_live_elements_foreach (PyroLiveElementFunc func, gpointer data);

/* In the child of a fork(): what a thread that is not there was in the middle
 * of is put right. */
void pyro_live_elements_fork_child (void);

G_END_DECLS
