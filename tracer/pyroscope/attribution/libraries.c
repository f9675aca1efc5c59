/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "libraries.h"

#include <string.h>

#include "module-mark.h"
#include "shared-map.h"
#include "unwinding/loader.h"
#include "unwinding/published.h"

#define BITS 64

/* One module, as it was read. */
typedef struct {
  PyroLibrary library;
  PyroModuleMark mark;
  gchar *strings; /* its soname and the needed names, each with its zero, and an
                   * empty one; a reference */
} Draft;

struct _PyroLibraries {
  PyroLibrary *items; /* by address */
  Draft *drafts;      /* likewise */
  guint n;
  guint *by_name; /* indices, by the address of the name */
  guint n_words;  /* of one set of libraries */
  guint64 *direct;
  guint64 *closure;
  guint64 adds, subs; /* the loader's, when it was read; both 0: not known */
  guint64 serial;
  PyroLibraries *next_retired;
};

static struct {
  PyroLibraries *table; /* atomic */
  gint is_refreshing;   /* atomic: one thread has what follows */
  gint is_wanted;       /* atomic: another one has asked meanwhile */
  guint64 last_serial;
  PyroLibraries *retired; /* replaced, but perhaps still read */
} current;

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

/* Names are never freed: there is one for each file that was ever loaded.
 * GLib's own have a lock. */
PYRO_SHARED_MAP (names, 8);

/* FNV-1a, 64 bits. */
static guint64
hash_name (const gchar *name)
{
  guint64 hash = G_GUINT64_CONSTANT (0xcbf29ce484222325);

  for (; *name != '\0'; name++)
    hash = (hash ^ (guint8)*name) * G_GUINT64_CONSTANT (0x100000001b3);
  return hash;
}

const gchar *
pyro_library_name (const gchar *path)
{
  const gchar *slash = strrchr (path, '/');
  const gchar *name = slash != NULL ? slash + 1 : path, *found = NULL;
  guint64 hash = hash_name (name);
  gchar *copy = NULL;

  pyro_readers_enter ();
  /* Names that share a hash stand beside each other. */
  for (guint64 nth = 0; found == NULL; nth++) {
    PyroSharedItem *item = pyro_shared_map_get (&names, hash, nth);
    guint64 value = pyro_shared_item_get (item);

    if (value == 0) {
      if (copy == NULL)
        copy = g_strdup (name);
      if (pyro_shared_item_swap (item, &value, (guint64)(guintptr)copy))
        value = (guint64)(guintptr)g_steal_pointer (&copy);
    }
    if (strcmp ((const gchar *)(guintptr)value, name) == 0)
      found = (const gchar *)(guintptr)value;
  }
  pyro_readers_leave ();
  g_free (copy);
  return found;
}

/* Inside the loader's callback nothing is allocated: records go one after
 * another into memory that is there, what does not fit is only counted. After
 * each record of a module that is not known: the path, the soname and the
 * needed names, each with its zero, and an empty one. */
typedef struct {
  guint8 *at;
  gsize left;
  gsize needed;
  const PyroLibraries *before; /* the table in force; NULL: none */
  guint64 adds, subs;
  gboolean has_begun, is_unchanged;
} Arena;

