/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: what became of samples and profiles, for people, for applications and
 * in the profiles themselves.
 * Owner: results belong to the caller.
 * Threads: no state; any thread.
 */
#pragma once

#include <gst/gst.h>

#include "profile/profile-builder.h"
#include "session.h"

G_BEGIN_DECLS

/* One sentence. (transfer full) */
gchar *pyro_accounting_describe (const PyroSessionStats *stats);

/* All counters by name. (transfer full) */
GstStructure *pyro_accounting_to_structure (const PyroSessionStats *stats);

/* What the delivery did between BEFORE and NOW, as comments that add up when
 * profiles are merged; what is 0 is left out. */
void pyro_accounting_add_comments (PyroProfileBuilder *builder,
                                   const PyroDeliveryStats *before,
                                   const PyroDeliveryStats *now);

G_END_DECLS
