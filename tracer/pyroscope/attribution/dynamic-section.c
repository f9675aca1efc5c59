/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "dynamic-section.h"

#include <string.h>

#include "unwinding/loader.h"

#define MAX_PHDRS 64

/* More than any real table; keeps arithmetic far from its limits. */
#define MAX_TABLE_SIZE ((gsize)1 << 30)

static gboolean
is_readable (gconstpointer address, gsize size)
{
  return size <= MAX_TABLE_SIZE
         && pyro_loader_is_readable ((guintptr)address, size);
}

static gboolean
is_part_readable (const PyroDynamicSection *section, gconstpointer address,
                  gsize size)
{
  guintptr start = (guintptr)address;

  return (size <= MAX_TABLE_SIZE && start >= section->readable_start
          && start <= section->readable_limit
          && size <= section->readable_limit - start)
         || is_readable (address, size);
}

/* glibc stores run-time addresses in place, others leave them as they were. */
static guintptr
to_address (guintptr base, guintptr value)
{
  return value < base ? base + value : value;
}

static gboolean
read_program_headers (PyroDynamicSection *section,
                      const struct dl_phdr_info *info)
{
  guint n = MIN (info->dlpi_phnum, MAX_PHDRS);
  ElfW (Phdr) phdrs[MAX_PHDRS];

  section->base = info->dlpi_addr;
  section->start = G_MAXSIZE;
  if (pyro_loader_read_memory ((guintptr)info->dlpi_phdr, n * sizeof *phdrs,
                               phdrs)
      != n * sizeof *phdrs)
    return FALSE;
  for (guint i = 0; i < n; i++) {
    guintptr start = info->dlpi_addr + phdrs[i].p_vaddr;
    guintptr limit = start + phdrs[i].p_memsz;

    switch (phdrs[i].p_type) {
    case PT_LOAD:
      section->start = MIN (section->start, start);
      section->limit = MAX (section->limit, limit);
      break;
    case PT_DYNAMIC:
      section->dynamic = (const ElfW (Dyn) *)start;
      section->n_dynamic = phdrs[i].p_memsz / sizeof *section->dynamic;
      break;
    case PT_GNU_RELRO:
      section->relro_start = start;
      section->relro_limit = limit;
      break;
    default:
      break;
    }
  }
  return section->start < section->limit;
}

static void
read_entries (PyroDynamicSection *section)
{
  guintptr base = section->base;
  gsize sizes[2] = { 0 }, n_relative = 0;

  for (gsize i = 0; i < section->n_dynamic; i++) {
    guintptr value = section->dynamic[i].d_un.d_val;

    switch (section->dynamic[i].d_tag) {
    case DT_NULL:
      section->n_dynamic = i;
      break;
    case DT_STRTAB:
      section->strings = (const gchar *)to_address (base, value);
      break;
    case DT_STRSZ:
      section->strings_size = value;
      break;
    case DT_SYMTAB:
      section->symbols = (const ElfW (Sym) *)to_address (base, value);
      break;
    case DT_GNU_HASH:
      section->gnu_hash = (const guint32 *)to_address (base, value);
      break;
    case DT_HASH:
      section->hash = (const guint32 *)to_address (base, value);
      break;
    case DT_JMPREL:
      section->tables[0] = (const ElfW (Rela) *)to_address (base, value);
      break;
    case DT_PLTRELSZ:
      sizes[0] = value;
      break;
    case DT_RELA:
      section->tables[1] = (const ElfW (Rela) *)to_address (base, value);
      break;
    case DT_RELASZ:
      sizes[1] = value;
      break;
    case DT_RELACOUNT:
      n_relative = value;
      break;
    case DT_SONAME:
      section->soname = value;
      break;
    case DT_RPATH:
    case DT_RUNPATH:
      section->has_run_path = TRUE;
      break;
    default:
      break;
    }
  }
  for (guint i = 0; i < 2; i++)
    if (section->tables[i] != NULL)
      section->n_relocations[i] = sizes[i] / sizeof (ElfW (Rela));
  /* Those that concern no symbol come first: most of a large library's. */
  n_relative = MIN (n_relative, section->n_relocations[1]);
  if (n_relative > 0)
    section->tables[1] += n_relative;
  section->n_relocations[1] -= n_relative;
}

