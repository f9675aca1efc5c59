/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: finds a signal that nobody uses, and puts our handler on it.
 * Owner: the process; the handler stays installed for good.
 * Threads: the collector only.
 */
#pragma once

#include <glib.h>

/* Which signal, and why not SIGPROF: applications and other profilers own
 * SIGPROF, and its default action ends the process, so one program part that
 * resets all dispositions would make our next tick fatal. SIGURG and SIGWINCH
 * are ignored by default: after such a reset samples are missing, nothing
 * else. They are taken only where nobody in the process listens to them, that
 * is, where they are ignored by default or by wish.
 *
 * A thread that blocks our signal cannot be sampled, and one that waits for it
 * with sigwaitinfo() or a signalfd would be sent signals that it does not
 * expect: of the two, the one that fewer threads block. Where it is more than
 * half of them, or both are handled, a real-time signal that fewer block, from
 * the highest down; not at once, because its default action ends the process.
 *
 * Where all of them are handled (the Go runtime does that), a real-time signal
 * is shared: what is not ours is handed on to the handler that was there.
 *
 * Returns the number, or 0 with ERROR set (PYRO_SIGNAL_ERROR). */
gint pyro_signal_acquire (GError **error);

#define PYRO_SIGNAL_ERROR (pyro_signal_error_quark ())
GQuark pyro_signal_error_quark (void);

/* Whether our handler is still the one in force for SIGNO. */
gboolean pyro_signal_is_ours (gint signo);

/* "SIGURG", "SIGRTMAX-3", "none" for 0. The text is the room's, until the next
 * call. */
const gchar *pyro_signal_name (gint signo);
