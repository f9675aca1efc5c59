/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "library-list.h"

#include <string.h>

#include "teams.h"
#include "unwinding/loader.h"

static const struct {
  const gchar *prefix;
  PyroLibraryKind kind;
} special[] = {
  { "libgomp.so", PYRO_LIBRARY_OPENMP },
  { "libomp.so", PYRO_LIBRARY_OPENMP },
  { "libiomp5.so", PYRO_LIBRARY_OPENMP },
  { "libglib-2.0.so", PYRO_LIBRARY_GLIB },
  { "libstdc++.so", PYRO_LIBRARY_CXX },
  { "libgio-2.0.so", PYRO_LIBRARY_PROCESS_WIDE },
  { "libgobject-2.0.so", PYRO_LIBRARY_PROCESS_WIDE },
  { "libgmodule-2.0.so", PYRO_LIBRARY_PROCESS_WIDE },
  { "libgstreamer-1.0.so", PYRO_LIBRARY_PROCESS_WIDE },
  { "libc.so", PYRO_LIBRARY_PROCESS_WIDE },
  { "libpthread.so", PYRO_LIBRARY_PROCESS_WIDE },
  { "ld-linux", PYRO_LIBRARY_PROCESS_WIDE },
};

/* Inside the loader's callback nothing is allocated: records go one after
 * another into memory that is there, what does not fit is only counted. After
 * each record of a module that is not known: the path, the soname and the
 * needed names, each with its zero, and an empty one. */
typedef struct {
  guint8 *at;
  gsize left;
  gsize needed;
  const PyroLibraryList *before; /* NULL: none */
  guint64 adds, subs;
  gboolean has_begun, is_unchanged, cannot;
} Arena;

typedef struct {
  guintptr start, limit;
  PyroModuleMark mark;
  gint64 known; /* its index in the list before, -1: it was not there */
} Record;

static void
put (Arena *arena, gconstpointer data, gsize size)
{
  arena->needed += size;
  if (size > arena->left) {
    arena->left = 0;
    return;
  }
  memcpy (arena->at, data, size);
  arena->at += size;
  arena->left -= size;
}

static void
put_string (Arena *arena, const gchar *text)
{
  put (arena, text, strlen (text) + 1);
}

/* FALSE: all is as it was. */
static gboolean
begin (Arena *arena, const struct dl_phdr_info *info, gsize size)
{
  const PyroLibraryList *before = arena->before;

  arena->has_begun = TRUE;
  if (size
      >= offsetof (struct dl_phdr_info, dlpi_subs) + sizeof info->dlpi_subs) {
    arena->adds = info->dlpi_adds;
    arena->subs = info->dlpi_subs;
  }
  arena->is_unchanged = before != NULL && arena->adds != 0
                        && arena->adds == before->adds
                        && arena->subs == before->subs;
  if (!arena->is_unchanged)
    pyro_loader_note_last ();
  return !arena->is_unchanged;
}

static int
on_first (struct dl_phdr_info *info, size_t size, void *data)
{
  begin (data, info, size);
  return 1;
}

/* The module's index in the list before, or -1. Its program headers are part of
 * it. */
static gint64
find_known (const Arena *arena, const struct dl_phdr_info *info)
{
  const PyroLibraryList *before = arena->before;
  const PyroModuleMark *mark;
  gint64 index;

  if (before == NULL)
    return -1;
  index = pyro_library_list_find (before, (guintptr)info->dlpi_phdr);
  if (index < 0)
    return -1;
  mark = &before->modules[index]->mark;
  if (mark->headers != (guintptr)info->dlpi_phdr
      || ((arena->adds == 0 || arena->subs != before->subs)
          && !pyro_module_mark_holds (mark, info)))
    return -1;
  return index;
}

static void
put_module (Arena *arena, const struct dl_phdr_info *info)
{
  PyroDynamicSection section;
  Record record = { .known = -1 };

  if (!pyro_dynamic_section_read (&section, info, FALSE))
    return;
  record.start = section.start;
  record.limit = section.limit;
  pyro_module_mark_take (&record.mark, info, &section);
  put (arena, &record, sizeof record);
  put_string (arena, info->dlpi_name != NULL ? info->dlpi_name : "");
  put_string (arena, pyro_dynamic_section_string (&section, section.soname));
  for (gsize i = 0; i < section.n_dynamic; i++)
    if (section.dynamic[i].d_tag == DT_NEEDED) {
      const gchar *name = pyro_dynamic_section_string (
          &section, section.dynamic[i].d_un.d_val);

      if (name[0] != '\0')
        put_string (arena, name);
    }
  put_string (arena, "");
}

static int
on_module (struct dl_phdr_info *info, size_t size, void *data)
{
  Arena *arena = data;
  Record record = { 0 };

  if (!arena->has_begun && !begin (arena, info, size))
    return 1;
  record.known = find_known (arena, info);
  if (record.known >= 0)
    put (arena, &record, sizeof record);
  else
    put_module (arena, info);
  return 0;
}

static const gchar *
next_string (const gchar *text)
{
  return text + strlen (text) + 1;
}

static PyroLibraryKind
find_kind (const gchar *name)
{
  if (name[0] == '\0')
    return PYRO_LIBRARY_PROGRAM;
  for (guint i = 0; i < G_N_ELEMENTS (special); i++)
    if (g_str_has_prefix (name, special[i].prefix))
      return special[i].kind;
  return PYRO_LIBRARY_PLAIN;
}