gboolean
pyro_dynamic_section_has_relocations (const PyroDynamicSection *section)
{
  for (guint i = 0; i < 2; i++)
    if (!is_readable (section->tables[i],
                      section->n_relocations[i] * sizeof (ElfW (Rela))))
      return FALSE;
  return TRUE;
}

/* Where something is hashed: the first symbol that is. A table of nothing names
 * symbol 1, whatever there is. */
static gsize
find_first_hashed (const PyroDynamicSection *section)
{
  const guint32 *table = section->gnu_hash;
  gsize n_buckets, n_words;
  const guint32 *buckets;

  if (!is_part_readable (section, table, 4 * sizeof *table))
    return 0;
  n_buckets = table[0];
  n_words = table[2] * sizeof (ElfW (Addr)) / sizeof *table;
  buckets = table + 4 + n_words;
  if (!is_part_readable (section, buckets, n_buckets * sizeof *buckets))
    return 0;
  for (gsize i = 0; i < n_buckets; i++)
    if (buckets[i] != 0)
      return table[1];
  return 0;
}

gsize
pyro_dynamic_section_count_imported (const PyroDynamicSection *section)
{
  gsize n = 0;

  if (section->gnu_hash != NULL)
    n = find_first_hashed (section);
  else if (section->hash != NULL
           && is_part_readable (section, section->hash,
                                2 * sizeof *section->hash))
    n = section->hash[1]; /* all symbols */
  return n > 0 && section->symbols != NULL
                 && is_part_readable (section, section->symbols,
                                      n * sizeof *section->symbols)
             ? n
             : 0;
}

static gboolean
are_relocations_readable (const PyroDynamicSection *section)
{
  gsize last_symbol = 0;

  if (!pyro_dynamic_section_has_relocations (section))
    return FALSE;
  for (guint i = 0; i < 2; i++)
    for (gsize j = 0; j < section->n_relocations[i]; j++)
      last_symbol
          = MAX (last_symbol, ELF64_R_SYM (section->tables[i][j].r_info));
  return last_symbol == 0
         || (section->symbols != NULL
             && is_readable (section->symbols,
                             (last_symbol + 1) * sizeof *section->symbols));
}

/* Linkers put them beside each other: one system call instead of four. */
static gboolean
are_strings_readable (PyroDynamicSection *section)
{
  guintptr strings = (guintptr)section->strings, low = strings;
  guintptr limit = strings + section->strings_size;

  if (section->gnu_hash != NULL)
    low = MIN (low, (guintptr)section->gnu_hash);
  if (section->symbols != NULL)
    low = MIN (low, (guintptr)section->symbols);
  if (low < section->start || limit > section->limit || limit < low
      || !is_readable ((gconstpointer)low, limit - low))
    return is_readable (section->strings, section->strings_size);
  section->readable_start = low;
  section->readable_limit = limit;
  return TRUE;
}

gboolean
pyro_dynamic_section_read (PyroDynamicSection *section,
                           const struct dl_phdr_info *info,
                           gboolean relocations)
{
  memset (section, 0, sizeof *section);
  if (!read_program_headers (section, info) || section->dynamic == NULL
      || !is_readable (section->dynamic,
                       section->n_dynamic * sizeof *section->dynamic))
    return FALSE;
  read_entries (section);
  if (section->strings == NULL || section->strings_size == 0
      || !are_strings_readable (section)
      || section->strings[section->strings_size - 1] != '\0')
    return FALSE;
  return !relocations || are_relocations_readable (section);
}

const gchar *
pyro_dynamic_section_string (const PyroDynamicSection *section, gsize offset)
{
  return offset < section->strings_size ? section->strings + offset : "";
}
