/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the handler that exit() runs for the profiler, before the clean-up of
 * the libraries that the last profile is pushed with.
 * Owner: process-wide; nothing is ever unregistered.
 * Threads: any.
 *
 * exit() runs handlers in the reverse order of their registration, and those
 * that libraries register while they are initialized (OpenSSL does) would come
 * before one of ours that is older. So ours is registered again once they are
 * there. Destructors of libraries (GnuTLS, p11-kit) run after all handlers.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* HANDLER will run at exit(), perhaps more than once. Later calls do nothing.
 */
void pyro_at_exit (void (*handler) (void));

/* HANDLER, if there is one, will run before what was registered since. Costs
 * some bytes for ever: for a handful of calls. */
void pyro_at_exit_again (void);

G_END_DECLS