/* A record of a module that is not known. Returns where it ends. */
static const guint8 *
read_module (const Record *record, const guint8 *at, guint64 adds,
             PyroLibraryModule **result)
{
  const gchar *path = (const gchar *)at;
  const gchar *soname = next_string (path);
  const gchar *needed = next_string (soname), *text;
  PyroLibraryModule *module;
  guint n = 0;

  for (text = needed; *text != '\0'; text = next_string (text))
    n++;
  module = g_atomic_rc_box_alloc0 (sizeof *module + n * sizeof *module->needed);
  module->library.start = record->start;
  module->library.limit = record->limit;
  module->library.name = pyro_library_name (path);
  module->library.kind = find_kind (module->library.name);
  module->library.team = pyro_teams_find (module->library.name);
  module->mark = record->mark;
  module->adds = adds;
  if (*soname != '\0')
    module->soname = pyro_library_name (soname);
  for (text = needed; *text != '\0'; text = next_string (text))
    module->needed[module->n_needed++] = pyro_library_name (text);
  *result = module;
  return (const guint8 *)text + 1;
}

static gint
by_address (gconstpointer a, gconstpointer b)
{
  const PyroLibraryModule *first = *(PyroLibraryModule *const *)a;
  const PyroLibraryModule *second = *(PyroLibraryModule *const *)b;

  return first->library.start < second->library.start
             ? -1
             : first->library.start > second->library.start;
}

static void
read_records (PyroLibraryList *list, const guint8 *at, const Arena *arena)
{
  GPtrArray *modules = g_ptr_array_new ();

  while (at < arena->at) {
    PyroLibraryModule *module;
    Record record;

    memcpy (&record, at, sizeof record);
    at += sizeof record;
    if (record.known < 0)
      at = read_module (&record, at, arena->adds, &module);
    else
      module = g_atomic_rc_box_acquire (arena->before->modules[record.known]);
    g_ptr_array_add (modules, module);
  }
  g_ptr_array_sort (modules, by_address);
  list->n = modules->len;
  list->modules = (PyroLibraryModule **)g_ptr_array_free (modules, FALSE);
  list->adds = arena->adds;
  list->subs = arena->subs;
}

static void
iterate (Arena *arena, gboolean as_guest, const PyroModuleSelection *set)
{
  int result;

  arena->has_begun = FALSE;
  if (set != NULL)
    arena->cannot |= !pyro_module_selection_iterate (set, on_module, arena);
  else if (as_guest)
    arena->cannot |= !pyro_loader_iterate_as_guest (on_module, arena, &result);
  else
    pyro_loader_iterate (on_module, arena);
}

static gboolean
read_list (PyroLibraryList *list, Arena *arena, gboolean as_guest,
           const PyroModuleSelection *set)
{
  gsize capacity = set != NULL ? 16 * 1024 : 128 * 1024;
  guint8 *memory;
  gboolean can;

  for (;;) {
    memory = g_malloc (capacity);
    arena->at = memory;
    arena->left = capacity;
    arena->needed = 0;
    iterate (arena, as_guest, set);
    can = !arena->cannot && !arena->is_unchanged;
    if (!can || arena->needed <= capacity)
      break;
    g_free (memory);
    capacity = arena->needed * 2; /* modules may come meanwhile */
  }
  if (can)
    read_records (list, memory, arena);
  g_free (memory);
  return can;
}

/* One look at the loader's counters. */
static gboolean
may_have_changed (Arena *arena, gboolean as_guest)
{
  int result;

  if (as_guest)
    return pyro_loader_iterate_as_guest (on_first, arena, &result)
           && !arena->is_unchanged;
  pyro_loader_iterate (on_first, arena);
  return !arena->is_unchanged;
}

gboolean
pyro_library_list_read (PyroLibraryList *list, const PyroLibraryList *before,
                        gboolean as_guest)
{
  Arena arena = { .before = before };

  return may_have_changed (&arena, as_guest)
         && read_list (list, &arena, as_guest, NULL);
}

void
pyro_library_list_read_set (PyroLibraryList *list,
                            const PyroModuleSelection *set)
{
  Arena arena = { 0 };

  *list = (PyroLibraryList){ 0 };
  read_list (list, &arena, TRUE, set);
}

static gboolean
overlap (const PyroLibraryModule *one, const PyroLibraryModule *other)
{
  return one->library.start < other->library.limit
         && other->library.start < one->library.limit;
}

void
pyro_library_list_merge (PyroLibraryList *list, const PyroLibraryList *before,
                         const PyroLibraryList *added)
{
  guint i = 0, j = 0;

  *list = (PyroLibraryList){ .adds = before->adds, .subs = before->subs };
  list->modules = g_new (PyroLibraryModule *, before->n + added->n);
  while (i < before->n || j < added->n) {
    PyroLibraryModule *old = i < before->n ? before->modules[i] : NULL;
    PyroLibraryModule *new = j < added->n ? added->modules[j] : NULL;

    if (old != NULL && new != NULL && overlap (old, new)) {
      i++;
      continue;
    }
    if (new == NULL
        || (old != NULL && old->library.start < new->library.start)) {
      new = old;
      i++;
    } else {
      j++;
    }
    list->modules[list->n++] = g_atomic_rc_box_acquire (new);
  }
}

void
pyro_library_list_clear (PyroLibraryList *list)
{
  for (guint i = 0; i < list->n; i++)
    g_atomic_rc_box_release (list->modules[i]);
  g_free (list->modules);
  *list = (PyroLibraryList){ 0 };
}

gint64
pyro_library_list_find (const PyroLibraryList *list, guintptr address)
{
  guint low = 0, high = list->n;

  while (low < high) {
    guint middle = low + (high - low) / 2;

    if (list->modules[middle]->library.limit <= address)
      low = middle + 1;
    else
      high = middle;
  }
  return low < list->n && list->modules[low]->library.start <= address
             ? (gint64)low
             : -1;
}