typedef struct {
  guintptr start, limit;
  PyroModuleMark mark;
  gint64 known; /* its index in the table before, -1: it was not there */
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
  const PyroLibraries *before = arena->before;

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

/* The module's index in the table before, or -1. Its program headers are part
 * of it. */
static gint64
find_known (const Arena *arena, const struct dl_phdr_info *info)
{
  const PyroLibraries *before = arena->before;
  const PyroLibrary *library;
  gint64 index;

  if (before == NULL)
    return -1;
  library = pyro_libraries_find (before, (guintptr)info->dlpi_phdr);
  if (library == NULL)
    return -1;
  index = library - before->items;
  if (before->drafts[index].mark.headers != (guintptr)info->dlpi_phdr
      || ((arena->adds == 0 || arena->subs != before->subs)
          && !pyro_module_mark_holds (&before->drafts[index].mark, info)))
    return -1;
  return index;
}

static int
on_module (struct dl_phdr_info *info, size_t size, void *data)
{
  Arena *arena = data;
  PyroDynamicSection section;
  Record record = { 0 };

  if (!arena->has_begun && !begin (arena, info, size))
    return 1;
  record.known = find_known (arena, info);
  if (record.known >= 0) {
    put (arena, &record, sizeof record);
    return 0;
  }
  if (!pyro_dynamic_section_read (&section, info, FALSE))
    return 0;
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
  return 0;
}

static const gchar *
next_string (const gchar *text)
{
  return text + strlen (text) + 1;
}

static const gchar *
get_soname (const Draft *draft)
{
  return draft->strings;
}

static const gchar *
get_needed (const Draft *draft)
{
  return next_string (draft->strings);
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

static gint
by_address (gconstpointer a, gconstpointer b)
{
  const PyroLibrary *first = a, *second = b; /* a Draft's first member */

  return first->start < second->start ? -1 : first->start > second->start;
}

/* A record of a module that is not known. Returns where it ends. */
static const guint8 *
read_draft (const Record *record, const guint8 *at, Draft *draft)
{
  const gchar *path = (const gchar *)at;
  const gchar *strings = next_string (path), *text;
  gsize size;

  draft->library.start = record->start;
  draft->library.limit = record->limit;
  draft->library.name = pyro_library_name (path);
  draft->library.kind = find_kind (draft->library.name);
  draft->mark = record->mark;
  for (text = next_string (strings); *text != '\0'; text = next_string (text))
    ;
  size = (gsize)(text + 1 - strings);
  draft->strings = g_rc_box_alloc (size);
  memcpy (draft->strings, strings, size);
  return (const guint8 *)text + 1;
}

static GArray *
read_drafts (const guint8 *at, const Arena *arena)
{
  GArray *drafts = g_array_new (FALSE, TRUE, sizeof (Draft));

  while (at < arena->at) {
    Draft draft = { 0 };
    Record record;

    memcpy (&record, at, sizeof record);
    at += sizeof record;
    if (record.known < 0) {
      at = read_draft (&record, at, &draft);
    } else {
      draft = arena->before->drafts[record.known];
      g_rc_box_acquire (draft.strings);
    }
    g_array_append_val (drafts, draft);
  }
  g_array_sort (drafts, by_address);
  return drafts;
}

static void
set_bit (guint64 *set, guint i)
{
  set[i / BITS] |= G_GUINT64_CONSTANT (1) << i % BITS;
}

static gboolean
has_bit (const guint64 *set, guint i)
{
  return set[i / BITS] >> i % BITS & 1;
}

static void
fill_direct (PyroLibraries *table, GArray *drafts)
{
  g_autoptr (GHashTable) by_name = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < table->n; i++) {
    const Draft *draft = &g_array_index (drafts, Draft, i);

    g_hash_table_insert (by_name, (gpointer)draft->library.name,
                         GUINT_TO_POINTER (i));
    if (get_soname (draft)[0] != '\0')
      g_hash_table_insert (by_name, (gpointer)get_soname (draft),
                           GUINT_TO_POINTER (i));
  }
  for (guint i = 0; i < table->n; i++) {
    const gchar *name = get_needed (&g_array_index (drafts, Draft, i));
    gpointer index;

    for (; *name != '\0'; name = next_string (name))
      if (g_hash_table_lookup_extended (by_name, name, NULL, &index))
        set_bit (table->direct + i * table->n_words, GPOINTER_TO_UINT (index));
  }
}

static void
fill_closure (PyroLibraries *table)
{
  g_autofree guint *stack = g_new (guint, table->n + 1);

  for (guint i = 0; i < table->n; i++) {
    guint64 *set = table->closure + i * table->n_words;
    guint depth = 0;

    set_bit (set, i);
    stack[depth++] = i;
    while (depth > 0) {
      const guint64 *direct = table->direct + stack[--depth] * table->n_words;

      for (guint word = 0; word < table->n_words; word++) {
        guint64 fresh = direct[word] & ~set[word];

        set[word] |= fresh;
        for (; fresh != 0; fresh &= fresh - 1)
          stack[depth++] = word * BITS + (guint)__builtin_ctzll (fresh);
      }
    }
  }
}

static gint
compare_names (gconstpointer a, gconstpointer b, gpointer data)
{
  const PyroLibrary *items = data;
  const gchar *first = items[*(const guint *)a].name;
  const gchar *second = items[*(const guint *)b].name;

  return first < second ? -1 : first > second;
}

static PyroLibraries *
make_table (GArray *drafts)
{
  PyroLibraries *table = g_new0 (PyroLibraries, 1);

  table->n = drafts->len;
  table->n_words = (table->n + BITS - 1) / BITS;
  table->items = g_new (PyroLibrary, table->n);
  table->direct = g_new0 (guint64, (gsize)table->n * table->n_words);
  table->closure = g_new0 (guint64, (gsize)table->n * table->n_words);
  table->by_name = g_new (guint, table->n);
  for (guint i = 0; i < table->n; i++) {
    table->items[i] = g_array_index (drafts, Draft, i).library;
    table->by_name[i] = i;
  }
  /* Stable: of several with one name (in other namespaces), the first by
   * address. */
  g_qsort_with_data (table->by_name, (gint)table->n, sizeof (guint),
                     compare_names, table->items);
  fill_direct (table, drafts);
  fill_closure (table);
  table->drafts = (Draft *)(gpointer)g_array_free (drafts, FALSE);
  return table;
}

static void
free_table (PyroLibraries *table)
{
  for (guint i = 0; i < table->n; i++)
    g_rc_box_release (table->drafts[i].strings);
  g_free (table->items);
  g_free (table->drafts);
  g_free (table->by_name);
  g_free (table->direct);
  g_free (table->closure);
  g_free (table);
}

/* FALSE: it cannot be done now. */
static gboolean
iterate (int (*func) (struct dl_phdr_info *, size_t, void *), Arena *arena,
         gboolean as_guest)
{
  int result;

  arena->has_begun = FALSE;
  if (as_guest)
    return pyro_loader_iterate_as_guest (func, arena, &result);
  pyro_loader_iterate (func, arena);
  return TRUE;
}

/* NULL: nothing has changed, or it cannot be read now. */
static PyroLibraries *
read_table (gboolean as_guest)
{
  Arena arena = { .before = current.table };
  gsize capacity = 128 * 1024;
  PyroLibraries *table = NULL;
  guint8 *memory;

  if (!iterate (on_first, &arena, as_guest) || arena.is_unchanged)
    return NULL;
  for (;;) {
    memory = g_malloc (capacity);
    arena.at = memory;
    arena.left = capacity;
    arena.needed = 0;
    if (!iterate (on_module, &arena, as_guest))
      arena.is_unchanged = TRUE;
    if (arena.is_unchanged || arena.needed <= capacity)
      break;
    g_free (memory);
    capacity = arena.needed * 2; /* modules may come meanwhile */
  }
  if (!arena.is_unchanged) {
    table = make_table (read_drafts (memory, &arena));
    table->adds = arena.adds;
    table->subs = arena.subs;
    table->serial = ++current.last_serial;
  }
  g_free (memory);
  return table;
}

static void
free_retired (void)
{
  if (current.retired == NULL || !pyro_readers_are_gone ())
    return;
  while (current.retired != NULL) {
    PyroLibraries *table = current.retired;

    current.retired = table->next_retired;
    free_table (table);
  }
}

static void
refresh (gboolean as_guest)
{
  PyroLibraries *table, *old;

  free_retired ();
  table = read_table (as_guest);
  if (table == NULL)
    return;
  old = __atomic_exchange_n (&current.table, table, __ATOMIC_SEQ_CST);
  if (old != NULL) {
    old->next_retired = current.retired;
    current.retired = old;
  }
  free_retired ();
}

void
pyro_libraries_refresh (gboolean as_guest)
{
  __atomic_store_n (&current.is_wanted, TRUE, __ATOMIC_SEQ_CST);
  while (__atomic_load_n (&current.is_wanted, __ATOMIC_SEQ_CST)
         && !__atomic_exchange_n (&current.is_refreshing, TRUE,
                                  __ATOMIC_SEQ_CST)) {
    if (__atomic_exchange_n (&current.is_wanted, FALSE, __ATOMIC_SEQ_CST))
      refresh (as_guest);
    __atomic_store_n (&current.is_refreshing, FALSE, __ATOMIC_SEQ_CST);
  }
}

const PyroLibraries *
pyro_libraries_enter (void)
{
  pyro_readers_enter ();
  return __atomic_load_n (&current.table, __ATOMIC_SEQ_CST);
}

void
pyro_libraries_leave (void)
{
  pyro_readers_leave ();
}

guint64
pyro_libraries_get_serial (const PyroLibraries *libraries)
{
  return libraries->serial;
}

const PyroLibrary *
pyro_libraries_find (const PyroLibraries *libraries, guintptr address)
{
  guint low = 0, high = libraries->n;

  while (low < high) {
    guint middle = low + (high - low) / 2;

    if (libraries->items[middle].limit <= address)
      low = middle + 1;
    else
      high = middle;
  }
  return low < libraries->n && libraries->items[low].start <= address
             ? &libraries->items[low]
             : NULL;
}

const PyroLibrary *
pyro_libraries_find_name (const PyroLibraries *libraries, const gchar *name)
{
  guint low = 0, high = libraries->n;

  while (low < high) {
    guint middle = low + (high - low) / 2;

    if (libraries->items[libraries->by_name[middle]].name < name)
      low = middle + 1;
    else
      high = middle;
  }
  return low < libraries->n
                 && libraries->items[libraries->by_name[low]].name == name
             ? &libraries->items[libraries->by_name[low]]
             : NULL;
}

gboolean
pyro_libraries_links (const PyroLibraries *libraries,
                      const PyroLibrary *library, const PyroLibrary *other,
                      gboolean directly)
{
  const guint64 *sets = directly ? libraries->direct : libraries->closure;
  gsize index = (gsize)(library - libraries->items);

  return library == other
         || has_bit (sets + index * libraries->n_words,
                     (guint)(other - libraries->items));
}

void
pyro_libraries_fork_child (void)
{
  /* Whoever was at it is not there. What it has retired stays: its list may be
   * in the middle of a change. */
  current.is_refreshing = current.is_wanted = FALSE;
  current.retired = NULL;
}
