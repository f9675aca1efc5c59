/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A walk over the top-level fields of the message, which skips all but two.
 * Wire format: https://protobuf.dev/programming-guides/encoding/ */
#include "profile/gzip.h"
#include "profile/profile-time.h"
#include "profile/profile.h"

#define FIELD_TIME_NANOS 9
#define FIELD_DURATION_NANOS 10

enum { VARINT = 0, FIXED64 = 1, LENGTH = 2, FIXED32 = 5 };

typedef struct {
  const guint8 *at;
  const guint8 *end;
} Cursor;

static gboolean
read_varint (Cursor *cursor, guint64 *value)
{
  guint shift;

  *value = 0;
  for (shift = 0; shift < 64 && cursor->at < cursor->end; shift += 7) {
    guint8 byte = *cursor->at++;

    *value |= (guint64)(byte & 0x7f) << shift;
    if (byte < 0x80)
      return TRUE;
  }
  return FALSE;
}

static gboolean
skip (Cursor *cursor, guint64 n)
{
  if (n > (guint64)(cursor->end - cursor->at))
    return FALSE;
  cursor->at += n;
  return TRUE;
}

/* VALUE: of a varint, else 0. */
static gboolean
read_field (Cursor *cursor, guint64 *field, guint64 *value)
{
  guint64 tag, length;

  *value = 0;
  if (!read_varint (cursor, &tag))
    return FALSE;
  *field = tag >> 3;
  switch (tag & 7) {
  case VARINT:
    return read_varint (cursor, value);
  case FIXED64:
    return skip (cursor, 8);
  case LENGTH:
    return read_varint (cursor, &length) && skip (cursor, length);
  case FIXED32:
    return skip (cursor, 4);
  default:
    return FALSE;
  }
}

gboolean
pyro_profile_is_several (GBytes *bytes)
{
  guint64 field, value;
  guint n_times = 0;
  gsize size;
  Cursor cursor = { 0 };

  cursor.at = g_bytes_get_data (bytes, &size);
  cursor.end = cursor.at + size;
  while (n_times < 2 && cursor.at < cursor.end
         && read_field (&cursor, &field, &value)) {
    if (field == FIELD_TIME_NANOS && value != 0)
      n_times++;
  }
  return n_times > 1;
}

gboolean
pyro_profile_peek_time (GBytes *bytes, gsize max_size, gint64 *time_ns,
                        gint64 *duration_ns)
{
  g_autoptr (GBytes) unpacked = NULL;
  guint64 field, value;
  Cursor cursor;
  gsize size;

  if (pyro_is_gzip (bytes))
    unpacked = pyro_gunzip (bytes, max_size, NULL);
  else
    unpacked = g_bytes_ref (bytes);
  if (unpacked == NULL)
    return FALSE;
  cursor.at = g_bytes_get_data (unpacked, &size);
  cursor.end = cursor.at + size;
  *time_ns = *duration_ns = 0;
  while (cursor.at < cursor.end) {
    if (!read_field (&cursor, &field, &value))
      return FALSE;
    if (field == FIELD_TIME_NANOS)
      *time_ns = (gint64)value;
    else if (field == FIELD_DURATION_NANOS)
      *duration_ns = (gint64)value;
  }
  return size > 0;
}
