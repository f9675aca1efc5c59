/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "modules.h"

#include <string.h>

#include "call-sites.h"
#include "cfi-compiler.h"
#include "context-start.h"
#include "loader.h"
#include "module-history.h"
#include "module-set.h"
#include "module-tables.h"
#include "published.h"
#include "signal-return.h"
#include "unloads.h"

/* Text whose call sites are kept, of all modules: an eighth of it in memory. */
#define MAX_CALL_SITES_TEXT (64u << 20)

/* A loaded executable segment. */
typedef struct {
  PyroModule *module;     /* owned by PyroModules.set */
  PyroSharedTable *table; /* a reference; NULL without tables */
} Loaded;

/* What one published pointer leads to. */
typedef struct {
  PyroUnwindTables tables; /* first: it is what is published */
  PyroSegment *segments;
  uintptr_t *starts;
  uintptr_t *tops;
  const uint8_t **call_sites;
  GPtrArray *shared; /* of PyroSharedTable, references */
  PyroRuleArray *rules;
} Snapshot;

struct _PyroModules {
  gboolean with_tables;
  gboolean is_listed; /* the counters below are of the last list */
  guint64 adds, subs;

  PyroModuleSet *set;
  GArray *loaded; /* of Loaded, sorted by start, disjoint */

  /* What was loaded when. The loader's and our own count of removed modules at
   * the end of it: where they do not go on alike, somebody else has unloaded
   * something. */
  PyroModuleHistory *history;
  guint64 known_subs, known_logged;
  guint32 epoch;       /* of LOADED */
  gboolean is_certain; /* whatever is in LOADED's place at EPOCH is LOADED */
  guint32 drained;     /* the count of unloads at the drain before the last */

  PyroRuleSet *rules;
  guintptr context_start;
  guint64 signal_return;
  Snapshot *published;
  GPtrArray *retired; /* of Snapshot */

  PyroModulesStatistics statistics;
};

/* Of all that were ever published: a thread's cache outlives a PyroModules.
 * Written by the collector's thread. */
static guint32 last_generation;

static void
snapshot_free (gpointer data)
{
  Snapshot *snapshot = data;

  g_free (snapshot->segments);
  g_free (snapshot->starts);
  g_free (snapshot->tops);
  g_free (snapshot->call_sites);
  g_ptr_array_unref (snapshot->shared);
  pyro_rule_array_unref (snapshot->rules);
  g_free (snapshot);
}

static void
loaded_clear (gpointer data)
{
  pyro_shared_table_unref (((Loaded *)data)->table);
}

PyroModules *
pyro_modules_new (gboolean with_tables)
{
  PyroModules *modules = g_new0 (PyroModules, 1);

  modules->with_tables = with_tables;
  modules->context_start = pyro_find_context_start ();
  modules->set = pyro_module_set_new ();
  modules->loaded = g_array_new (FALSE, FALSE, sizeof (Loaded));
  g_array_set_clear_func (modules->loaded, loaded_clear);
  modules->rules = pyro_rule_set_new ();
  modules->history = pyro_module_history_new ();
  modules->retired = g_ptr_array_new_with_free_func (snapshot_free);
  return modules;
}

void
pyro_modules_free (PyroModules *modules)
{
  if (modules == NULL)
    return;
  if (modules->published != NULL) {
    pyro_publish_tables (NULL);
    snapshot_free (modules->published);
  }
  g_ptr_array_unref (modules->retired);
  g_array_unref (modules->loaded);
  pyro_module_history_free (modules->history);
  pyro_rule_set_free (modules->rules);
  pyro_module_set_free (modules->set);
  g_free (modules);
}

/* The table that MODULE had in the list before this one. Without a build id
 * nothing proves that the file is still the same. */
static PyroSharedTable *
ref_known_table (PyroModules *modules, const PyroModule *module)
{
  guint i;

  if (module->build_id == NULL)
    return NULL;
  for (i = 0; i < modules->loaded->len; i++) {
    Loaded *loaded = &g_array_index (modules->loaded, Loaded, i);

    if (loaded->module == module && loaded->table != NULL) {
      loaded->table->ref_count++;
      return loaded->table;
    }
  }
  return NULL;
}

