/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "cfi-reader.h"

/* Pointer encodings: the low four bits say how it is stored, the next three
 * what it is relative to (LSB 5.0, tables 10-3 to 10-5). */
enum {
  PE_ABSPTR = 0x00,
  PE_ULEB128 = 0x01,
  PE_UDATA2 = 0x02,
  PE_UDATA4 = 0x03,
  PE_UDATA8 = 0x04,
  PE_SLEB128 = 0x09,
  PE_SDATA2 = 0x0a,
  PE_SDATA4 = 0x0b,
  PE_SDATA8 = 0x0c,
  PE_FORMAT = 0x0f,
  PE_PCREL = 0x10,
  PE_RELATIVE = 0x70,
  PE_INDIRECT = 0x80,
  PE_OMIT = 0xff,
};

#define NO_CIE G_MAXUINT

struct _PyroCfiReader {
  const guint8 *data;
  gsize size;
  guint64 address;
  gboolean is_debug_frame;
  PyroBytes at;
  GArray *cies;          /* of PyroCie */
  GHashTable *by_offset; /* section offset -> index + 1 into CIES */
  guint64 last_offset;   /* of the CIE of the FDE before */
  guint last_cie;
  guint n_bad;
};

PyroCfiReader *
pyro_cfi_reader_new (const guint8 *data, gsize size, guint64 address,
                     gboolean is_debug_frame)
{
  PyroCfiReader *reader = g_new0 (PyroCfiReader, 1);

  reader->data = data;
  reader->size = size;
  reader->address = address;
  reader->is_debug_frame = is_debug_frame;
  reader->at.at = data;
  reader->at.end = data + size;
  reader->cies = g_array_new (FALSE, FALSE, sizeof (PyroCie));
  reader->by_offset = g_hash_table_new (NULL, NULL);
  reader->last_cie = NO_CIE;
  return reader;
}

void
pyro_cfi_reader_free (PyroCfiReader *reader)
{
  if (reader == NULL)
    return;
  g_array_unref (reader->cies);
  g_hash_table_unref (reader->by_offset);
  g_free (reader);
}

/* Only pc-relative and absolute pointers occur in FDEs that a linker wrote;
 * data-relative ones are for .eh_frame_hdr, indirect ones for personality
 * routines. */
static guint64
read_pointer (PyroCfiReader *reader, PyroBytes *bytes, guint8 encoding,
              guint8 address_size)
{
  guint64 place = reader->address + (guint64)(bytes->at - reader->data);
  guint64 value;

  switch (encoding & PE_FORMAT) {
  case PE_ABSPTR:
    value = pyro_bytes_uint (bytes, address_size);
    break;
  case PE_ULEB128:
    value = pyro_bytes_uleb (bytes);
    break;
  case PE_UDATA2:
    value = pyro_bytes_uint (bytes, 2);
    break;
  case PE_UDATA4:
    value = pyro_bytes_uint (bytes, 4);
    break;
  case PE_UDATA8:
  case PE_SDATA8:
    value = pyro_bytes_uint (bytes, 8);
    break;
  case PE_SLEB128:
    value = (guint64)pyro_bytes_sleb (bytes);
    break;
  case PE_SDATA2:
    value = (guint64)(gint64)(gint16)pyro_bytes_uint (bytes, 2);
    break;
  case PE_SDATA4:
    value = (guint64)(gint64)(gint32)pyro_bytes_uint (bytes, 4);
    break;
  default:
    bytes->bad = TRUE;
    return 0;
  }
  if (encoding & PE_INDIRECT) {
    bytes->bad = TRUE;
    return 0;
  }
  switch (encoding & PE_RELATIVE) {
  case 0:
    return value;
  case PE_PCREL:
    return place + value;
  default:
    bytes->bad = TRUE;
    return 0;
  }
}

