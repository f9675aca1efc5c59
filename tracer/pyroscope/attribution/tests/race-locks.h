/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: makes GLib's mutexes known to ThreadSanitizer, which does not see them:
 * they are futexes inside a library that is not instrumented. Included before
 * each file of the room in the build of test-races.c.
 * Owner: nothing.
 * Threads: any.
 */
#pragma once

#include <gst/gst.h>
#include <sanitizer/tsan_interface.h>
#include <string.h>

/* The file whose locks are not told, so that its races are seen; or NULL. */
extern const char *race_hidden_file;

static inline gboolean
race_is_told (const char *file)
{
  return race_hidden_file == NULL || strstr (file, race_hidden_file) == NULL;
}

static inline void
race_mutex_lock (GMutex *mutex, const char *file)
{
  if (race_is_told (file))
    __tsan_mutex_pre_lock (mutex, __tsan_mutex_linker_init);
  g_mutex_lock (mutex);
  if (race_is_told (file))
    __tsan_mutex_post_lock (mutex, __tsan_mutex_linker_init, 0);
}

static inline gboolean
race_mutex_trylock (GMutex *mutex, const char *file)
{
  gboolean locked;

  if (race_is_told (file))
    __tsan_mutex_pre_lock (mutex,
                           __tsan_mutex_linker_init | __tsan_mutex_try_lock);
  locked = g_mutex_trylock (mutex);
  if (race_is_told (file))
    __tsan_mutex_post_lock (mutex,
                            __tsan_mutex_linker_init | __tsan_mutex_try_lock
                                | (locked ? 0 : __tsan_mutex_try_lock_failed),
                            0);
  return locked;
}

static inline void
race_mutex_unlock (GMutex *mutex, const char *file)
{
  if (race_is_told (file))
    __tsan_mutex_pre_unlock (mutex, __tsan_mutex_linker_init);
  g_mutex_unlock (mutex);
  if (race_is_told (file))
    __tsan_mutex_post_unlock (mutex, __tsan_mutex_linker_init);
}

#define g_mutex_lock(mutex) race_mutex_lock (mutex, __FILE__)
#define g_mutex_trylock(mutex) race_mutex_trylock (mutex, __FILE__)
#define g_mutex_unlock(mutex) race_mutex_unlock (mutex, __FILE__)