/* Adds the executable segments of one module of the loader's to LIST. */
static void
add_loaded (PyroModules *modules, const PyroLoadedModule *loaded, GArray *list)
{
  PyroModuleSections sections = { 0 };
  guint i;

  for (i = 0; i < loaded->segments->len; i++) {
    const PyroLoadSegment *segment
        = &g_array_index (loaded->segments, PyroLoadSegment, i);
    Loaded entry = { NULL, NULL };

    if (!segment->is_executable)
      continue;
    entry.module
        = pyro_module_set_intern_segment (modules->set, loaded, segment);
    if (modules->with_tables) {
      entry.table = ref_known_table (modules, entry.module);
      if (entry.table == NULL)
        entry.table
            = pyro_module_compile (loaded, entry.module, &sections,
                                   modules->rules, &modules->statistics);
    }
    if (strcmp (entry.module->path, "[vdso]") == 0)
      modules->signal_return = pyro_find_signal_return (loaded);
    g_array_append_val (list, entry);
  }
  pyro_module_sections_clear (&sections);
}

static gint
compare_loaded (gconstpointer a, gconstpointer b)
{
  const Loaded *one = a, *other = b;

  return one->module->start < other->module->start
             ? -1
             : one->module->start > other->module->start;
}

/* Segments that overlap can only be seen while the loader is at work. */
static void
remove_overlaps (GArray *list)
{
  guint i = 1;

  while (i < list->len) {
    const Loaded *before = &g_array_index (list, Loaded, i - 1);
    const Loaded *entry = &g_array_index (list, Loaded, i);

    if (entry->module->start < before->module->limit)
      g_array_remove_index (list, i);
    else
      i++;
  }
}

/* IS_LISTED: what is published before has another list of modules. */
static void
publish (PyroModules *modules, gboolean is_listed)
{
  Snapshot *snapshot = g_new0 (Snapshot, 1);
  guint64 own = (gsize)pyro_publish_tables;
  guint i, n_call_sites = 0;

  snapshot->segments = g_new0 (PyroSegment, modules->loaded->len + 1);
  snapshot->starts = g_new0 (uintptr_t, modules->loaded->len + 1);
  snapshot->tops
      = g_new0 (uintptr_t, modules->loaded->len / PYRO_TOPS_STEP + 1);
  snapshot->call_sites = g_new0 (const uint8_t *, modules->loaded->len + 1);
  snapshot->shared = g_ptr_array_new_with_free_func (pyro_shared_table_unref);
  snapshot->rules = pyro_rule_set_ref_array (modules->rules);
  for (i = 0; i < modules->loaded->len; i++) {
    const Loaded *entry = &g_array_index (modules->loaded, Loaded, i);

    snapshot->segments[i].start = entry->module->start;
    snapshot->segments[i].limit = entry->module->limit;
    pyro_segment_set_table (&snapshot->segments[i], entry->table->table);
    snapshot->starts[i] = entry->module->start;
    if (i % PYRO_TOPS_STEP == 0)
      snapshot->tops[i / PYRO_TOPS_STEP] = entry->module->start;
    if (entry->table->call_sites != NULL) {
      snapshot->call_sites[++n_call_sites] = entry->table->call_sites;
      snapshot->segments[i].calls = n_call_sites;
    }
    if (own >= entry->module->start && own < entry->module->limit)
      snapshot->tables.own = &snapshot->segments[i];
    entry->table->ref_count++;
    g_ptr_array_add (snapshot->shared, entry->table);
  }
  if (++last_generation == 0)
    last_generation = 1;
  snapshot->tables.generation = last_generation;
  snapshot->tables.listing
      = is_listed ? last_generation : modules->published->tables.listing;
  snapshot->tables.n_segments = modules->loaded->len;
  snapshot->tables.segments = snapshot->segments;
  snapshot->tables.starts = snapshot->starts;
  snapshot->tables.tops = snapshot->tops;
  snapshot->tables.rules = snapshot->rules->rules;
  snapshot->tables.call_sites = snapshot->call_sites;
  snapshot->tables.context_start = modules->context_start;
  snapshot->tables.signal_return = (uintptr_t)modules->signal_return;
  pyro_publish_tables (&snapshot->tables);
  if (modules->published != NULL)
    g_ptr_array_add (modules->retired, modules->published);
  modules->published = snapshot;
}

static gboolean
same_list (GArray *a, GArray *b)
{
  guint i;

  if (a->len != b->len)
    return FALSE;
  for (i = 0; i < a->len; i++) {
    if (g_array_index (a, Loaded, i).module
            != g_array_index (b, Loaded, i).module
        || g_array_index (a, Loaded, i).table
               != g_array_index (b, Loaded, i).table)
      return FALSE;
  }
  return TRUE;
}

