/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "profile/gzip.h"

#include <zlib.h>

/* zlib: 15 bits of window, + 16: with a gzip header and trailer. */
#define GZIP_WINDOW_BITS (15 + 16)
#define GZIP_MEMORY_LEVEL 8

/* zlib counts its input in an unsigned int. */
static void
feed (z_stream *stream, const guint8 **data, gsize *left)
{
  if (stream->avail_in != 0 || *left == 0)
    return;
  stream->next_in = (Bytef *)*data;
  stream->avail_in = (uInt)MIN (*left, G_MAXINT);
  *data += stream->avail_in;
  *left -= stream->avail_in;
}

GBytes *
pyro_gzip (GBytes *bytes)
{
  z_stream stream = { 0 };
  const guint8 *data;
  guint8 *out;
  gsize left, size, used = 0;
  int status;

  data = g_bytes_get_data (bytes, &left);
  if (deflateInit2 (&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED,
                    GZIP_WINDOW_BITS, GZIP_MEMORY_LEVEL, Z_DEFAULT_STRATEGY)
      != Z_OK)
    g_error ("zlib cannot start: out of memory");

  size = deflateBound (&stream, left);
  out = g_malloc (size);
  do {
    uInt room = (uInt)MIN (size - used, G_MAXINT);

    feed (&stream, &data, &left);
    stream.next_out = out + used;
    stream.avail_out = room;
    status = deflate (&stream, left == 0 ? Z_FINISH : Z_NO_FLUSH);
    used += room - stream.avail_out;
  } while (status == Z_OK);
  /* The bound is zlib's promise that the room suffices. */
  g_assert (status == Z_STREAM_END);
  deflateEnd (&stream);
  return g_bytes_new_take (g_realloc (out, used), used);
}

gboolean
pyro_is_gzip (GBytes *bytes)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (bytes, &size);

  return size >= 2 && data[0] == 0x1f && data[1] == 0x8b;
}

/* Unpacks into *OUT, which grows to at most MAX_SIZE. */
static gboolean
unpack (z_stream *stream, const guint8 *data, gsize left, gsize max_size,
        guint8 **out, gsize *used, GError **error)
{
  gsize size = 0;

  for (;;) {
    uInt room;
    int status;

    /* One byte more than is allowed tells the full from the overfull. */
    if (*used == size) {
      size = size == 0 ? 16384 : size * 2;
      if (size > max_size)
        size = max_size + 1;
      *out = g_realloc (*out, size);
    }
    room = (uInt)MIN (size - *used, G_MAXINT);
    feed (stream, &data, &left);
    stream->next_out = *out + *used;
    stream->avail_out = room;
    status = inflate (stream, Z_NO_FLUSH);
    *used += room - stream->avail_out;

    if (*used > max_size) {
      g_set_error (error, PYRO_PROFILE_ERROR, PYRO_PROFILE_ERROR_TOO_LARGE,
                   "unpacks to more than the limit of %" G_GSIZE_FORMAT
                   " bytes",
                   max_size);
      return FALSE;
    }
    switch (status) {
    case Z_STREAM_END:
      if (stream->avail_in == 0 && left == 0)
        return TRUE;
      /* Another member follows, or what is none. */
      inflateReset (stream);
      break;
    case Z_OK:
      break;
    case Z_BUF_ERROR:
      if (stream->avail_in == 0 && left == 0) {
        g_set_error_literal (error, PYRO_PROFILE_ERROR,
                             PYRO_PROFILE_ERROR_TRUNCATED,
                             "is cut off: its gzip stream has no end");
        return FALSE;
      }
      break;
    default:
      g_set_error (error, PYRO_PROFILE_ERROR, PYRO_PROFILE_ERROR_INVALID,
                   "is damaged: gzip says \"%s\"",
                   stream->msg != NULL ? stream->msg : zError (status));
      return FALSE;
    }
  }
}

GBytes *
pyro_gunzip (GBytes *bytes, gsize max_size, GError **error)
{
  z_stream stream = { 0 };
  const guint8 *data;
  guint8 *out = NULL;
  gsize size, used = 0;
  gboolean unpacked;

  if (!pyro_is_gzip (bytes)) {
    g_set_error_literal (error, PYRO_PROFILE_ERROR,
                         PYRO_PROFILE_ERROR_NOT_A_PROFILE, "is no gzip stream");
    return NULL;
  }
  if (inflateInit2 (&stream, GZIP_WINDOW_BITS) != Z_OK)
    g_error ("zlib cannot start: out of memory");
  data = g_bytes_get_data (bytes, &size);
  unpacked = unpack (&stream, data, size, MIN (max_size, G_MAXSIZE - 1), &out,
                     &used, error);
  inflateEnd (&stream);
  if (!unpacked) {
    g_free (out);
    return NULL;
  }
  return g_bytes_new_take (g_realloc (out, MAX (used, 1)), used);
}
