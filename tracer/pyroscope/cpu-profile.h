/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: from the aggregate of an interval to a pprof profile of CPU time.
 * Owner: the encoder is counted; each job of the delivery holds one count.
 * Threads: new, ref and unref on any thread; encode on one at a time (the
 * delivery's), because it reads symbols from files and keeps them.
 */
#pragma once

#include "aggregate.h"
#include "delivery/delivery.h"
#include "settings.h"

G_BEGIN_DECLS

/* The series' __name__ (see Pyroscope's profile types). */
#define PYRO_CPU_PROFILE_NAME "process_cpu"

typedef struct _PyroCpuEncoder PyroCpuEncoder;

/* UNWINDER: static; for the comments of the profile. */
PyroCpuEncoder *
pyro_cpu_encoder_new (const PyroSettings *settings, const gchar *unwinder);
PyroCpuEncoder *pyro_cpu_encoder_ref (PyroCpuEncoder *encoder);
void pyro_cpu_encoder_unref (PyroCpuEncoder *encoder);

/* From UNTIL on (monotonic time, microseconds) nothing more is read for names:
 * profiles have those that are known, and a comment says how many are missing.
 * Any thread. */
void pyro_cpu_encoder_limit_names (PyroCpuEncoder *encoder, gint64 until);

/* The pprof message, or NULL for an interval without samples. RATE (Hz) is
 * that of the interval, SIGNAL_NAME drove it; what the delivery did between
 * BEFORE and NOW is in the comments. (transfer full) */
GBytes *pyro_cpu_encoder_encode (PyroCpuEncoder *encoder,
                                 const PyroAggregate *aggregate, guint rate,
                                 const gchar *signal_name,
                                 const PyroDeliveryStats *before,
                                 const PyroDeliveryStats *now);

G_END_DECLS