static gint
compare_modules (gconstpointer a, gconstpointer b)
{
  const PyroModule *one = *(PyroModule *const *)a;
  const PyroModule *other = *(PyroModule *const *)b;

  return one->start < other->start ? -1 : one->start > other->start;
}

/* The executable segments of the N_LAST of ALL (PyroLoadedModule, in the order
 * of loading). (transfer full) */
static GPtrArray *
intern_last (PyroModules *modules, GPtrArray *all, guint64 n_last)
{
  GPtrArray *list = g_ptr_array_new ();

  for (guint i = all->len - (guint)MIN (n_last, all->len); i < all->len; i++) {
    const PyroLoadedModule *loaded = g_ptr_array_index (all, i);

    for (guint k = 0; k < loaded->segments->len; k++) {
      const PyroLoadSegment *segment
          = &g_array_index (loaded->segments, PyroLoadSegment, k);

      if (segment->is_executable)
        g_ptr_array_add (list, pyro_module_set_intern_segment (
                                   modules->set, loaded, segment));
    }
  }
  return list;
}

/* BEFORE, or NULL, with FRESH instead of what was in their place. (transfer
 * full) */
static GPtrArray *
overlay (GPtrArray *before, GPtrArray *fresh)
{
  GPtrArray *list = g_ptr_array_copy (fresh, NULL, NULL);

  for (guint i = 0; before != NULL && i < before->len; i++) {
    PyroModule *module = g_ptr_array_index (before, i);
    gboolean is_replaced = FALSE;

    for (guint k = 0; k < fresh->len && !is_replaced; k++) {
      const PyroModule *other = g_ptr_array_index (fresh, k);

      is_replaced
          = module->start < other->limit && other->start < module->limit;
    }
    if (!is_replaced)
      g_ptr_array_add (list, module);
  }
  g_ptr_array_sort (list, compare_modules);
  return list;
}

/* Asked where no unload is on its way. */
static gboolean
was_anything_unloaded_unseen (PyroModules *modules, guint64 subs,
                              guint64 logged)
{
  gboolean result
      = subs - modules->known_subs != logged - modules->known_logged;

  modules->known_subs = subs;
  modules->known_logged = logged;
  return result;
}

static void
write_down_unload (PyroModules *modules, const PyroUnload *unload)
{
  PyroModulePeriod period = { .epoch = unload->epoch };

  period.is_certain = unload->is_certain
                      && !was_anything_unloaded_unseen (modules, unload->subs,
                                                        unload->logged);
  period.fresh = unload->added != NULL
                     ? intern_last (modules, unload->added, unload->added->len)
                     : g_ptr_array_new ();
  period.modules = overlay (
      pyro_module_history_get (modules->history, unload->epoch), period.fresh);
  pyro_module_history_add (modules->history, &period);
}

/* What was loaded until each unload since the last look. */
static void
take_unloads (PyroModules *modules)
{
  PyroUnload *unload = pyro_unloads_take ();

  while (unload != NULL) {
    PyroUnload *next = unload->next;

    write_down_unload (modules, unload);
    pyro_unload_free (unload);
    unload = next;
  }
}

/* What is loaded now. Takes FRESH. */
static void
write_down_look (PyroModules *modules, guint32 epoch, GPtrArray *fresh,
                 gboolean is_settled, gboolean is_unsure)
{
  PyroModulePeriod period = {
    .epoch = epoch,
    .generation
    = modules->published != NULL ? modules->published->tables.listing : 0,
    .is_certain = is_settled && !is_unsure,
    .modules = g_ptr_array_new (),
    .fresh = fresh,
  };

  for (guint i = 0; i < modules->loaded->len; i++)
    g_ptr_array_add (period.modules,
                     g_array_index (modules->loaded, Loaded, i).module);
  pyro_module_history_add (modules->history, &period);
  if (is_unsure) {
    /* What is sampled from now on is certain again. */
    period.epoch = pyro_unloads_missed ();
    period.is_certain = TRUE;
    period.modules = g_ptr_array_copy (period.modules, NULL, NULL);
    period.fresh = NULL;
    pyro_module_history_add (modules->history, &period);
  }
  modules->epoch = period.epoch;
  modules->is_certain = is_settled;
}

/* Reads the loader's list. TRUE: it is another one. *FRESH: the N_NEW that came
 * last. (transfer full) */
