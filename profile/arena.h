/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: memory for many small things that all go at once, with a budget.
 * Owner: the arena owns everything that came from it.
 * Threads: one arena belongs to one thread at a time.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _PyroArena PyroArena;

/* BUDGET: bytes that the arena may take from the system, 0: no limit. */
PyroArena *pyro_arena_new (gsize budget);
void pyro_arena_free (PyroArena *arena);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PyroArena, pyro_arena_free)

/* Aligned for any type, contents undefined. NULL only where there is a budget
 * and it (or the system's memory) is spent; without one it aborts, as GLib's
 * allocators do. */
gpointer pyro_arena_alloc (PyroArena *arena, gsize size);

/* Room for N things of SIZE bytes each, zeroed. NULL as above, and where the
 * product does not fit in a gsize. */
gpointer pyro_arena_alloc_n (PyroArena *arena, gsize n, gsize size);

/* Bytes taken from the system so far. */
gsize pyro_arena_get_size (const PyroArena *arena);

/* TRUE once an allocation was refused. */
gboolean pyro_arena_is_exhausted (const PyroArena *arena);

G_END_DECLS