/* Past a pointer whose value does not matter (the personality routine). */
static void
skip_pointer (PyroBytes *bytes, guint8 encoding, guint8 address_size)
{
  switch (encoding & PE_FORMAT) {
  case PE_ULEB128:
  case PE_SLEB128:
    pyro_bytes_uleb (bytes);
    break;
  case PE_UDATA2:
  case PE_SDATA2:
    pyro_bytes_uint (bytes, 2);
    break;
  case PE_UDATA4:
  case PE_SDATA4:
    pyro_bytes_uint (bytes, 4);
    break;
  case PE_UDATA8:
  case PE_SDATA8:
    pyro_bytes_uint (bytes, 8);
    break;
  case PE_ABSPTR:
    pyro_bytes_uint (bytes, address_size);
    break;
  default:
    bytes->bad = TRUE;
  }
}

/* The letters of the augmentation string, and the data that they announce. */
static gboolean
read_augmentation (PyroCie *cie, const char *letters, PyroBytes *bytes)
{
  PyroBytes data;

  if (letters[0] == 0)
    return TRUE;
  if (letters[0] != 'z')
    return FALSE;
  cie->has_data = TRUE;
  data = pyro_bytes_take (bytes, pyro_bytes_uleb (bytes));
  for (letters++; *letters != 0; letters++) {
    switch (*letters) {
    case 'R':
      cie->fde_encoding = pyro_bytes_u8 (&data);
      break;
    case 'P': {
      guint8 encoding = pyro_bytes_u8 (&data);

      if (encoding != PE_OMIT)
        skip_pointer (&data, encoding, cie->address_size);
      break;
    }
    case 'L':
      pyro_bytes_u8 (&data);
      break;
    case 'S':
      cie->is_signal = TRUE;
      break;
    case 'B': /* aarch64: return addresses are signed with key B */
    case 'G': /* aarch64: memory tagging */
      break;
    default:
      /* The length lets us skip what we do not know, but it might change what
       * the instructions mean. */
      return FALSE;
    }
  }
  return !data.bad;
}

static gboolean
read_cie (PyroCie *cie, PyroBytes bytes)
{
  guint8 version = pyro_bytes_u8 (&bytes);
  const char *letters = (const char *)bytes.at;
  const guint8 *zero;

  memset (cie, 0, sizeof *cie);
  if (bytes.bad || (version != 1 && version != 3 && version != 4))
    return FALSE;
  zero = memchr (bytes.at, 0, pyro_bytes_left (&bytes));
  if (zero == NULL)
    return FALSE;
  bytes.at = zero + 1;
  cie->address_size = sizeof (void *);
  if (version == 4) {
    cie->address_size = pyro_bytes_u8 (&bytes);
    if (pyro_bytes_u8 (&bytes) != 0) /* segment selectors */
      return FALSE;
  }
  if (cie->address_size != 4 && cie->address_size != 8)
    return FALSE;
  cie->code_align = pyro_bytes_uleb (&bytes);
  cie->data_align = pyro_bytes_sleb (&bytes);
  cie->ra_register
      = version == 1 ? pyro_bytes_u8 (&bytes) : pyro_bytes_uleb (&bytes);
  cie->is_usable = read_augmentation (cie, letters, &bytes);
  cie->program = bytes;
  return !bytes.bad;
}

/* One entry: what follows its length. ID_AT is where its second field is. */
static gboolean
next_entry (PyroCfiReader *reader, PyroBytes *entry, gboolean *is_64bit)
{
  guint64 length = pyro_bytes_uint (&reader->at, 4);

  *is_64bit = length == 0xffffffff;
  if (*is_64bit)
    length = pyro_bytes_uint (&reader->at, 8);
  /* Zero ends .eh_frame; in .debug_frame it would be padding. */
  if (reader->at.bad || (length == 0 && !reader->is_debug_frame))
    return FALSE;
  *entry = pyro_bytes_take (&reader->at, length);
  return !entry->bad;
}

/* The CIE at OFFSET. FALSE: there is none. One that is malformed is not usable.
 */
static gboolean
read_cie_at (const PyroCfiReader *reader, guint64 offset, PyroCie *cie)
{
  PyroCfiReader there = *reader;
  PyroBytes entry;
  gboolean is_64bit;
  guint64 id;

  if (offset >= reader->size)
    return FALSE;
  there.at.at = reader->data + offset;
  there.at.end = reader->data + reader->size;
  there.at.bad = FALSE;
  if (!next_entry (&there, &entry, &is_64bit))
    return FALSE;
  id = pyro_bytes_uint (&entry, is_64bit && reader->is_debug_frame ? 8 : 4);
  if (id != (reader->is_debug_frame ? is_64bit ? G_MAXUINT64 : 0xffffffff : 0))
    return FALSE;
  if (!read_cie (cie, entry))
    cie->is_usable = FALSE;
  return TRUE;
}

