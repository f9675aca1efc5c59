/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: what a loaded module's dynamic section says: its relocations, its
 * symbols' names, the libraries it needs (System V ABI, "Dynamic Section").
 * Owner: pointers into the module; valid inside the dl_iterate_phdr callback.
 * Threads: any, inside the callback. Nothing is allocated.
 */
#pragma once

#include <glib.h>
#include <link.h>

G_BEGIN_DECLS

typedef struct {
  guintptr base;
  guintptr start, limit;             /* of all its segments */
  guintptr relro_start, relro_limit; /* what is made read-only when relocated */
  const ElfW (Dyn) * dynamic;
  gsize n_dynamic;
  const gchar *strings;
  gsize strings_size;
  const ElfW (Sym) * symbols;
  const guint32 *gnu_hash, *hash; /* tables of symbols; NULL: there is none */
  /* Of DT_JMPREL, and of DT_RELA without the relative ones. */
  const ElfW (Rela) * tables[2];
  gsize n_relocations[2];
  guintptr readable_start, readable_limit; /* known to be so */
  gsize soname;                            /* in STRINGS; 0: none */
  gboolean has_run_path;
} PyroDynamicSection;

/* FALSE: there is none, or it is not understood, or a part of it cannot be read
 * any more because its file was cut off. With RELOCATIONS, those and the
 * symbols are looked at, too. */
gboolean pyro_dynamic_section_read (PyroDynamicSection *section,
                                    const struct dl_phdr_info *info,
                                    gboolean relocations);

/* Its relocations can be read now, though not every symbol. */
gboolean
pyro_dynamic_section_has_relocations (const PyroDynamicSection *section);

/* All symbols that it takes from other modules are among the first N, which can
 * be read: linkers put what is not hashed first. 0: that is not said. */
gsize pyro_dynamic_section_count_imported (const PyroDynamicSection *section);

/* The string at OFFSET, or "". */
const gchar *
pyro_dynamic_section_string (const PyroDynamicSection *section, gsize offset);

G_END_DECLS
