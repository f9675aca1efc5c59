/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: writes .eh_frame sections for tests, entry by entry.
 * Owner: the test owns the array.
 * Threads: one.
 */
#pragma once

#include <glib.h>
#include <string.h>

/* The section's address in all tests; the text is somewhere below. */
#define SECTION_ADDRESS 0x200000u

static inline void
put_u8 (GByteArray *out, guint8 value)
{
  g_byte_array_append (out, &value, 1);
}

static inline void
put_u16 (GByteArray *out, guint16 value)
{
  g_byte_array_append (out, (guint8 *)&value, sizeof value);
}

static inline void
put_u32 (GByteArray *out, guint32 value)
{
  g_byte_array_append (out, (guint8 *)&value, sizeof value);
}

static inline void
put_u64 (GByteArray *out, guint64 value)
{
  g_byte_array_append (out, (guint8 *)&value, sizeof value);
}

static inline void
put_uleb (GByteArray *out, guint64 value)
{
  do {
    guint8 byte = value & 0x7f;

    value >>= 7;
    put_u8 (out, byte | (value != 0 ? 0x80 : 0));
  } while (value != 0);
}

/* Pads the entry that began at START and writes its length. */
static inline void
end_entry (GByteArray *out, guint start)
{
  guint32 length;

  while ((out->len - start) % 8 != 0)
    put_u8 (out, 0); /* DW_CFA_nop */
  length = out->len - start - 4;
  memcpy (out->data + start, &length, sizeof length);
}

/* A CIE with pc-relative 4-byte pointers. AUGMENTATION: letters after "zR".
 * Returns its offset. */
static inline guint
put_cie (GByteArray *out, const char *augmentation, const void *program,
         gsize size)
{
  guint start = out->len;

  put_u32 (out, 0);
  put_u32 (out, 0); /* a CIE */
  put_u8 (out, 1);
  put_u8 (out, 'z');
  put_u8 (out, 'R');
  g_byte_array_append (out, (const guint8 *)augmentation,
                       (guint)strlen (augmentation) + 1);
  put_uleb (out, 1);  /* code alignment */
  put_u8 (out, 0x78); /* data alignment: -8 */
  put_u8 (out, 16);   /* return address column */
  put_uleb (out, 1);
  put_u8 (out, 0x1b); /* pc-relative, signed 4 bytes */
  g_byte_array_append (out, program, (guint)size);
  end_entry (out, start);
  return start;
}

/* What every compiler starts with: CFA = rsp + 8, return address at CFA - 8. */
#define USUAL_START "\x0c\x07\x08\x90\x01"

static inline guint
put_usual_cie (GByteArray *out)
{
  return put_cie (out, "", USUAL_START, sizeof USUAL_START - 1);
}

static inline void
put_fde (GByteArray *out, guint cie, guint64 address, guint32 length,
         const void *program, gsize size)
{
  guint start = out->len;

  put_u32 (out, 0);
  put_u32 (out, out->len - cie);
  put_u32 (out, (guint32)(address - (SECTION_ADDRESS + out->len)));
  put_u32 (out, length);
  put_uleb (out, 0); /* no augmentation data */
  g_byte_array_append (out, program, (guint)size);
  end_entry (out, start);
}

/* PROGRAM: a string literal. */
#define PUT_FDE(out, cie, address, length, program) \
  put_fde (out, cie, address, length, program, sizeof (program) - 1)