/* The CIE at OFFSET, read at its first use: an FDE may come before its CIE. */
static guint
find_cie (PyroCfiReader *reader, guint64 offset)
{
  gpointer key = (gpointer)(gsize)(offset + 1);
  guint index;

  if (reader->last_cie != NO_CIE && offset == reader->last_offset)
    return reader->last_cie;
  index = GPOINTER_TO_UINT (g_hash_table_lookup (reader->by_offset, key));
  if (index == 0) {
    PyroCie cie;

    if (!read_cie_at (reader, offset, &cie))
      return NO_CIE;
    g_array_append_val (reader->cies, cie);
    index = reader->cies->len;
    g_hash_table_insert (reader->by_offset, key, GUINT_TO_POINTER (index));
  }
  reader->last_offset = offset;
  reader->last_cie = index - 1;
  return index - 1;
}

/* What follows the two fields of length and CIE. */
static gboolean
read_fde (PyroCfiReader *reader, PyroFde *fde, const PyroCie *cie,
          PyroBytes bytes)
{
  if (!cie->is_usable)
    return FALSE;
  fde->start
      = read_pointer (reader, &bytes, cie->fde_encoding, cie->address_size);
  fde->length = read_pointer (reader, &bytes, cie->fde_encoding & PE_FORMAT,
                              cie->address_size);
  if (cie->has_data)
    pyro_bytes_take (&bytes, pyro_bytes_uleb (&bytes));
  fde->program = bytes;
  return !bytes.bad && fde->length <= G_MAXUINT64 - fde->start;
}

gboolean
pyro_cfi_read_one (const guint8 *data, gsize size, guint64 address,
                   gsize offset, PyroFde *fde, PyroCie *cie)
{
  PyroCfiReader reader = { .data = data, .size = size, .address = address };
  PyroBytes entry;
  gboolean is_64bit;
  guint64 id_at, id;

  if (offset >= size)
    return FALSE;
  reader.at.at = data + offset;
  reader.at.end = data + size;
  if (!next_entry (&reader, &entry, &is_64bit))
    return FALSE;
  id_at = (guint64)(entry.at - data);
  id = pyro_bytes_uint (&entry, 4);
  fde->cie = NO_CIE;
  return !entry.bad && id != 0 && read_cie_at (&reader, id_at - id, cie)
         && read_fde (&reader, fde, cie, entry);
}

gboolean
pyro_cfi_reader_next (PyroCfiReader *reader, PyroFde *fde)
{
  PyroBytes entry;
  gboolean is_64bit;

  while (next_entry (reader, &entry, &is_64bit)) {
    guint64 id_at = (guint64)(entry.at - reader->data);
    guint64 id;

    if (reader->is_debug_frame) {
      id = pyro_bytes_uint (&entry, is_64bit ? 8 : 4);
      if (entry.bad || id == (is_64bit ? G_MAXUINT64 : 0xffffffff))
        continue;
    } else {
      id = pyro_bytes_uint (&entry, 4);
      if (entry.bad || id == 0)
        continue;
      /* Relative to this field, backwards; it wraps if it is nonsense. */
      id = id_at - id;
    }
    fde->cie = find_cie (reader, id);
    if (fde->cie != NO_CIE
        && read_fde (reader, fde, pyro_cfi_reader_get_cie (reader, fde->cie),
                     entry))
      return TRUE;
    reader->n_bad++;
  }
  return FALSE;
}

const PyroCie *
pyro_cfi_reader_get_cie (PyroCfiReader *reader, guint cie)
{
  return &g_array_index (reader->cies, PyroCie, cie);
}

guint
pyro_cfi_reader_get_n_cies (PyroCfiReader *reader)
{
  return reader->cies->len;
}

guint
pyro_cfi_reader_get_n_bad (PyroCfiReader *reader)
{
  return reader->n_bad;
}