static gboolean
list_loaded (PyroModules *modules, guint64 n_new, GPtrArray **fresh)
{
  GPtrArray *list = pyro_loader_list ();
  GArray *loaded = g_array_new (FALSE, FALSE, sizeof (Loaded));

  g_array_set_clear_func (loaded, loaded_clear);
  for (guint i = 0; i < list->len; i++)
    add_loaded (modules, g_ptr_array_index (list, i), loaded);
  *fresh = intern_last (modules, list, n_new);
  g_ptr_array_unref (list);
  g_array_sort (loaded, compare_loaded);
  remove_overlaps (loaded);

  if (same_list (loaded, modules->loaded)) {
    g_array_unref (loaded);
    return FALSE;
  }
  g_array_unref (modules->loaded);
  modules->loaded = loaded;
  if (modules->with_tables)
    publish (modules, TRUE);
  return TRUE;
}

/* FALSE: there is nothing new. */
static gboolean
look (PyroModules *modules, gboolean *is_changed)
{
  guint64 word = pyro_unloads_word ();
  guint32 epoch = (guint32)(word >> 32);
  gboolean is_known, is_settled;
  GPtrArray *fresh = NULL;
  guint64 adds, subs, logged;

  *is_changed = FALSE;
  logged = pyro_unloads_get_logged ();
  is_known = pyro_loader_get_counters (&adds, &subs);
  if (is_known && modules->is_listed && adds == modules->adds
      && subs == modules->subs && epoch == modules->epoch)
    return FALSE;

  if (!modules->is_listed) {
    modules->known_subs = subs;
    modules->known_logged = logged;
  }
  take_unloads (modules);
  /* The counters are older than the list: what comes in between is seen again
   * next time. */
  if (!is_known || !modules->is_listed || adds != modules->adds
      || subs != modules->subs)
    *is_changed = list_loaded (
        modules, modules->is_listed ? adds - modules->adds : 0, &fresh);
  modules->is_listed = TRUE;
  modules->adds = adds;
  modules->subs = subs;
  pyro_unloads_set_seen (adds, epoch);
  is_settled = (guint32)word == 0 && pyro_unloads_word () == word;
  write_down_look (modules, epoch, fresh, is_settled,
                   is_settled
                       && was_anything_unloaded_unseen (modules, subs, logged));
  return TRUE;
}

gboolean
pyro_modules_refresh (PyroModules *modules)
{
  gboolean is_changed;

  look (modules, &is_changed);
  return is_changed;
}

void
pyro_modules_drained (PyroModules *modules, guint32 epoch)
{
  pyro_module_history_forget (modules->history, modules->drained);
  modules->drained = epoch;
}

void
pyro_modules_reclaim (PyroModules *modules,
                      gboolean (*is_quiescent) (gpointer data), gpointer data)
{
  if (modules->retired->len > 0 && is_quiescent (data)
      && pyro_readers_are_gone ())
    g_ptr_array_set_size (modules->retired, 0);
}

/* Code that the loader did not load. With MAY_BE_FILE, also what the program
 * mapped from a file itself: the memory map may be older than the last unload.
 */
static const PyroModule *
find_mapping (PyroModules *modules, guintptr pc, gboolean may_be_file)
{
  const PyroMemoryMap *map = pyro_memory_map_published ();
  const PyroCodeMapping *code = pyro_memory_map_find_code (map, pc);

  if (code == NULL)
    return NULL;
  switch (code->kind) {
  case PYRO_CODE_ORC:
    return pyro_module_set_intern (modules->set, g_strdup ("[orc]"), NULL,
                                   code->start, code->start, code->limit, 0);
  case PYRO_CODE_ANONYMOUS:
    return pyro_module_set_intern (modules->set, g_strdup ("[anon]"), NULL,
                                   code->start, code->start, code->limit, 0);
  default:
    if (!may_be_file)
      return NULL;
    return pyro_module_set_intern (
        modules->set, g_strdup (pyro_memory_map_code_name (map, code)), NULL,
        code->start - code->file_offset, code->start, code->limit,
        code->file_offset);
  }
}

/* The segment that holds PC, or NULL. */
static const Loaded *
find_entry (PyroModules *modules, guintptr pc)
{
  guint low = 0, high = modules->loaded->len;

  while (low < high) {
    guint middle = low + (high - low) / 2;
    const Loaded *entry = &g_array_index (modules->loaded, Loaded, middle);

    if (pc < entry->module->start)
      high = middle;
    else if (pc >= entry->module->limit)
      low = middle + 1;
    else
      return entry;
  }
  return NULL;
}

