/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "libraries.h"

#include <link.h>
#include <string.h>

#include "library-list.h"
#include "shared-map.h"
#include "unwinding/published.h"

#define BITS 64

/* Of a library that makes threads for others, too, as a loader. */
#define NOBODY G_MAXUINT64

/* A table that others have replaced meanwhile is made anew so often. */
#define MAX_TRIES 16

typedef struct {
  const gchar *name; /* a file's, or a SONAME */
  PyroLibraryModule *module;
} Name;

struct _PyroLibraries {
  PyroLibraryList list;
  Name *names; /* by their addresses */
  guint n_names;
  /* Atomic: what each library needs, directly or not, once somebody has asked:
   * a bit for each in the list. */
  guint64 **closures;
  guint64 serial;
  PyroLibraries *next_retired;
};

static struct {
  PyroLibraries *table;   /* atomic */
  gint is_refreshing;     /* atomic: one thread reads all */
  gint is_wanted;         /* atomic: another one has asked meanwhile */
  guint64 last_serial;    /* atomic */
  PyroLibraries *retired; /* replaced, but perhaps still read; lock-free */
} current;

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

/* making a table */

static PyroLibraryModule *
module_of (const PyroLibrary *library)
{
  return (PyroLibraryModule *)library; /* its first member */
}

static gint
by_name (gconstpointer a, gconstpointer b)
{
  const Name *first = a, *second = b;

  if (first->name != second->name)
    return first->name < second->name ? -1 : 1;
  /* Of several with one name (in other namespaces), the first by address. */
  return first->module->library.start < second->module->library.start
             ? -1
             : first->module->library.start > second->module->library.start;
}

static void
add_names (PyroLibraryModule *module, Name *into, guint *n)
{
  into[(*n)++] = (Name){ module->library.name, module };
  if (module->soname != NULL && module->soname != module->library.name)
    into[(*n)++] = (Name){ module->soname, module };
}

static gboolean
has_module (const PyroLibraries *table, const PyroLibraryModule *module)
{
  gint64 index = pyro_library_list_find (&table->list, module->library.start);

  return index >= 0 && table->list.modules[index] == module;
}

/* BEFORE (or NULL) has the names of all but MODULES. */
static void
fill_names (PyroLibraries *table, const PyroLibraries *before,
            const PyroLibraryList *modules)
{
  g_autofree Name *fresh = g_new (Name, 2 * modules->n + 1);
  guint n_before = before != NULL ? before->n_names : 0;
  guint n_fresh = 0, i = 0, j = 0;

  for (guint k = 0; k < modules->n; k++)
    if (before == NULL || !has_module (before, modules->modules[k]))
      add_names (modules->modules[k], fresh, &n_fresh);
  qsort (fresh, n_fresh, sizeof *fresh, by_name);
  table->names = g_new (Name, n_before + n_fresh + 1);
  while (i < n_before || j < n_fresh) {
    const Name *old = i < n_before ? &before->names[i] : NULL;

    /* Others may have taken its place. */
    if (old != NULL && !has_module (table, old->module)) {
      i++;
      continue;
    }
    if (old != NULL && (j == n_fresh || by_name (old, &fresh[j]) < 0))
      table->names[table->n_names++] = before->names[i++];
    else
      table->names[table->n_names++] = fresh[j++];
  }
}

/* Takes the LIST. */
static PyroLibraries *
make_table (PyroLibraryList *list, const PyroLibraries *before,
            const PyroLibraryList *added)
{
  PyroLibraries *table = g_new0 (PyroLibraries, 1);

  table->list = *list;
  table->closures = g_new0 (guint64 *, table->list.n);
  table->serial
      = __atomic_add_fetch (&current.last_serial, 1, __ATOMIC_RELAXED);
  fill_names (table, before, added != NULL ? added : &table->list);
  return table;
}

static void
free_table (PyroLibraries *table)
{
  for (guint i = 0; i < table->list.n; i++)
    g_free (table->closures[i]);
  g_free (table->closures);
  g_free (table->names);
  pyro_library_list_clear (&table->list);
  g_free (table);
}

/* replacing it */

static void
retire (PyroLibraries *first)
{
  PyroLibraries *last = first;

  while (last->next_retired != NULL)
    last = last->next_retired;
  last->next_retired = __atomic_load_n (&current.retired, __ATOMIC_RELAXED);
  while (!__atomic_compare_exchange_n (&current.retired, &last->next_retired,
                                       first, TRUE, __ATOMIC_RELEASE,
                                       __ATOMIC_RELAXED))
    ;
}

