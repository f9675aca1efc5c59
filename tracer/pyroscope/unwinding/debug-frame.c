/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "debug-frame.h"

#include <gelf.h>

#include "symbols/debug-file.h"

/* FALSE: it is compressed, and cannot be or is not worth to be unpacked. */
static gboolean
decompress (Elf_Scn *section)
{
  GElf_Shdr header;
  GElf_Chdr compressed;

  if (gelf_getshdr (section, &header) == NULL)
    return FALSE;
  if ((header.sh_flags & SHF_COMPRESSED) == 0)
    return TRUE;
  return gelf_getchdr (section, &compressed) != NULL
         && compressed.ch_size <= PYRO_ELF_SECTION_BYTES_MAX
         && elf_compress (section, 0, 0) >= 0;
}

static GBytes *
read_section (PyroElfFile *file)
{
  Elf_Scn *section = pyro_elf_file_find_section (file, ".debug_frame");
  Elf_Data *data;

  /* Read as it is first, which is bounded; libelf would not bound it. */
  if (section == NULL
      || pyro_elf_file_read_section (file, section, NULL) == NULL
      || !decompress (section))
    return NULL;
  data = elf_getdata (section, NULL);
  if (data == NULL || data->d_size == 0)
    return NULL;
  return g_bytes_new (data->d_buf, data->d_size);
}

GBytes *
pyro_debug_frame_read (const gchar *path, const gchar *build_id)
{
  PyroElfFile *file = pyro_elf_file_open (path, build_id, NULL);
  PyroElfFile *separate;
  GBytes *bytes = NULL;

  if (file != NULL)
    bytes = read_section (file);
  if (bytes == NULL) {
    separate = pyro_debug_file_find (NULL, file, build_id);
    if (separate != NULL) {
      bytes = read_section (separate);
      pyro_elf_file_close (separate);
    }
  }
  if (file != NULL)
    pyro_elf_file_close (file);
  return bytes;
}
