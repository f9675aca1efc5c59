/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: whether there is time left to read what takes long.
 * Owner: the caller's. Threads: one at a time.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  gboolean (*is_over) (gpointer data); /* or NULL: there is no limit */
  gpointer data;
} PyroTimeLimit;

/* Code is read so many bytes at a time before this is asked again: some 0.1 ms
 * in an optimized build. */
#define PYRO_TIME_LIMIT_BYTES 32768

/* LIMIT: NULL is none. */
static inline gboolean
pyro_time_is_over (const PyroTimeLimit *limit)
{
  return limit != NULL && limit->is_over != NULL
         && limit->is_over (limit->data);
}

G_END_DECLS
