/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "symbols/entry-points.h"

#include "symbols/code-image.h"

#include <gelf.h>
#include <string.h>

/* libx264's assembly has 1500, libavcodec's 1700. */
#define ENTRIES_MAX (1u << 17)

#define RELOCATIONS_MAX (1u << 20)
#define SYMBOLS_MAX (1u << 20)

/* Gaps this small are padding between functions. */
#define PADDING_MAX 64

/* Most targets are functions, which are not looked for. A page of code is
 * marked if it has any that is not one's. */
#define CODE_ALIGNMENT 16
#define PAGE_SHIFT 8
#define PAGES_MAX (1u << 18)

typedef struct {
  guint64 start, end;
  guint8 *is_page_marked; /* or NULL: all are */
} Section;

struct _PyroEntryPoints {
  GArray *sections; /* of Section: code */
  GArray *entries;  /* of guint64, sorted */
  gboolean is_full;
};

static gint
compare_addresses (gconstpointer a, gconstpointer b)
{
  const guint64 *x = a, *y = b;

  return *x < *y ? -1 : *x > *y;
}

/* Sorts, and leaves each address once. */
static void
compact (GArray *entries)
{
  guint kept = 0;

  g_array_sort (entries, compare_addresses);
  for (guint i = 0; i < entries->len; i++) {
    const guint64 entry = g_array_index (entries, guint64, i);

    if (kept == 0 || g_array_index (entries, guint64, kept - 1) != entry)
      g_array_index (entries, guint64, kept++) = entry;
  }
  g_array_set_size (entries, kept);
}

static const Section *
find_section (const GArray *sections, guint64 address)
{
  for (guint i = 0; i < sections->len; i++) {
    const Section *section = &g_array_index (sections, Section, i);

    if (address >= section->start && address < section->end)
      return section;
  }
  return NULL;
}

static gboolean
is_marked (const Section *section, guint64 address)
{
  return section->is_page_marked == NULL
         || section->is_page_marked[(address - section->start) >> PAGE_SHIFT];
}

static void
add (PyroEntryPoints *entries, const PyroFdeTable *fdes, guint64 address)
{
  const Section *section = find_section (entries->sections, address);

  if (section == NULL || !is_marked (section, address) || entries->is_full
      || pyro_fde_table_find (fdes, address) >= 0)
    return;
  g_array_append_val (entries->entries, address);
  if (entries->entries->len < ENTRIES_MAX)
    return;
  compact (entries->entries);
  entries->is_full = entries->entries->len > ENTRIES_MAX / 2;
}

static void
clear_section (gpointer data)
{
  g_free (((Section *)data)->is_page_marked);
}

static void
add_sections (PyroEntryPoints *entries, PyroElfFile *file)
{
  Elf_Scn *section = NULL;
  GElf_Shdr shdr;

  while ((section = elf_nextscn (file->elf, section)) != NULL) {
    if (gelf_getshdr (section, &shdr) == NULL || shdr.sh_type != SHT_PROGBITS
        || (shdr.sh_flags & (SHF_ALLOC | SHF_EXECINSTR))
               != (SHF_ALLOC | SHF_EXECINSTR)
        || shdr.sh_addr + shdr.sh_size < shdr.sh_addr
        || entries->sections->len == 64)
      continue;
    g_array_append_val (
        entries->sections,
        ((Section){ shdr.sh_addr, shdr.sh_addr + shdr.sh_size, NULL }));
  }
}

/* Marks the pages of SECTION in [FROM, TO). */
static void
mark_pages (Section *section, guint64 from, guint64 to)
{
  for (guint64 page = (from - section->start) >> PAGE_SHIFT;
       page <= (to - 1 - section->start) >> PAGE_SHIFT; page++)
    section->is_page_marked[page] = 1;
}

/* Finds the code of SECTION without call frame information, and whether that is
 * more than padding, in which something may point. */
static gboolean
mark_gaps (Section *section, const PyroFdeTable *fdes)
{
  const guint64 n_pages = ((section->end - section->start) >> PAGE_SHIFT) + 1;
  guint64 at = section->start, start, end;
  gboolean has_gaps = FALSE;

  if (n_pages <= PAGES_MAX)
    section->is_page_marked = g_malloc0 (n_pages);
  while (at < section->end) {
    if (pyro_fde_table_find_gap (fdes, at, &start, &end)) {
      end = MIN (end, section->end);
      has_gaps |= end - at > PADDING_MAX;
      /* What is left over has padding up to where a function may begin. */
      if (section->is_page_marked != NULL
          && (at + CODE_ALIGNMENT - 1) / CODE_ALIGNMENT * CODE_ALIGNMENT < end)
        mark_pages (section, at, end);
    }
    at = end;
  }
  return has_gaps;
}

static gboolean
has_gaps (const PyroEntryPoints *entries, const PyroFdeTable *fdes)
{
  gboolean found = FALSE;

  for (guint i = 0; i < entries->sections->len; i++)
    found |= mark_gaps (&g_array_index (entries->sections, Section, i), fdes);
  return found;
}

