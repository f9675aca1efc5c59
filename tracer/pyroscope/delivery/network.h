/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: libcurl and the TLS library below it as something that the whole
 * process shares: when they are initialized, and until when they may be used.
 * Owner: process-wide. libcurl is never cleaned up by us: it may have other
 * users.
 * Threads: begin, end and start on the delivery thread; close by exit()'s
 * handler; forget after fork().
 *
 * exit() cleans TLS libraries up while other threads run. A delivery thread
 * that a stop had to leave behind in the middle of a push would then use what
 * is gone; so libcurl is only called between begin and end, and the handler
 * closes that door before it returns.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Initializes libcurl if it is not yet, tens of milliseconds. Done before the
 * first push is due, so that our exit handler can be registered after the TLS
 * library's own. */
void pyro_network_start (void);

/* TRUE: libcurl may be used until pyro_network_end(), which comes soon: within
 * the 0.1 s of one wait. FALSE: not, and what libcurl has allocated stays
 * where it is; *REASON, or NULL, says why in a few words (static). */
gboolean pyro_network_begin (const gchar **reason);
void pyro_network_end (void);

/* Once, after a push that a server answered: what was loaded for it may have
 * registered clean-ups as well. Outside of begin and end. */
void pyro_network_was_used (void);

/* At exit(): from now on pyro_network_begin() is FALSE. FALSE: somebody was
 * still inside at DEADLINE (monotonic time, microseconds). */
gboolean pyro_network_close (gint64 deadline);

/* In the child of a fork(): those who were inside are not there. */
void pyro_network_forget (void);

G_END_DECLS
