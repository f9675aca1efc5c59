/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "signal-return.h"

#include <string.h>

#if defined(__aarch64__)

#define MAX_VDSO_TEXT 65536

guint64
pyro_find_signal_return (const PyroLoadedModule *vdso)
{
  /* mov x8, #__NR_rt_sigreturn; svc #0 */
  static const guint32 instructions[] = { 0xd2801168, 0xd4000001 };
  guint64 found = 0;
  guint i;

  for (i = 0; i < vdso->segments->len && found == 0; i++) {
    const PyroLoadSegment *segment
        = &g_array_index (vdso->segments, PyroLoadSegment, i);
    gsize size = (gsize)MIN (segment->limit - segment->start, MAX_VDSO_TEXT);
    guint8 *text;
    gsize at;

    if (!segment->is_executable)
      continue;
    text = g_malloc (size);
    size = pyro_loader_copy (vdso, segment->start, size, text);
    for (at = 0; at + sizeof instructions <= size && found == 0; at += 4) {
      if (memcmp (text + at, instructions, sizeof instructions) == 0)
        found = segment->start + at;
    }
    g_free (text);
  }
  return found;
}

#else

guint64
pyro_find_signal_return (const PyroLoadedModule *vdso)
{
  return 0;
}

#endif
