/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "eh-frame.h"

#include "bytes.h"

/* The encodings of LSB 5.0, 10.5, that linkers write for the pointer in
 * .eh_frame_hdr. */
#define PE_PCREL_SDATA4 0x1b
#define PE_PCREL_SDATA8 0x1c
#define PE_ABSPTR 0x00
#define PE_UDATA8 0x04

/* More than any library has: libLLVM's takes 4 MiB, Chromium's 30. */
#define MAX_EH_FRAME (256u << 20)

/* version, three encodings, then the pointer to .eh_frame (LSB 5.0, 10.6.2). */
static gboolean
read_header (const PyroLoadedModule *module, guint64 *eh_frame)
{
  guint8 header[12];
  PyroBytes bytes = { header, NULL, FALSE };
  guint8 encoding;

  bytes.end = header
              + pyro_loader_copy (module, module->eh_frame_hdr, sizeof header,
                                  header);
  if (pyro_bytes_u8 (&bytes) != 1)
    return FALSE;
  encoding = pyro_bytes_u8 (&bytes);
  pyro_bytes_uint (&bytes, 2);
  switch (encoding) {
  case PE_PCREL_SDATA4:
    *eh_frame = module->eh_frame_hdr + 4
                + (guint64)(gint64)(gint32)pyro_bytes_uint (&bytes, 4);
    break;
  case PE_PCREL_SDATA8:
    *eh_frame = module->eh_frame_hdr + 4 + pyro_bytes_uint (&bytes, 8);
    break;
  case PE_ABSPTR:
  case PE_UDATA8:
    *eh_frame = pyro_bytes_uint (&bytes, 8);
    break;
  default:
    return FALSE;
  }
  return !bytes.bad;
}

GBytes *
pyro_eh_frame_copy (const PyroLoadedModule *module, guint64 *address)
{
  guint i;

  if (module->eh_frame_hdr == 0 || !read_header (module, address))
    return NULL;
  for (i = 0; i < module->segments->len; i++) {
    const PyroLoadSegment *segment
        = &g_array_index (module->segments, PyroLoadSegment, i);
    gsize size;
    guint8 *copy;

    if (*address < segment->start || *address >= segment->limit
        || !segment->is_readable)
      continue;
    size = (gsize)MIN (segment->limit - *address, MAX_EH_FRAME);
    copy = g_try_malloc (size);
    if (copy == NULL)
      return NULL;
    size = pyro_loader_copy (module, *address, size, copy);
    return g_bytes_new_take (copy, size);
  }
  return NULL;
}
