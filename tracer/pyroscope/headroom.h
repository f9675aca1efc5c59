/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: whether the process may map as much more memory as a profile can take.
 * Owner: nothing is owned.
 * Threads: any, outside of the handler.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* FALSE: RLIMIT_AS or RLIMIT_DATA leaves too little. */
gboolean pyro_headroom_is_enough (GError **error);

G_END_DECLS
