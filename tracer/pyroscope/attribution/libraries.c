/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "libraries.h"

#include <string.h>

#include "dynamic-section.h"
#include "unwinding/loader.h"

#define BITS 64

struct _PyroLibraries {
  PyroLibrary *items; /* by address */
  guint n;
  guint n_words; /* of one set of libraries */
  guint64 *direct;
  guint64 *closure;
};

static struct {
  GMutex refresh_lock;
  guint64 adds, subs; /* the loader's, when it was read; by refresh_lock */
  GMutex lock;
  PyroLibraries *table;
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

static PyroLibraries *
make_table (GArray *drafts)
{
  PyroLibraries *table = g_new0 (PyroLibraries, 1);

  table->n = drafts->len;
  table->n_words = (table->n + BITS - 1) / BITS;
  table->items = g_new (PyroLibrary, table->n);
  table->direct = g_new0 (guint64, (gsize)table->n * table->n_words);
  table->closure = g_new0 (guint64, (gsize)table->n * table->n_words);
  for (guint i = 0; i < table->n; i++)
    table->items[i] = g_array_index (drafts, Draft, i).library;
  fill_direct (table, drafts);
  fill_closure (table);
  return table;
}

static void
free_table (PyroLibraries *table)
{
  if (table == NULL)
    return;
  g_free (table->items);
  g_free (table->direct);
  g_free (table->closure);
  g_free (table);
}

void
pyro_libraries_refresh (void)
{
  gsize capacity = 128 * 1024;
  PyroLibraries *table, *old;
  guint64 adds, subs;
  GArray *drafts;
  guint8 *memory;
  Arena arena;

  /* A later refresh must not be replaced by an earlier one. */
  g_mutex_lock (&current.refresh_lock);
  if (!pyro_loader_get_counters (&adds, &subs))
    adds = subs = 0;
  if (current.table != NULL && adds != 0 && adds == current.adds
      && subs == current.subs) {
    g_mutex_unlock (&current.refresh_lock);
    return;
  }
  current.adds = adds;
  current.subs = subs;
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

  g_mutex_lock (&current.lock);
  old = current.table;
  current.table = table;
  g_mutex_unlock (&current.lock);
  g_mutex_unlock (&current.refresh_lock);
  free_table (old);
}

const PyroLibraries *
pyro_libraries_lock (void)
{
  g_mutex_lock (&current.lock);
  return current.table;
}

void
pyro_libraries_unlock (void)
{
  g_mutex_unlock (&current.lock);
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
  for (guint i = 0; i < libraries->n; i++)
    if (libraries->items[i].name == name)
      return &libraries->items[i];
  return NULL;
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
pyro_libraries_fork_prepare (void)
{
  g_mutex_lock (&current.lock);
}

void
pyro_libraries_fork_done (gboolean in_child)
{
  g_mutex_unlock (&current.lock);
  /* Not taken before: whoever has it may wait for the loader. */
  if (in_child)
    g_mutex_init (&current.refresh_lock);
}