static const PyroModule *
find_loaded (PyroModules *modules, guintptr pc)
{
  const Loaded *entry = find_entry (modules, pc);

  return entry != NULL ? entry->module : NULL;
}

static guint64
call_sites_text (PyroModules *modules)
{
  guint64 size = 0;
  guint i;

  for (i = 0; i < modules->loaded->len; i++) {
    const Loaded *entry = &g_array_index (modules->loaded, Loaded, i);

    if (entry->table->call_sites != NULL)
      size += entry->module->limit - entry->module->start;
  }
  return size;
}

gboolean
pyro_modules_want_call_sites (PyroModules *modules, guintptr pc)
{
  const Loaded *entry = modules->with_tables ? find_entry (modules, pc) : NULL;
  const PyroModule *module;
  PyroSharedTable *shared;
  guint64 adds, subs;

  if (entry == NULL)
    return FALSE;
  module = entry->module;
  shared = entry->table;
  if (shared->call_sites_known)
    return TRUE;
  if (call_sites_text (modules) + (module->limit - module->start)
      > MAX_CALL_SITES_TEXT) {
    shared->call_sites_known = TRUE;
    return TRUE;
  }
  shared->call_sites = pyro_call_sites_new (module->start, module->limit);
  /* Another module may have come to its place in between. */
  if (pyro_loader_get_counters (&adds, &subs)
      && (adds != modules->adds || subs != modules->subs)) {
    g_clear_pointer (&shared->call_sites, g_free);
    return TRUE;
  }
  shared->call_sites_known = TRUE;
  if (shared->call_sites != NULL)
    publish (modules, FALSE);
  return TRUE;
}

const PyroModule *
pyro_modules_find (PyroModules *modules, guintptr pc)
{
  const PyroModule *module = find_loaded (modules, pc);

  return module != NULL ? module : find_mapping (modules, pc, TRUE);
}

const PyroModule *
pyro_modules_find_at (PyroModules *modules, guintptr pc,
                      PyroModuleMoment moment, gboolean *in_doubt)
{
  guint32 epoch = (guint32)(moment >> 32);
  const PyroModule *module = NULL;
  gboolean is_changed, is_last = FALSE;

  *in_doubt = FALSE;
  /* The sample is newer than the last look. */
  if ((gint32)(epoch - modules->epoch) > 0)
    is_last = look (modules, &is_changed);
  while (TRUE) {
    if (modules->is_certain && modules->epoch == epoch)
      module = find_loaded (modules, pc);
    else
      module
          = pyro_module_history_find (modules->history, pc, moment, in_doubt);
    /* What has come since the last look is found in another one. */
    if (module != NULL || is_last || !look (modules, &is_changed))
      break;
    is_last = TRUE;
  }
  if (module != NULL || *in_doubt)
    return module;
  return find_mapping (modules, pc, modules->epoch == epoch);
}

gboolean
pyro_modules_was_misled (PyroModules *modules, guintptr pc,
                         PyroModuleMoment moment, const PyroModule *module)
{
  if (modules->published == NULL
      || modules->published->tables.listing == (guint32)moment)
    return FALSE;
  return pyro_module_history_was_misled (modules->history, pc, moment, module);
}

const PyroModule *
pyro_modules_get (PyroModules *modules, guint id)
{
  return pyro_module_set_get (modules->set, id);
}

void
pyro_modules_get_statistics (PyroModules *modules,
                             PyroModulesStatistics *statistics)
{
  guint i;

  *statistics = modules->statistics;
  statistics->n_rules = pyro_rule_set_get_n_rules (modules->rules);
  statistics->n_retired = modules->retired->len;
  for (i = 0; i < modules->loaded->len; i++) {
    const Loaded *entry = &g_array_index (modules->loaded, Loaded, i);

    statistics->n_segments++;
    statistics->text_size += entry->module->limit - entry->module->start;
    if (entry->table != NULL && entry->table->table != NULL) {
      statistics->table_size += pyro_table_get_size (entry->table->table);
      statistics->n_rows += entry->table->table->n_rows;
    }
  }
}

void
pyro_modules_fork_prepare (void)
{
  pyro_loader_fork_prepare ();
}

void
pyro_modules_fork_done (gboolean in_child)
{
  pyro_loader_fork_done (in_child);
  if (in_child)
    pyro_readers_forget ();
}
