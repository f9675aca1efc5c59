/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: C++ and Rust names as people write them.
 * Owner: the caller owns the result. Threads: any.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The name for people behind the linker's NAME (Itanium C++ ABI, Rust legacy
 * and v0), without Rust's hash; NULL if NAME is not mangled, or if it would
 * expand to something unreasonable. Free with g_free(). */
gchar *pyro_demangle (const gchar *name);

G_END_DECLS
