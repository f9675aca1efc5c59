/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "burn.h"

#include <time.h>

enum {
  PROP_PERIOD = PYRO_BURN_N_WORKS + 1,
  PROP_PHASE,
  PROP_USED,
};
G_STATIC_ASSERT (PROP_USED == PYRO_BURN_N_PROPERTIES);

/* Reading the clock is a system call: most of the time must not be that. */
#define SPINS_BETWEEN_READINGS 2000

guint64
pyro_burn_thread_time (void)
{
  struct timespec time;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &time);
  return (guint64)time.tv_sec * GST_SECOND + (guint64)time.tv_nsec;
}

guint64
pyro_burn_cpu (guint64 ns)
{
  guint64 start = pyro_burn_thread_time ();
  guint64 used = 0;

  while (used < ns) {
    for (volatile guint i = 0; i < SPINS_BETWEEN_READINGS; i++)
      ;
    used = pyro_burn_thread_time () - start;
  }
  return used;
}

static guint64
time_to_phase (const PyroBurn *burn)
{
  guint64 period = (guint64)burn->period_us * GST_USECOND;
  guint64 phase = (guint64)burn->phase_us * GST_USECOND % period;

  return (period + phase - pyro_burn_thread_time () % period) % period;
}

/* Between half of COST and one and a half: work of a fixed period falls in step
 * with the kernel's tick, and each look at it is the same. The mixing function
 * is that of splitmix64 (Steele, Lea and Flood, 2014). */
static guint64
vary (PyroBurn *burn, guint64 cost)
{
  guint64 z = __atomic_add_fetch (
      &burn->random, G_GUINT64_CONSTANT (0x9e3779b97f4a7c15), __ATOMIC_RELAXED);

  z = (z ^ z >> 30) * G_GUINT64_CONSTANT (0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * G_GUINT64_CONSTANT (0x94d049bb133111eb);
  z ^= z >> 31;
  return cost / 2 + z % (cost + 1);
}

void
pyro_burn_do (PyroBurn *burn, PyroBurnWork work)
{
  guint64 ns = (guint64)g_atomic_int_get (&burn->cost_us[work]) * GST_USECOND;

  if (work == PYRO_BURN_DATA && burn->period_us != 0)
    ns = time_to_phase (burn);
  else
    ns = vary (burn, ns);
  if (ns > 0)
    __atomic_add_fetch (&burn->used_ns[work], pyro_burn_cpu (ns),
                        __ATOMIC_RELAXED);
}

void
pyro_burn_install_properties (GObjectClass *klass)
{
  static const gchar *const names[PYRO_BURN_N_WORKS] = {
    [PYRO_BURN_DATA] = "data-cost",
    [PYRO_BURN_EVENT] = "event-cost",
    [PYRO_BURN_QUERY] = "query-cost",
    [PYRO_BURN_STATE] = "state-cost",
  };

  for (guint i = 0; i < PYRO_BURN_N_WORKS; i++)
    g_object_class_install_property (
        klass, i + 1,
        g_param_spec_uint (names[i], names[i],
                           "CPU time that it costs each time, in microseconds",
                           0, G_MAXUINT, 0,
                           G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS));
  g_object_class_install_property (
      klass, PROP_PERIOD,
      g_param_spec_uint ("period", "period",
                         "Of exactly regular work, in microseconds; 0: no such "
                         "work",
                         0, G_MAXUINT, 0,
                         G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS));
  g_object_class_install_property (
      klass, PROP_PHASE,
      g_param_spec_uint ("phase", "phase",
                         "Where in the period a buffer is done, in "
                         "microseconds",
                         0, G_MAXUINT, 0,
                         G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS));
  g_object_class_install_property (
      klass, PROP_USED,
      g_param_spec_uint64 (
          "used", "used", "CPU time that it has cost, in nanoseconds", 0,
          G_MAXUINT64, 0, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
}

gboolean
pyro_burn_set_property (PyroBurn *burn, guint id, const GValue *value)
{
  if (id <= PYRO_BURN_N_WORKS)
    g_atomic_int_set (&burn->cost_us[id - 1], g_value_get_uint (value));
  else if (id == PROP_PERIOD)
    burn->period_us = g_value_get_uint (value);
  else if (id == PROP_PHASE)
    burn->phase_us = g_value_get_uint (value);
  else
    return FALSE;
  return TRUE;
}

static guint64
sum_of_used (const PyroBurn *burn)
{
  guint64 used = 0;

  for (guint i = 0; i < PYRO_BURN_N_WORKS; i++)
    used += __atomic_load_n (&burn->used_ns[i], __ATOMIC_RELAXED);
  return used;
}

gboolean
pyro_burn_get_property (PyroBurn *burn, guint id, GValue *value)
{
  if (id <= PYRO_BURN_N_WORKS)
    g_value_set_uint (value, g_atomic_int_get (&burn->cost_us[id - 1]));
  else if (id == PROP_PERIOD)
    g_value_set_uint (value, burn->period_us);
  else if (id == PROP_PHASE)
    g_value_set_uint (value, burn->phase_us);
  else if (id == PROP_USED)
    g_value_set_uint64 (value, sum_of_used (burn));
  else
    return FALSE;
  return TRUE;
}

gboolean
pyro_burn_register (GstPlugin *plugin)
{
  return gst_element_register (plugin, "pyroburn", GST_RANK_NONE,
                               pyro_burn_filter_get_type ())
         && gst_element_register (plugin, "pyroburnsrc", GST_RANK_NONE,
                                  pyro_burn_src_get_type ())
         && gst_element_register (plugin, "pyroburndemux", GST_RANK_NONE,
                                  pyro_burn_demux_get_type ())
         && gst_element_register (plugin, "pyroburnaggregator", GST_RANK_NONE,
                                  pyro_burn_aggregator_get_type ());
}
