/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the modules that one dlopen() has brought, so that its caller has
 * nothing to do with all others.
 * Owner: nothing; the loader's list is read.
 * Threads: any; they wait for the loader's lock, as dlopen() does, and for
 * nothing of ours.
 */
#pragma once

#include <link.h>

#include <glib.h>

G_BEGIN_DECLS

/* How many modules the loader has added so far; 0: it does not say, or the
 * process forks. */
guint64 pyro_newest_modules_begin (void);

/* How many of its list's last modules came since the loader had added BEGIN. */
guint pyro_newest_modules_count (guint64 begin);

/* dl_iterate_phdr() for the last N modules of the list, which may be a few more
 * if others load meanwhile. FALSE: not now, the process forks. FUNC must not
 * allocate. */
gboolean pyro_newest_modules_iterate (guint n,
                                      int (*func) (struct dl_phdr_info *,
                                                   size_t, void *),
                                      gpointer data);

G_END_DECLS
