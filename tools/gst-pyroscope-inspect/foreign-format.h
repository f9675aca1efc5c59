/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: names what a file is that is no profile, where that can be seen.
 * Owner: none.
 * Threads: any; no state.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Replaces ERROR, which came of decoding BYTES, where BYTES are a format of
 * another profiler that is known. */
void pyro_foreign_format_explain (GBytes *bytes, GError **error);

G_END_DECLS
