/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: what the collector finds out about a thread's element later than the
 * thread began: from a sampled stack, and from who uses a library meanwhile.
 * Owner: its answers, as long as neither the libraries nor the elements in use
 * change.
 * Threads: the collector.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The label word of a thread whose creation was not seen, from a sampled stack
 * that is complete (PCS, leaf first): that of the element for which the library
 * of its start routine was loaded; else that of the only live element whose
 * plugin directly links the library of its start routine; that of a shared
 * thread if it is of a team that elements use; else 0. */
guint64 pyro_late_owners_guess (const guintptr *pcs, guint n_pcs);

/* What LABEL means now: a thread of a team is its maker's as long as no other
 * element uses the team, and shared from then on. */
guint64 pyro_late_owners_settle (guint64 label);

/* In the child of a fork(): what its collector was at work on may be torn. */
void pyro_late_owners_fork_child (void);

G_END_DECLS