/* Outside of pyro_libraries_enter(). */
static void
free_retired (void)
{
  PyroLibraries *table
      = __atomic_exchange_n (&current.retired, NULL, __ATOMIC_SEQ_CST);

  if (table == NULL)
    return;
  if (!pyro_readers_are_gone ()) {
    retire (table);
    return;
  }
  while (table != NULL) {
    PyroLibraries *next = table->next_retired;

    free_table (table);
    table = next;
  }
}

/* FALSE: another thread was faster, and TABLE is freed. */
static gboolean
replace (PyroLibraries *before, PyroLibraries *table)
{
  PyroLibraries *expected = before;

  if (!__atomic_compare_exchange_n (&current.table, &expected, table, FALSE,
                                    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
    free_table (table);
    return FALSE;
  }
  if (before != NULL)
    retire (before);
  return TRUE;
}

void
pyro_libraries_refresh (gboolean as_guest)
{
  gboolean done = FALSE;

  for (guint i = 0; i < MAX_TRIES && !done; i++) {
    PyroLibraries *before;
    PyroLibraryList list;

    pyro_readers_enter ();
    before = __atomic_load_n (&current.table, __ATOMIC_SEQ_CST);
    done = !pyro_library_list_read (
               &list, before != NULL ? &before->list : NULL, as_guest)
           || replace (before, make_table (&list, NULL, NULL));
    pyro_readers_leave ();
  }
  free_retired ();
}

/* Those that were there already stay as they are known; but one that was known
 * before is gone, though it was the same file. */
static void
use_known (PyroLibraryList *added, const PyroLibraryList *before, guint64 begin)
{
  for (guint i = 0; i < added->n; i++) {
    PyroLibraryModule *module = added->modules[i];
    gint64 index = pyro_library_list_find (before, module->library.start);

    if (index >= 0 && before->modules[index]->adds > begin
        && before->modules[index]->mark.hash != 0
        && memcmp (&before->modules[index]->mark, &module->mark,
                   sizeof module->mark)
               == 0) {
      added->modules[i] = g_atomic_rc_box_acquire (before->modules[index]);
      g_atomic_rc_box_release (module);
    }
  }
}

void
pyro_libraries_add (const PyroModuleSelection *set)
{
  const PyroLibraryList nothing = { 0 };
  PyroLibraryList added;
  gboolean done = FALSE;

  pyro_library_list_read_set (&added, set);
  for (guint i = 0; added.n > 0 && i < MAX_TRIES && !done; i++) {
    PyroLibraries *before;
    PyroLibraryList list;

    pyro_readers_enter ();
    before = __atomic_load_n (&current.table, __ATOMIC_SEQ_CST);
    if (before != NULL)
      use_known (&added, &before->list, set->begin);
    pyro_library_list_merge (&list, before != NULL ? &before->list : &nothing,
                             &added);
    done = replace (before, make_table (&list, before, &added));
    pyro_readers_leave ();
  }
  pyro_library_list_clear (&added);
  free_retired ();
}

/* reading it */

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
  gint64 index = pyro_library_list_find (&libraries->list, address);

  return index >= 0 ? &libraries->list.modules[index]->library : NULL;
}

/* The first of its name; N_NAMES: none. */
static guint
find_first_name (const PyroLibraries *libraries, const gchar *name)
{
  guint low = 0, high = libraries->n_names;

  while (low < high) {
    guint middle = low + (high - low) / 2;

    if (libraries->names[middle].name < name)
      low = middle + 1;
    else
      high = middle;
  }
  return low < libraries->n_names && libraries->names[low].name == name
             ? low
             : libraries->n_names;
}

/* As the loader looks for what a module needs. */
static const PyroLibrary *
find_needed (const PyroLibraries *libraries, const gchar *name)
{
  guint at = find_first_name (libraries, name);

  return at < libraries->n_names ? &libraries->names[at].module->library : NULL;
}

const PyroLibrary *
pyro_libraries_find_name (const PyroLibraries *libraries, const gchar *name)
{
  for (guint at = find_first_name (libraries, name);
       at < libraries->n_names && libraries->names[at].name == name; at++)
    if (libraries->names[at].module->library.name == name)
      return &libraries->names[at].module->library;
  return NULL;
}

