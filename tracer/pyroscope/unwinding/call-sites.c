/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "call-sites.h"

#include "own-memory.h"

/* Copied at a time. */
#define PIECE (128u * 1024)

/* Intel SDM vol. 2, CALL: opcode, ModRM, SIB, displacement of 32 bits. Prefixes
 * come before and change nothing. */
#define MAX_CALL 7

gsize
pyro_call_sites_size (guint64 start, guint64 limit)
{
  return (gsize)(limit - start) / 8 + 1;
}

#if defined(__x86_64__)

static void
mark (guint8 *bits, guint64 offset)
{
  bits[offset / 8] |= (guint8)(1u << (offset % 8));
}

/* How long the ff /2 at CALL is; 0: it is something else. */
static gsize
indirect_call_length (const guint8 *call, gsize size)
{
  guint mod, rm;
  gsize length = 2;

  if (size < 2 || (call[1] >> 3 & 7) != 2)
    return 0;
  mod = call[1] >> 6;
  rm = call[1] & 7;
  if (mod != 3 && rm == 4) {
    if (size < 3)
      return 0;
    length++; /* SIB */
    /* Neither base nor rip: a base of 5. */
    if (mod == 0 && (call[2] & 7) == 5)
      length += 4;
  }
  if (mod == 1)
    length += 1;
  else if (mod == 2 || (mod == 0 && rm == 5))
    length += 4;
  return length <= size ? length : 0;
}

void
pyro_call_sites_mark (guint8 *bits, const guint8 *text, gsize n, gsize size,
                      guint64 offset)
{
  for (gsize i = 0; i < n; i++) {
    if (text[i] == 0xe8 && size - i >= 5) {
      mark (bits, offset + i + 5);
    } else if (text[i] == 0xff) {
      gsize length = indirect_call_length (text + i, size - i);

      if (length > 0)
        mark (bits, offset + i + length);
    }
  }
}

guint8 *
pyro_call_sites_new (guint64 start, guint64 limit)
{
  gsize size = (gsize)(limit - start);
  guint8 *bits = g_malloc0 (pyro_call_sites_size (start, limit));
  guint8 *text = g_malloc (PIECE + MAX_CALL);
  gsize done = 0;

  while (done < size) {
    gsize n = MIN (size - done, PIECE);
    gsize with_rest = MIN (size - done, PIECE + MAX_CALL);

    if (pyro_own_memory_read (start + done, with_rest, text) != with_rest)
      break;
    pyro_call_sites_mark (bits, text, n, with_rest, done);
    done += n;
  }
  g_free (text);
  if (done < size)
    g_clear_pointer (&bits, g_free);
  return bits;
}

#else

void
pyro_call_sites_mark (guint8 *bits, const guint8 *text, gsize n, gsize size,
                      guint64 offset)
{
}

guint8 *
pyro_call_sites_new (guint64 start, guint64 limit)
{
  return NULL;
}

#endif
