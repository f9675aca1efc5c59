/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: a directory where requests wait for a server, also when no process
 * does.
 * Owner: the directory belongs to all processes of the user; a file to whoever
 * has its lock (whole-file.h), so that two never send one.
 * Threads: immutable after pyro_spool_new(), so any.
 *
 * A file is a whole PushRequest. Its name says where it is to be sent and for
 * which service, as a hash, and the time of its profile; a process looks at no
 * other's.
 */
#pragma once

#include "whole-file.h"

G_BEGIN_DECLS

typedef struct _PyroSpool PyroSpool;

/* DIR is made absolute now. URL: of the server, without user and password. */
PyroSpool *
pyro_spool_new (const gchar *dir, const gchar *service, const gchar *url);
void pyro_spool_free (PyroSpool *spool);
const gchar *pyro_spool_get_dir (const PyroSpool *spool);

/* Writes REQUEST, of a profile that began at TIME_NS. LOCK gets the lock on
 * it. Returns the path (transfer full); NULL with a PYRO_CAPTURE_ERROR. */
gchar *pyro_spool_write (const PyroSpool *spool, gint64 time_ns,
                         GBytes *request, PyroFileLock *lock, GError **error);

typedef struct {
  gchar *path;
  gint64 time_ns;
  gsize size;
} PyroSpoolFile;

/* What is there for this service and server, oldest first, an array of
 * PyroSpoolFile; what was begun and never finished is removed. (transfer
 * full) */
GArray *pyro_spool_list (const PyroSpool *spool);

/* Reads the file at PATH, which the caller has locked. NULL: it is not a
 * request, because of a crash of the machine. (transfer full) */
GBytes *pyro_spool_read (const gchar *path);

G_END_DECLS
