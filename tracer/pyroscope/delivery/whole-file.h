/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: files that others see whole or not at all, and locks on them that end
 * with the process that has them.
 * Owner: who has a lock owns its descriptor.
 * Threads: any thread that blocks SIGXFSZ (a file size limit raises it).
 *
 * A file is written aside, as ".NAME.tmp", and renamed. Not synced: a profile
 * is not worth stalling the disk. While it is written it is locked (flock),
 * which is how one that nobody writes any more is known, also where processes
 * of several containers, whose pids mean nothing to each other, use one
 * directory.
 */
#pragma once

#include <sys/stat.h>

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  int fd; /* -1: there is none */
  dev_t device;
  ino_t inode;
} PyroFileLock;

#define PYRO_FILE_LOCK_NONE ((PyroFileLock){ -1, 0, 0 })

/* Whether NAME is one of the caller's. */
typedef gboolean (*PyroNameMatch) (const gchar *name, gpointer user_data);

/* Writes DATA to DIR/NAME, with MODE whatever the umask. An existing file is
 * never replaced: EEXIST. LOCK, or NULL: gets the lock on the new file. Returns
 * 0 or an errno; then nothing is left behind. */
int pyro_whole_file_write (const gchar *dir, const gchar *name, guint mode,
                           GBytes *data, PyroFileLock *lock);

/* Removes what was begun for names that MATCH, by this user, and is not being
 * written by anybody. */
void pyro_whole_file_clean (const gchar *dir, PyroNameMatch match,
                            gpointer user_data);

/* Locks the file at PATH, without waiting. Returns 0 or an errno: ENOENT where
 * it is gone, EWOULDBLOCK where another process has the lock. */
int pyro_file_lock_take (PyroFileLock *lock, const gchar *path);

/* Nothing happens to a descriptor that the application has closed. Async-signal
 * -safe. */
void pyro_file_lock_release (PyroFileLock *lock);

G_END_DECLS
