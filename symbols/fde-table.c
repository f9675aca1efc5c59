/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "symbols/fde-table.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <gelf.h>
#include <string.h>

typedef struct {
  guint64 start;
  guint64 end;
} Range;

struct _PyroFdeTable {
  GArray *ranges; /* of Range, by start */
};

/* .eh_frame while it is read. */
typedef struct {
  const guint8 *ident;
  Elf_Data *data;
  guint64 address; /* of its first byte */
  gsize pointer_size;
} Section;

/* Reads a pointer in one of the encodings of the Linux Standard Base (DWARF
 * Extensions, "Pointer Encoding"). Relative to the text or data base, and
 * indirect, pointers to code are not made by any assembler. */
static gboolean
read_encoded (const Section *section, guint encoding, const guint8 **cursor,
              const guint8 *end, guint64 *value)
{
  const guint8 *p = *cursor;
  const guint64 here
      = section->address + (p - (const guint8 *)section->data->d_buf);
  const guint format = encoding & 0x0f;
  gboolean is_signed = FALSE;
  gsize size;

  switch (format) {
  case DW_EH_PE_absptr:
    size = section->pointer_size;
    break;
  case DW_EH_PE_udata2:
  case DW_EH_PE_sdata2:
    size = 2;
    break;
  case DW_EH_PE_udata4:
  case DW_EH_PE_sdata4:
    size = 4;
    break;
  case DW_EH_PE_udata8:
  case DW_EH_PE_sdata8:
    size = 8;
    break;
  default:
    return FALSE;
  }
  is_signed = (format & DW_EH_PE_signed) != 0;
  if ((gsize)(end - p) < size)
    return FALSE;

  if (size == 2) {
    guint16 v;
    memcpy (&v, p, 2);
    *value = is_signed ? (guint64)(gint64)(gint16)v : v;
  } else if (size == 4) {
    guint32 v;
    memcpy (&v, p, 4);
    *value = is_signed ? (guint64)(gint64)(gint32)v : v;
  } else {
    memcpy (value, p, 8);
  }
  *cursor = p + size;

  switch (encoding & 0x70) {
  case DW_EH_PE_absptr:
    return TRUE;
  case DW_EH_PE_pcrel:
    *value += here;
    return TRUE;
  default:
    return FALSE;
  }
}

/* The encoding of the pointers in the FDEs of the CIE at OFFSET. */
static gboolean
read_fde_encoding (const Section *section, Dwarf_Off offset, guint *encoding)
{
  Dwarf_CFI_Entry entry;
  Dwarf_Off next;

  if (dwarf_next_cfi (section->ident, section->data, TRUE, offset, &next,
                      &entry)
          != 0
      || !dwarf_cfi_cie_p (&entry))
    return FALSE;

  const gchar *augmentation = entry.cie.augmentation;
  const guint8 *p = entry.cie.augmentation_data;
  const guint8 *end = p + entry.cie.augmentation_data_size;

  *encoding = DW_EH_PE_absptr;
  if (augmentation[0] != 'z')
    return augmentation[0] == '\0';
  for (augmentation++; *augmentation != '\0'; augmentation++) {
    switch (*augmentation) {
    case 'R':
      if (p == NULL || p >= end)
        return FALSE;
      *encoding = *p;
      return TRUE;
    case 'L':
      p++;
      break;
    case 'P': {
      guint64 ignored;
      guint personality;

      if (p == NULL || p >= end)
        return FALSE;
      personality = *p++;
      /* Where it points does not matter, only how long it is. */
      if (!read_encoded (section, personality & 0x0f, &p, end, &ignored))
        return FALSE;
      break;
    }
    case 'S':
    case 'B':
      break;
    default:
      return FALSE;
    }
  }
  return TRUE;
}

static gint
compare_ranges (gconstpointer a, gconstpointer b)
{
  const Range *x = a, *y = b;

  if (x->start != y->start)
    return x->start < y->start ? -1 : 1;
  return x->end < y->end ? -1 : x->end > y->end;
}

static void
read_ranges (PyroFdeTable *table, const Section *section)
{
  Dwarf_Off offset = 0, next = 0, cie = (Dwarf_Off)-1;
  gboolean cie_known = FALSE;
  guint encoding = 0;

  while (offset < section->data->d_size && table->ranges->len < G_MAXINT) {
    Dwarf_CFI_Entry entry;
    Range range;
    int result = dwarf_next_cfi (section->ident, section->data, TRUE, offset,
                                 &next, &entry);

    if (result > 0 || next == (Dwarf_Off)-1 || next <= offset)
      break;
    offset = next;
    if (result < 0 || dwarf_cfi_cie_p (&entry))
      continue;

    if (entry.fde.CIE_pointer != cie) {
      cie = entry.fde.CIE_pointer;
      cie_known = read_fde_encoding (section, cie, &encoding);
    }
    if (!cie_known)
      continue;
    const guint8 *p = entry.fde.start;
    if (!read_encoded (section, encoding, &p, entry.fde.end, &range.start)
        || !read_encoded (section, encoding & 0x0f, &p, entry.fde.end,
                          &range.end)
        || range.end == 0 || range.start + range.end < range.start)
      continue;
    range.end += range.start;
    g_array_append_val (table->ranges, range);
  }
}

PyroFdeTable *
pyro_fde_table_new (PyroElfFile *file)
{
  PyroFdeTable *table = g_new0 (PyroFdeTable, 1);
  Elf_Scn *scn = pyro_elf_file_find_section (file, ".eh_frame");
  GElf_Shdr shdr;
  Section section;

  table->ranges = g_array_new (FALSE, FALSE, sizeof (Range));
  if (scn == NULL || gelf_getshdr (scn, &shdr) == NULL
      || (shdr.sh_flags & SHF_COMPRESSED) != 0)
    return table;
  section.data = pyro_elf_file_read_section (file, scn, NULL);
  section.ident = (const guint8 *)elf_getident (file->elf, NULL);
  section.address = shdr.sh_addr;
  section.pointer_size = gelf_getclass (file->elf) == ELFCLASS32 ? 4 : 8;
  if (section.data != NULL && section.ident != NULL) {
    read_ranges (table, &section);
    g_array_sort (table->ranges, compare_ranges);
  }
  return table;
}

void
pyro_fde_table_free (PyroFdeTable *table)
{
  g_array_unref (table->ranges);
  g_free (table);
}

gboolean
pyro_fde_table_lookup (const PyroFdeTable *table, guint64 address,
                       guint64 *start)
{
  guint low = 0, high = table->ranges->len;

  while (low < high) {
    guint middle = low + (high - low) / 2;

    if (g_array_index (table->ranges, Range, middle).start <= address)
      low = middle + 1;
    else
      high = middle;
  }
  if (low == 0)
    return FALSE;
  const Range *range = &g_array_index (table->ranges, Range, low - 1);
  *start = range->start;
  return address < range->end;
}
