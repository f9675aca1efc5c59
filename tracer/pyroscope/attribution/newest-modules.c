/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "newest-modules.h"

#include "unwinding/loader.h"

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
pyro_newest_modules_begin (void)
{
  guint64 adds = 0;
  int result;

  pyro_loader_iterate_as_guest (on_first, &adds, &result);
  return adds;
}

guint
pyro_newest_modules_count (guint64 begin)
{
  guint64 now = begin != 0 ? pyro_newest_modules_begin () : 0;

  return now > begin ? (guint)MIN (now - begin, G_MAXUINT) : 0;
}

typedef struct {
  int (*func) (struct dl_phdr_info *, size_t, void *);
  gpointer data;
  guint n;
  gsize n_skipped; /* those that are passed over */
  gboolean has_begun;
} Walk;

/* The list that dl_iterate_phdr() shows is the one of <link.h>, which is safe
 * to read inside of it. Where it is another one (dlmopen(3)), nothing is passed
 * over. */
static void
begin (Walk *walk, const struct dl_phdr_info *info)
{
  const struct link_map *map = _r_debug.r_map;
  gsize n = 0;

  walk->has_begun = TRUE;
  if (map == NULL || map->l_name != info->dlpi_name
      || map->l_addr != info->dlpi_addr)
    return;
  for (; map != NULL; map = map->l_next)
    n++;
  walk->n_skipped = n > walk->n ? n - walk->n : 0;
}

static int
on_module (struct dl_phdr_info *info, size_t size, void *data)
{
  Walk *walk = data;

  if (!walk->has_begun)
    begin (walk, info);
  if (walk->n_skipped > 0) {
    walk->n_skipped--;
    return 0;
  }
  return walk->func (info, size, walk->data);
}

gboolean
pyro_newest_modules_iterate (
    guint n, int (*func) (struct dl_phdr_info *, size_t, void *), gpointer data)
{
  Walk walk = { .func = func, .data = data, .n = n };
  int result;

  return pyro_loader_iterate_as_guest (on_module, &walk, &result);
}
