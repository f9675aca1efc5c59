/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "module-tables.h"

#include "cfi-compiler.h"
#include "debug-frame.h"
#include "eh-frame.h"

/* Bytes. What the C library puts into each module has no CFI: 233 to 252 here.
 */
#define START_CODE_SIZE 256

void
pyro_shared_table_unref (gpointer data)
{
  PyroSharedTable *shared = data;

  if (shared == NULL || --shared->ref_count > 0)
    return;
  g_free (shared->table);
  g_free (shared->call_sites);
  g_free (shared);
}

void
pyro_module_sections_clear (PyroModuleSections *sections)
{
  g_clear_pointer (&sections->eh_frame, g_bytes_unref);
  g_clear_pointer (&sections->debug_frame, g_bytes_unref);
}

/* Without a build id nothing proves that the file is the one in memory. */
static void
find_debug_frame (PyroModuleSections *sections, const PyroModule *module)
{
  if (!sections->debug_frame_known && module->build_id != NULL
      && module->path[0] == '/')
    sections->debug_frame
        = pyro_debug_frame_read (module->path, module->build_id);
  sections->debug_frame_known = TRUE;
}

/* The module's file is only opened if code has no .eh_frame. */
static PyroTable *
compile_sections (PyroRuleSet *rules, const PyroModule *module,
                  PyroModuleSections *sections, PyroCfiStatistics *statistics)
{
  PyroCfiInput input = { .address = sections->address,
                         .bias = module->bias,
                         .segment_start = module->start,
                         .segment_limit = module->limit };
  PyroTable *table = NULL;

  if (sections->eh_frame != NULL) {
    input.data = g_bytes_get_data (sections->eh_frame, &input.size);
    table = pyro_cfi_compile (&input, rules, statistics);
    if (statistics->bare_size <= START_CODE_SIZE)
      return table;
  }
  find_debug_frame (sections, module);
  if (sections->debug_frame == NULL)
    return table;
  g_free (table);
  input.debug_frame
      = g_bytes_get_data (sections->debug_frame, &input.debug_frame_size);
  return pyro_cfi_compile (&input, rules, statistics);
}

PyroSharedTable *
pyro_module_compile (const PyroLoadedModule *loaded, const PyroModule *module,
                     PyroModuleSections *sections, PyroRuleSet *rules,
                     PyroModulesStatistics *totals)
{
  PyroSharedTable *shared = g_new0 (PyroSharedTable, 1);
  PyroCfiStatistics statistics = { 0 };
  gint64 before = g_get_monotonic_time ();

  if (!sections->eh_frame_known)
    sections->eh_frame = pyro_eh_frame_copy (loaded, &sections->address);
  sections->eh_frame_known = TRUE;
  shared->ref_count = 1;
  shared->table = compile_sections (rules, module, sections, &statistics);
  totals->n_fdes += statistics.n_fdes;
  totals->n_skipped += statistics.n_skipped;
  totals->n_truncated += statistics.n_truncated;
  totals->n_unsupported += statistics.n_unsupported;
  totals->compile_ns += (guint64)(g_get_monotonic_time () - before) * 1000;
  return shared;
}
