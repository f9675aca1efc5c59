/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "libraries.h"

#include <string.h>

#include "dynamic-section.h"
#include "unwinding/loader.h"
#include "unwinding/published.h"

#define BITS 64

struct _PyroLibraries {
  PyroLibrary *items; /* by address */
  guint n;
  guint *by_name; /* indices, by the address of the name */
  guint n_words;  /* of one set of libraries */
  guint64 *direct;
  guint64 *closure;
  guint64 serial;
  PyroLibraries *next_retired;
};

static struct {
  PyroLibraries *table; /* atomic */
  gint is_refreshing;   /* atomic: one thread has what follows */
  gint is_wanted;       /* atomic: another one has asked meanwhile */
  guint64 adds, subs;   /* the loader's, when it was read */
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

const gchar *
pyro_library_name (const gchar *path)
{
  const gchar *slash = strrchr (path, '/');

  return g_intern_string (slash != NULL ? slash + 1 : path);
}

/* Inside the loader's callback nothing is allocated: records go one after
 * another into memory that is there, what does not fit is only counted. After
 * each record: the path, the soname and the needed names, each with its zero,
 * and an empty one. */
typedef struct {
  guint8 *at;
  gsize left;
  gsize needed;
} Arena;

typedef struct {
  guintptr start, limit;
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

static int
on_module (struct dl_phdr_info *info, size_t size, void *data)
{
  Arena *arena = data;
  PyroDynamicSection section;
  Record record;

  if (!pyro_dynamic_section_read (&section, info, FALSE))
    return 0;
  record = (Record){ section.start, section.limit };
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

/* One module while the table is made. */
typedef struct {
  PyroLibrary library;
  const gchar *soname; /* in the arena's memory, like the needed ones */
  const gchar *needed;
} Draft;

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

static gint
by_address (gconstpointer a, gconstpointer b)
{
  const PyroLibrary *first = a, *second = b; /* a Draft's first member */

  return first->start < second->start ? -1 : first->start > second->start;
}

static GArray *
read_drafts (const guint8 *at, const guint8 *limit)
{
  GArray *drafts = g_array_new (FALSE, TRUE, sizeof (Draft));

  while (at < limit) {
    Draft draft = { 0 };
    Record record;
    const gchar *text;

    memcpy (&record, at, sizeof record);
    text = (const gchar *)at + sizeof record;
    draft.library.start = record.start;
    draft.library.limit = record.limit;
    draft.library.name = pyro_library_name (text);
    draft.soname = next_string (text);
    draft.needed = next_string (draft.soname);
    draft.library.kind = find_kind (draft.library.name);
    g_array_append_val (drafts, draft);
    for (text = draft.needed; *text != '\0'; text = next_string (text))
      ;
    at = (const guint8 *)text + 1;
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
    if (draft->soname[0] != '\0')
      g_hash_table_insert (by_name, (gpointer)draft->soname,
                           GUINT_TO_POINTER (i));
  }
  for (guint i = 0; i < table->n; i++) {
    const gchar *name = g_array_index (drafts, Draft, i).needed;
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
  return table;
}

static void
free_table (PyroLibraries *table)
{
  g_free (table->items);
  g_free (table->by_name);
  g_free (table->direct);
  g_free (table->closure);
  g_free (table);
}

static PyroLibraries *
read_table (void)
{
  gsize capacity = 128 * 1024;
  PyroLibraries *table;
  GArray *drafts;
  guint8 *memory;
  Arena arena;

  for (;;) {
    memory = g_malloc (capacity);
    arena = (Arena){ memory, capacity, 0 };
    pyro_loader_iterate (on_module, &arena);
    if (arena.needed <= capacity)
      break;
    g_free (memory);
    capacity = arena.needed * 2; /* modules may come meanwhile */
  }
  drafts = read_drafts (memory, arena.at);
  table = make_table (drafts);
  g_array_unref (drafts);
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
refresh (void)
{
  PyroLibraries *table, *old;
  guint64 adds, subs;

  free_retired ();
  if (!pyro_loader_get_counters (&adds, &subs))
    adds = subs = 0;
  if (current.table != NULL && adds != 0 && adds == current.adds
      && subs == current.subs)
    return;
  current.adds = adds;
  current.subs = subs;
  table = read_table ();
  table->serial = ++current.last_serial;
  old = __atomic_exchange_n (&current.table, table, __ATOMIC_SEQ_CST);
  if (old != NULL) {
    old->next_retired = current.retired;
    current.retired = old;
  }
  free_retired ();
}

void
pyro_libraries_refresh (void)
{
  __atomic_store_n (&current.is_wanted, TRUE, __ATOMIC_SEQ_CST);
  while (__atomic_load_n (&current.is_wanted, __ATOMIC_SEQ_CST)
         && !__atomic_exchange_n (&current.is_refreshing, TRUE,
                                  __ATOMIC_SEQ_CST)) {
    if (__atomic_exchange_n (&current.is_wanted, FALSE, __ATOMIC_SEQ_CST))
      refresh ();
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
  current.adds = current.subs = 0;
}
