/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: CPU time of a known amount, and the truth about it that a test compares
 * a profile with.
 * Owner: a PyroBurn is part of its element.
 * Threads: burn from any; the sums are atomic.
 */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* Where an element uses CPU time. */
typedef enum {
  PYRO_BURN_DATA,  /* each buffer: chain, create, the task, aggregate */
  PYRO_BURN_EVENT, /* each event from upstream */
  PYRO_BURN_QUERY, /* each custom query */
  PYRO_BURN_STATE, /* each change of state upwards */
  PYRO_BURN_N_WORKS
} PyroBurnWork;

typedef struct {
  guint cost_us[PYRO_BURN_N_WORKS];
  /* Not 0: each buffer costs what is missing until the thread's CPU clock,
   * modulo the period, shows the phase (microseconds): exactly regular work. */
  guint period_us, phase_us;
  guint64 random;                     /* state */
  guint64 used_ns[PYRO_BURN_N_WORKS]; /* measured by the thread's CPU clock */
} PyroBurn;

/* CPU time of this thread, in nanoseconds. */
guint64 pyro_burn_thread_time (void);

/* Uses NS of CPU time, or a little more; returns how much. */
guint64 pyro_burn_cpu (guint64 ns);

/* Uses the time that WORK costs, and counts it. */
void pyro_burn_do (PyroBurn *burn, PyroBurnWork work);

/* Properties of every element here: "data-cost", "event-cost", "query-cost",
 * "state-cost" (microseconds each time, on average), "period" and "phase", and,
 * read-only, "used" (nanoseconds in all). Their ids are from 1 on. */
#define PYRO_BURN_N_PROPERTIES (PYRO_BURN_N_WORKS + 3)
void pyro_burn_install_properties (GObjectClass *klass);
/* FALSE: the property is not one of these. */
gboolean pyro_burn_set_property (PyroBurn *burn, guint id, const GValue *value);
gboolean pyro_burn_get_property (PyroBurn *burn, guint id, GValue *value);

/* The elements: "pyroburn" (one in, one out), "pyroburnsrc" (in create),
 * "pyroburndemux" (in its tasks), "pyroburnaggregator". In a plugin of its own:
 * "pyroburnworkers" (in threads that it makes). */
GType pyro_burn_filter_get_type (void);
GType pyro_burn_src_get_type (void);
GType pyro_burn_demux_get_type (void);
GType pyro_burn_aggregator_get_type (void);

/* Makes them known under these names; PLUGIN NULL: to this process alone. */
gboolean pyro_burn_register (GstPlugin *plugin);

G_END_DECLS