const PyroLibrary *
pyro_libraries_find_plugin (const PyroLibraries *libraries, const gchar *name)
{
  return pyro_libraries_find_name (
      libraries, name[0] != '\0' ? name : pyro_library_name (""));
}

static gsize
get_index (const PyroLibraries *libraries, const PyroLibrary *library)
{
  return (gsize)pyro_library_list_find (&libraries->list, library->start);
}

/* TRUE: it was not in it. */
static gboolean
add_bit (guint64 *set, gsize i)
{
  guint64 bit = G_GUINT64_CONSTANT (1) << i % BITS;
  gboolean is_new = (set[i / BITS] & bit) == 0;

  set[i / BITS] |= bit;
  return is_new;
}

static guint64 *
make_closure (const PyroLibraries *libraries, gsize index)
{
  guint n = libraries->list.n;
  guint64 *set = g_new0 (guint64, (n + BITS - 1) / BITS);
  g_autofree gsize *stack = g_new (gsize, n);
  gsize depth = 0;

  add_bit (set, index);
  stack[depth++] = index;
  while (depth > 0) {
    const PyroLibraryModule *module = libraries->list.modules[stack[--depth]];

    for (guint i = 0; i < module->n_needed; i++) {
      const PyroLibrary *needed = find_needed (libraries, module->needed[i]);
      gsize at = needed != NULL ? get_index (libraries, needed) : index;

      if (add_bit (set, at))
        stack[depth++] = at;
    }
  }
  return set;
}

static const guint64 *
get_closure (const PyroLibraries *libraries, gsize index)
{
  guint64 **place = &libraries->closures[index];
  guint64 *set = __atomic_load_n (place, __ATOMIC_ACQUIRE), *made;

  if (set != NULL)
    return set;
  made = make_closure (libraries, index);
  if (__atomic_compare_exchange_n (place, &set, made, FALSE, __ATOMIC_ACQ_REL,
                                   __ATOMIC_ACQUIRE))
    return made;
  g_free (made);
  return set;
}

void
pyro_libraries_foreach (const PyroLibraries *libraries, PyroLibraryFunc func,
                        gpointer data)
{
  for (guint i = 0; i < libraries->list.n
                    && func (&libraries->list.modules[i]->library, data);
       i++)
    ;
}

gboolean
pyro_libraries_links (const PyroLibraries *libraries,
                      const PyroLibrary *library, const PyroLibrary *other,
                      gboolean directly)
{
  const PyroLibraryModule *module = module_of (library);
  gsize at;

  if (library == other)
    return TRUE;
  if (directly) {
    for (guint i = 0; i < module->n_needed; i++)
      if (find_needed (libraries, module->needed[i]) == other)
        return TRUE;
    return FALSE;
  }
  at = get_index (libraries, other);
  return get_closure (libraries, get_index (libraries, library))[at / BITS]
             >> at % BITS
         & 1;
}

void
pyro_libraries_set_loader (guintptr address, guint64 begin, guint64 loader)
{
  const PyroLibraries *libraries = pyro_libraries_enter ();
  gint64 index = libraries != NULL
                     ? pyro_library_list_find (&libraries->list, address)
                     : -1;

  if (index >= 0) {
    const guint64 *set = get_closure (libraries, (gsize)index);

    for (guint i = 0; i < libraries->list.n; i++) {
      PyroLibraryModule *module = libraries->list.modules[i];
      guint64 before = 0;

      if ((set[i / BITS] >> i % BITS & 1) && module->adds > begin)
        __atomic_compare_exchange_n (&module->loader, &before, loader, FALSE,
                                     __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    }
  }
  pyro_libraries_leave ();
}

guint64
pyro_libraries_get_loader (const PyroLibrary *library)
{
  guint64 loader
      = __atomic_load_n (&module_of (library)->loader, __ATOMIC_RELAXED);

  return loader != NOBODY ? loader : 0;
}

void
pyro_libraries_note_owner (const PyroLibrary *library, guint64 owner)
{
  PyroLibraryModule *module = module_of (library);

  if (__atomic_load_n (&module->loader, __ATOMIC_RELAXED) != owner)
    __atomic_store_n (&module->loader, NOBODY, __ATOMIC_RELAXED);
}
