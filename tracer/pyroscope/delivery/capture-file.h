/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: one profile, written to a file of its own in the output directory.
 * Owner: holds nothing between calls, no descriptor either.
 * Threads: any thread that blocks SIGXFSZ (a file size limit raises it).
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The code of such an error is the errno; its message names the path and the
 * system's reason. */
#define PYRO_CAPTURE_ERROR (pyro_capture_error_quark ())
GQuark pyro_capture_error_quark (void);

/* Makes DIR, with its parents, mode 0700, if it is missing, and sees whether
 * files can be made in it. */
gboolean pyro_capture_dir_prepare (const gchar *dir, GError **error);

/* Writes DATA, compressed already, to a new file in DIR, with MODE whatever the
 * umask, named <service>-<UTC yyyymmddThhmmssZ>-<pid>-<sequence>.pb.gz:
 * the service with anything but letters, digits, '.', '_' and '-' made '_',
 * TIME_NS (UNIX time, nanoseconds), this process and a number that counts the
 * process' captures. A reader sees all of it or nothing (whole-file.h).
 *
 * Returns the file's path (transfer full); NULL with an error, and nothing
 * left behind. */
gchar *
pyro_capture_file_write (const gchar *dir, const gchar *service, gint64 time_ns,
                         guint mode, GBytes *data, GError **error);

/* NAME without what no file's name should have; for the beginning of one.
 * (transfer full) */
gchar *pyro_capture_safe_name (const gchar *name);

/* The UTC time in the form that names of files have. (transfer full) */
gchar *pyro_capture_stamp (gint64 time_ns);

/* Removes what processes of SERVICE that are gone have begun in DIR. */
void pyro_capture_dir_clean (const gchar *dir, const gchar *service);

/* Removes the oldest captures of SERVICE in DIR, of this user, until the rest
 * takes no more than MAX_BYTES; the newest always stays. Adds what was removed
 * to *N_REMOVED. Returns the bytes of what is left. Takes a system call for
 * each file in DIR. */
guint64 pyro_capture_dir_trim (const gchar *dir, const gchar *service,
                               guint64 max_bytes, guint *n_removed);

G_END_DECLS
