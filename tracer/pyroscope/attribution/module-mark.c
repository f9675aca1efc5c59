/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "module-mark.h"

#include "unwinding/loader.h"

/* Those of large libraries have some 40 entries of 16 bytes. */
#define MAX_DYNAMIC 2048

/* Tables' sizes and places, names' offsets: what tells two files apart that
 * take each other's place. 0: it cannot be read. */
static guint64
hash_dynamic (guintptr address, gsize size)
{
  guint64 words[MAX_DYNAMIC / sizeof (guint64)];
  guint64 hash = size + 1;

  if (pyro_loader_read_memory (address, size, words) != size)
    return 0;
  for (gsize i = 0; i < size / sizeof *words; i++)
    hash = (hash ^ words[i]) * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15);
  return hash | 1;
}

void
pyro_module_mark_take (PyroModuleMark *mark, const struct dl_phdr_info *info,
                       const PyroDynamicSection *section)
{
  mark->headers = (guintptr)info->dlpi_phdr;
  mark->base = info->dlpi_addr;
  mark->dynamic = (guintptr)section->dynamic;
  mark->dynamic_size
      = MIN (section->n_dynamic * sizeof *section->dynamic, MAX_DYNAMIC);
  mark->hash = hash_dynamic (mark->dynamic, mark->dynamic_size);
}

gboolean
pyro_module_mark_holds (const PyroModuleMark *mark,
                        const struct dl_phdr_info *info)
{
  return mark->headers == (guintptr)info->dlpi_phdr
         && mark->base == info->dlpi_addr && mark->hash != 0
         && mark->hash == hash_dynamic (mark->dynamic, mark->dynamic_size);
}