/* FALSE: the time is over. */
static gboolean
add_relocations (PyroEntryPoints *entries, PyroElfFile *file,
                 const PyroFdeTable *fdes, const PyroTimeLimit *limit)
{
  Elf_Scn *section = NULL;
  guint64 n_bytes = 0;
  Elf_Data *data;

  while ((data = pyro_elf_file_next_relocations (file, &section, &n_bytes))
         != NULL) {
    GElf_Rela rela;

    if (pyro_time_is_over (limit))
      return FALSE;
    for (guint i = 0;
         i < RELOCATIONS_MAX && gelf_getrela (data, i, &rela) != NULL; i++) {
      if (GELF_R_SYM (rela.r_info) == 0)
        add (entries, fdes, rela.r_addend);
    }
  }
  return TRUE;
}

/* Those of the first section of TYPE: more of them would only be more to read.
 * Symbols that have no size name nothing, but say where something begins. */
static void
add_symbols (PyroEntryPoints *entries, PyroElfFile *file,
             const PyroFdeTable *fdes, guint type)
{
  Elf_Data *data = NULL;
  Elf_Scn *section = NULL;
  GElf_Shdr shdr;
  GElf_Sym sym;

  while ((section = elf_nextscn (file->elf, section)) != NULL) {
    if (gelf_getshdr (section, &shdr) != NULL && shdr.sh_type == type) {
      data = pyro_elf_file_read_section (file, section, NULL);
      break;
    }
  }
  for (guint i = 0;
       data != NULL && i < SYMBOLS_MAX && gelf_getsym (data, i, &sym) != NULL;
       i++) {
    if (sym.st_shndx != SHN_UNDEF && sym.st_shndx != SHN_ABS)
      add (entries, fdes, sym.st_value);
  }
}

/* Calls, and addresses that are loaded into a register. What only looks like a
 * call leads anywhere; functions are aligned. FALSE: the time is over. */
static gboolean
add_of_code (PyroEntryPoints *entries, const PyroFdeTable *fdes,
             const PyroCodeSection *section, const PyroTimeLimit *limit)
{
  const guint8 *bytes = section->bytes;

  for (gsize i = 0; i + 7 <= section->size; i++) {
    guint64 target = section->address + i;
    gint32 distance;

    if (i % PYRO_TIME_LIMIT_BYTES == 0 && pyro_time_is_over (limit))
      return FALSE;
    if (bytes[i] == 0xe8) {
      memcpy (&distance, bytes + i + 1, sizeof distance);
      target += 5 + (gint64)distance;
      if (target % CODE_ALIGNMENT == 0)
        add (entries, fdes, target);
    } else if ((bytes[i] & 0xfb) == 0x48 && bytes[i + 1] == 0x8d
               && (bytes[i + 2] & 0xc7) == 0x05) {
      memcpy (&distance, bytes + i + 3, sizeof distance);
      target += 7 + (gint64)distance;
      add (entries, fdes, target);
    }
  }
  return TRUE;
}

PyroEntryPoints *
pyro_entry_points_new (PyroElfFile *file, const PyroFdeTable *fdes,
                       const PyroTimeLimit *limit)
{
  g_autoptr (PyroEntryPoints) entries = g_new0 (PyroEntryPoints, 1);
  g_autoptr (PyroCodeImage) image = NULL;

  entries->sections = g_array_new (FALSE, FALSE, sizeof (Section));
  g_array_set_clear_func (entries->sections, clear_section);
  entries->entries = g_array_new (FALSE, FALSE, sizeof (guint64));
  add_sections (entries, file);
  if (!has_gaps (entries, fdes))
    return g_steal_pointer (&entries);
  if (pyro_time_is_over (limit)
      || !add_relocations (entries, file, fdes, limit))
    return NULL;
  add_symbols (entries, file, fdes, SHT_SYMTAB);
  add_symbols (entries, file, fdes, SHT_DYNSYM);
  image = pyro_code_image_new (file);
  for (guint i = 0;
       image != NULL && image->machine == EM_X86_64 && i < image->sections->len;
       i++) {
    const PyroCodeSection *section
        = &g_array_index (image->sections, PyroCodeSection, i);

    if (section->is_code && !add_of_code (entries, fdes, section, limit))
      return NULL;
  }
  compact (entries->entries);
  return g_steal_pointer (&entries);
}

void
pyro_entry_points_free (PyroEntryPoints *entries)
{
  g_array_unref (entries->sections);
  g_array_unref (entries->entries);
  g_free (entries);
}

/* The last entry at or before ADDRESS, or 0. */
static guint64
find_entry (const PyroEntryPoints *entries, guint64 address)
{
  guint low = 0, high = entries->entries->len;

  while (low < high) {
    const guint middle = low + (high - low) / 2;

    if (g_array_index (entries->entries, guint64, middle) <= address)
      low = middle + 1;
    else
      high = middle;
  }
  return low > 0 ? g_array_index (entries->entries, guint64, low - 1) : 0;
}

gboolean
pyro_entry_points_lookup (const PyroEntryPoints *entries,
                          const PyroFdeTable *fdes,
                          const PyroSymbolTable *symbols, guint64 address,
                          guint64 *start)
{
  const Section *section = find_section (entries->sections, address);
  guint64 behind_fde, end;

  if (section == NULL
      || !pyro_fde_table_find_gap (fdes, address, &behind_fde, &end))
    return FALSE;
  *start = MAX (section->start, behind_fde);
  *start = MAX (*start, pyro_symbol_table_find_end_before (symbols, address));
  *start = MAX (*start, find_entry (entries, address));
  return TRUE;
}
