/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: whether a loaded module is still the one that was looked at before, so
 * that a dlclose() anywhere does not make all others be read again.
 * Owner: a mark is a value.
 * Threads: any, inside the dl_iterate_phdr callback. Nothing is allocated.
 */
#pragma once

#include "dynamic-section.h"

G_BEGIN_DECLS

typedef struct {
  guintptr headers; /* where its program headers are: no two have one place */
  guintptr base;
  guintptr dynamic;
  gsize dynamic_size;
  guint64 hash; /* of the dynamic section */
} PyroModuleMark;

void
pyro_module_mark_take (PyroModuleMark *mark, const struct dl_phdr_info *info,
                       const PyroDynamicSection *section);

/* INFO is the module that was marked, or the same file loaded to the same place
 * since. One system call. */
gboolean pyro_module_mark_holds (const PyroModuleMark *mark,
                                 const struct dl_phdr_info *info);

G_END_DECLS
