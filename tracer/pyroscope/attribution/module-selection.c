/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "module-selection.h"

#include <string.h>

#include "unwinding/loader.h"

/* Modules further down the list are not found where names are looked up. */
#define MAX_MODULES 2048
/* Entries of a dynamic section that are looked at. */
#define MAX_ENTRIES 64
#define MAX_STRINGS ((gsize)64 << 20)

static int
on_first (struct dl_phdr_info *info, size_t size, void *data)
{
  guint64 *adds = data;

  if (size
      >= offsetof (struct dl_phdr_info, dlpi_adds) + sizeof info->dlpi_adds)
    *adds = info->dlpi_adds;
  return 1;
}

guint64
pyro_module_selection_begin (void)
{
  guint64 adds = 0;
  int result;

  pyro_loader_iterate_as_guest (on_first, &adds, &result);
  return adds;
}

gboolean
pyro_module_selection_newest (PyroModuleSelection *set, guint64 begin)
{
  guint64 now = begin != 0 ? pyro_module_selection_begin () : 0;

  *set = (PyroModuleSelection){
    .begin = begin,
    .n_newest = now > begin ? (guint)MIN (now - begin, G_MAXUINT) : 0
  };
  return set->n_newest > 0;
}

/* What one module needs. The loader's lock, which is held, keeps others out of
 * this; nothing is allocated meanwhile. */
static struct {
  const struct link_map *maps[MAX_MODULES];
  guint32 hashes[MAX_MODULES]; /* of their files' names */
  guint8 is_member[MAX_MODULES];
  guint16 queue[MAX_MODULES];
  guint n, n_members; /* members are in the queue */
} found;

static const gchar *
base_name (const gchar *path)
{
  const gchar *slash = path != NULL ? strrchr (path, '/') : NULL;

  return slash != NULL ? slash + 1 : path != NULL ? path : "";
}

static guint32
hash_name (const gchar *name)
{
  guint32 hash = 5381;

  for (; *name != '\0'; name++)
    hash = hash * 33 + (guint8)*name;
  return hash;
}

static void
add_member (const gchar *name)
{
  guint32 hash = hash_name (name);

  for (guint i = 0; i < found.n; i++)
    if (found.hashes[i] == hash
        && strcmp (base_name (found.maps[i]->l_name), name) == 0) {
      if (!found.is_member[i]) {
        found.is_member[i] = TRUE;
        found.queue[found.n_members++] = (guint16)i;
      }
      return;
    }
}

/* Up to the end of the page, where the section may end. */
static gsize
count_readable (const ElfW (Dyn) * dynamic)
{
  gsize size = MAX_ENTRIES * sizeof *dynamic;

  if (!pyro_loader_is_readable ((guintptr)dynamic, size))
    size = MIN (size, 4096 - ((guintptr)dynamic & 4095));
  return pyro_loader_is_readable ((guintptr)dynamic, size)
             ? size / sizeof *dynamic
             : 0;
}

static void
add_needed (const struct link_map *map)
{
  const ElfW (Dyn) *dynamic = map->l_ld;
  gsize n = dynamic != NULL ? count_readable (dynamic) : 0, size = 0;
  guintptr strings = 0;

  for (gsize i = 0; i < n; i++)
    switch (dynamic[i].d_tag) {
    case DT_NULL:
      n = i;
      break;
    case DT_STRTAB:
      strings = dynamic[i].d_un.d_ptr;
      break;
    case DT_STRSZ:
      size = dynamic[i].d_un.d_val;
      break;
    default:
      break;
    }
  if (strings < map->l_addr) /* not relocated in place */
    strings += map->l_addr;
  if (size == 0 || size > MAX_STRINGS
      || !pyro_loader_is_readable (strings, size)
      || ((const gchar *)strings)[size - 1] != '\0')
    return;
  for (gsize i = 0; i < n; i++)
    if (dynamic[i].d_tag == DT_NEEDED && dynamic[i].d_un.d_val < size)
      add_member ((const gchar *)strings + dynamic[i].d_un.d_val);
}

static void
find_needed (const struct link_map *map, const gchar *root, guint limit)
{
  memset (found.is_member, 0, sizeof found.is_member);
  found.n = found.n_members = 0;
  for (; map != NULL && found.n < MAX_MODULES; map = map->l_next) {
    found.maps[found.n] = map;
    found.hashes[found.n++] = hash_name (base_name (map->l_name));
  }
  add_member (root);
  for (guint i = 0; i < found.n_members && found.n_members < limit; i++)
    add_needed (found.maps[found.queue[i]]);
}

typedef struct {
  const PyroModuleSelection *set;
  int (*func) (struct dl_phdr_info *, size_t, void *);
  gpointer data;
  gsize at;        /* in the list */
  gsize n_skipped; /* those that are passed over first */
  gboolean has_begun, all;
} Walk;

/* The list that dl_iterate_phdr() shows is the one of <link.h>, which is safe
 * to read inside of it. Where it is another one (dlmopen(3)), all are members.
 */
static void
begin (Walk *walk, const struct dl_phdr_info *info)
{
  const PyroModuleSelection *set = walk->set;
  const struct link_map *map = _r_debug.r_map;
  gsize n = 0;

  walk->has_begun = TRUE;
  walk->all = map == NULL || map->l_name != info->dlpi_name
              || map->l_addr != info->dlpi_addr;
  if (walk->all)
    return;
  if (set->n_newest == 0) {
    find_needed (map, set->root, set->n_with_needed);
    return;
  }
  for (; map != NULL; map = map->l_next)
    n++;
  walk->n_skipped = n > set->n_newest ? n - set->n_newest : 0;
}

static int
on_module (struct dl_phdr_info *info, size_t size, void *data)
{
  Walk *walk = data;
  gsize at;

  if (!walk->has_begun)
    begin (walk, info);
  at = walk->at++;
  if (!walk->all
      && (walk->set->n_newest > 0 ? at < walk->n_skipped
                                  : at >= found.n || !found.is_member[at]))
    return 0;
  return walk->func (info, size, walk->data);
}

gboolean
pyro_module_selection_iterate (const PyroModuleSelection *set,
                               int (*func) (struct dl_phdr_info *, size_t,
                                            void *),
                               gpointer data)
{
  Walk walk = { .set = set, .func = func, .data = data };
  int result;

  return pyro_loader_iterate_as_guest (on_module, &walk, &result);
}
