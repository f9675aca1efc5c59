/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "symbols/fde-table.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <gelf.h>
#include <string.h>

struct _PyroFdeTable {
  PyroRangeMap *ranges;
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
  if (p == NULL)
    return FALSE;
  for (augmentation++; *augmentation != '\0'; augmentation++) {
    switch (*augmentation) {
    case 'R':
      if (p >= end)
        return FALSE;
      *encoding = *p;
      return TRUE;
    case 'L':
      p++;
      break;
    case 'P': {
      guint64 ignored;
      guint personality;

      if (p >= end)
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

static void
read_ranges (PyroFdeTable *table, const Section *section)
{
  Dwarf_Off offset = 0, next = 0, cie = (Dwarf_Off)-1;
  gboolean cie_known = FALSE;
  guint encoding = 0;

  while (offset < section->data->d_size) {
    Dwarf_CFI_Entry entry;
    guint64 start, length;
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
    if (!read_encoded (section, encoding, &p, entry.fde.end, &start)
        || !read_encoded (section, encoding & 0x0f, &p, entry.fde.end, &length))
      continue;
    pyro_range_map_add (table->ranges, start, start + length, 0);
  }
}

PyroFdeTable *
pyro_fde_table_new (PyroElfFile *file)
{
  PyroFdeTable *table = g_new0 (PyroFdeTable, 1);
  Elf_Scn *scn = pyro_elf_file_find_section (file, ".eh_frame");
  GElf_Shdr shdr;
  Section section;

  table->ranges = pyro_range_map_new ();
  if (scn == NULL || gelf_getshdr (scn, &shdr) == NULL
      || (shdr.sh_flags & SHF_COMPRESSED) != 0)
    return table;
  section.data = pyro_elf_file_read_section (file, scn, NULL);
  section.ident = (const guint8 *)elf_getident (file->elf, NULL);
  section.address = shdr.sh_addr;
  section.pointer_size = gelf_getclass (file->elf) == ELFCLASS32 ? 4 : 8;
  if (section.data != NULL && section.ident != NULL)
    read_ranges (table, &section);
  pyro_range_map_finish (table->ranges, NULL, NULL);
  return table;
}

void
pyro_fde_table_free (PyroFdeTable *table)
{
  pyro_range_map_free (table->ranges);
  g_free (table);
}

gboolean
pyro_fde_table_lookup (const PyroFdeTable *table, guint64 address,
                       guint64 *start)
{
  const PyroRange *range = pyro_range_map_lookup (table->ranges, address);

  if (range == NULL)
    return FALSE;
  *start = range->start;
  return TRUE;
}

guint
pyro_fde_table_get_size (const PyroFdeTable *table)
{
  return pyro_range_map_get_size (table->ranges);
}

const PyroRange *
pyro_fde_table_get (const PyroFdeTable *table, guint index)
{
  return pyro_range_map_get (table->ranges, index);
}

gint
pyro_fde_table_find (const PyroFdeTable *table, guint64 address)
{
  const gint last = pyro_range_map_find_last (table->ranges, address);

  return last >= 0 && address < pyro_fde_table_get (table, last)->end ? last
                                                                      : -1;
}

gboolean
pyro_fde_table_find_gap (const PyroFdeTable *table, guint64 address,
                         guint64 *start, guint64 *end)
{
  return pyro_range_map_find_gap (table->ranges, address, start, end);
}
