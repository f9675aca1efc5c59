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

/* Writes DATA, compressed already, to a new file in DIR, mode 0600 whatever
 * the umask, named <service>-<UTC yyyymmddThhmmssZ>-<pid>-<sequence>.pb.gz:
 * the service with anything but letters, digits, '.', '_' and '-' made '_',
 * TIME_NS (UNIX time, nanoseconds), this process and a number that counts the
 * process' captures. It is written aside and renamed, so that a reader sees
 * all of it or nothing, and an existing file is never replaced. Not synced: a
 * profile is not worth stalling the disk.
 *
 * Returns the file's path (transfer full); NULL with an error, and nothing
 * left behind. */
gchar *pyro_capture_file_write (const gchar *dir, const gchar *service,
                                gint64 time_ns, GBytes *data, GError **error);

G_END_DECLS
