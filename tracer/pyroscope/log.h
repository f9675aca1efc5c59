/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the log category "pyroscope" and the messages meant for the user.
 * Owner: the category lives as long as the process.
 * Threads: any thread but a signal handler.
 */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

GST_DEBUG_CATEGORY_EXTERN (pyro_debug);

/* Makes the category. Call it before the first message; more calls do
 * nothing. */
void pyro_log_init (void);

/* One message for whoever runs the application: LEVEL is GST_LEVEL_ERROR,
 * GST_LEVEL_WARNING or GST_LEVEL_INFO. It goes to the category; an error or a
 * warning that the category's threshold hides goes to standard error instead,
 * as one line "gst-pyroscope: warning: ...", unless the application has given
 * descriptor 2 to something else since pyro_log_init(). Never ends the
 * process, whatever G_DEBUG says: neither by a fatal warning nor by SIGPIPE or
 * SIGXFSZ. */
void pyro_log_user (GstDebugLevel level, const gchar *format, ...)
    G_GNUC_PRINTF (2, 3);

/* The end of what a warning was about, at the same level: whoever saw that one
 * sees this one. On standard error the line has no "warning: ". */
void pyro_log_recovery (const gchar *format, ...) G_GNUC_PRINTF (1, 2);

/* The application may have given GStreamer a function of its own for the log,
 * which takes locks (Python's), and may call us with them. So nothing is logged
 * with a lock of ours that others wait for: what this thread has to say after
 * pyro_log_hold() waits until pyro_log_release(), behind the unlocking. */
void pyro_log_hold (void);
void pyro_log_release (void);

G_END_DECLS
