/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "module-history.h"

/* Of those who unload all the time; what is older is in doubt then. */
#define MAX_PERIODS 256

struct _PyroModuleHistory {
  GArray *periods; /* of PyroModulePeriod, by epoch */
  /* Of the last one that had to go before its time. */
  gboolean has_lost;
  guint32 lost_epoch;
};

static void
period_clear (gpointer data)
{
  PyroModulePeriod *period = data;

  g_ptr_array_unref (period->modules);
  g_clear_pointer (&period->fresh, g_ptr_array_unref);
}

PyroModuleHistory *
pyro_module_history_new (void)
{
  PyroModuleHistory *history = g_new0 (PyroModuleHistory, 1);

  history->periods = g_array_new (FALSE, FALSE, sizeof (PyroModulePeriod));
  g_array_set_clear_func (history->periods, period_clear);
  return history;
}

void
pyro_module_history_free (PyroModuleHistory *history)
{
  g_array_unref (history->periods);
  g_free (history);
}

static PyroModulePeriod *
get (const PyroModuleHistory *history, guint i)
{
  return &g_array_index (history->periods, PyroModulePeriod, i);
}

/* The epochs wrap around. */
static gboolean
is_earlier (guint32 a, guint32 b)
{
  return (gint32)(a - b) < 0;
}

/* The first period that is not before EPOCH; the number of periods if all are.
 */
static guint
find_period (const PyroModuleHistory *history, guint32 epoch)
{
  guint low = 0, high = history->periods->len;

  while (low < high) {
    guint middle = low + (high - low) / 2;

    if (is_earlier (get (history, middle)->epoch, epoch))
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* What is added later for one epoch has all that was there before: nothing was
 * unloaded in between. A generation stays with its own list. */
void
pyro_module_history_add (PyroModuleHistory *history,
                         const PyroModulePeriod *period)
{
  guint at = find_period (history, period->epoch);

  while (at < history->periods->len
         && get (history, at)->epoch == period->epoch)
    at++;
  g_array_insert_vals (history->periods, at, period, 1);
  if (history->periods->len > MAX_PERIODS) {
    history->has_lost = TRUE;
    history->lost_epoch = get (history, 0)->epoch;
    g_array_remove_index (history->periods, 0);
  }
}

const PyroModule *
pyro_module_list_find (GPtrArray *modules, guintptr pc)
{
  guint low = 0, high = modules->len;

  while (low < high) {
    guint middle = low + (high - low) / 2;
    const PyroModule *module = g_ptr_array_index (modules, middle);

    if (pc < module->start)
      high = middle;
    else if (pc >= module->limit)
      low = middle + 1;
    else
      return module;
  }
  return NULL;
}

/* What was at PC all the time that is remembered. FALSE: that has changed. */
static gboolean
find_lasting (const PyroModuleHistory *history, guintptr pc,
              const PyroModule **module)
{
  *module = NULL;
  for (guint i = 0; i < history->periods->len; i++) {
    const PyroModulePeriod *period = get (history, i);
    const PyroModule *found = pyro_module_list_find (period->modules, pc);

    if (i > 0
        && (found != *module
            || (found != NULL && period->fresh != NULL
                && g_ptr_array_find (period->fresh, found, NULL))))
      return FALSE;
    *module = found;
  }
  return TRUE;
}

const PyroModule *
pyro_module_history_find (const PyroModuleHistory *history, guintptr pc,
                          PyroModuleMoment moment, gboolean *in_doubt)
{
  guint32 epoch = (guint32)(moment >> 32);
  guint at = find_period (history, epoch + 1);
  const PyroModulePeriod *period = at > 0 ? get (history, at - 1) : NULL;
  const PyroModule *module;

  *in_doubt = FALSE;
  if (period != NULL && period->epoch == epoch && period->is_certain)
    return pyro_module_list_find (period->modules, pc);
  *in_doubt
      = !find_lasting (history, pc, &module)
        || (history->has_lost && !is_earlier (history->lost_epoch, epoch));
  return *in_doubt ? NULL : module;
}

gboolean
pyro_module_history_was_misled (const PyroModuleHistory *history, guintptr pc,
                                PyroModuleMoment moment,
                                const PyroModule *module)
{
  guint32 generation = (guint32)moment;

  for (guint i = history->periods->len; generation != 0 && i-- > 0;) {
    const PyroModulePeriod *period = get (history, i);
    const PyroModule *known;

    if (period->generation != generation)
      continue;
    known = pyro_module_list_find (period->modules, pc);
    return known != NULL && known != module;
  }
  return FALSE;
}

GPtrArray *
pyro_module_history_get (const PyroModuleHistory *history, guint32 epoch)
{
  guint n = find_period (history, epoch + 1);

  return n > 0 ? get (history, n - 1)->modules : NULL;
}

/* The one before stays: it is what was there until then. */
void
pyro_module_history_forget (PyroModuleHistory *history, guint32 epoch)
{
  guint n = find_period (history, epoch);

  if (n > 1)
    g_array_remove_range (history->periods, 0, n - 1);
  if (history->has_lost && is_earlier (history->lost_epoch, epoch))
    history->has_lost = FALSE;
}
