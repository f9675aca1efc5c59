/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "symbols/debug-file.h"

#include <elfutils/libdwelf.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#ifdef PYRO_HAVE_LZMA
#include <lzma.h>
#endif

static PyroElfFile *
open_candidate (const gchar *path, const gchar *build_id)
{
  g_autoptr (GError) error = NULL;
  PyroElfFile *file = pyro_elf_file_open (path, build_id, &error);

  if (file == NULL
      && !g_error_matches (error, PYRO_ELF_ERROR, PYRO_ELF_ERROR_UNREADABLE))
    g_info ("debug file %s not used: %s", path, error->message);
  return file;
}

static PyroElfFile *
find_by_build_id (const gchar *debug_directory, const gchar *build_id)
{
  g_autofree gchar *path = NULL;

  if (strlen (build_id) < 4 || strchr (build_id, '/') != NULL)
    return NULL;
  path = g_strdup_printf ("%s/.build-id/%.2s/%s.debug", debug_directory,
                          build_id, build_id + 2);
  return open_candidate (path, build_id);
}

/* The CRC of .gnu_debuglink is the one of zlib, over the whole file. */
static gboolean
has_checksum (PyroElfFile *file, guint32 wanted)
{
  g_autofree guint8 *buffer = g_malloc (65536);
  uLong crc = crc32 (0, NULL, 0);
  goffset offset = 0;
  gssize got;

  while ((got = pread (file->fd, buffer, 65536, offset)) > 0) {
    crc = crc32 (crc, buffer, got);
    offset += got;
  }
  return got == 0 && crc == wanted;
}

static PyroElfFile *
find_by_debuglink (const gchar *debug_directory, PyroElfFile *file)
{
  Elf_Scn *section = pyro_elf_file_find_section (file, ".gnu_debuglink");
  g_autofree gchar *directory = NULL;
  const gchar *name;
  GElf_Word crc;

  /* Read here first, for libdwelf would read it however large it is. */
  if (section == NULL
      || pyro_elf_file_read_section (file, section, NULL) == NULL)
    return NULL;
  name = dwelf_elf_gnu_debuglink (file->elf, &crc);
  if (name == NULL || *name == '\0' || strchr (name, '/') != NULL
      || file->path == NULL)
    return NULL;
  directory = g_path_get_dirname (file->path);

  gchar *candidates[] = {
    g_build_filename (directory, name, NULL),
    g_build_filename (directory, ".debug", name, NULL),
    g_build_filename (debug_directory, directory, name, NULL),
  };
  PyroElfFile *found = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (candidates); i++) {
    if (found == NULL && !g_str_equal (candidates[i], file->path)) {
      found = open_candidate (candidates[i], file->build_id);
      if (found != NULL && file->build_id == NULL
          && !has_checksum (found, crc)) {
        g_info ("debug file %s not used: wrong checksum", candidates[i]);
        g_clear_pointer (&found, pyro_elf_file_close);
      }
    }
    g_free (candidates[i]);
  }
  return found;
}

PyroElfFile *
pyro_debug_file_find (const gchar *debug_directory, PyroElfFile *file,
                      const gchar *build_id)
{
  PyroElfFile *found = NULL;

  if (build_id != NULL)
    found = find_by_build_id (debug_directory, build_id);
  if (found == NULL && file != NULL)
    found = find_by_debuglink (debug_directory, file);
  return found;
}

PyroElfFile *
pyro_debug_file_find_alternate (const gchar *debug_directory, const gchar *path,
                                const gchar *name, const gchar *build_id)
{
  PyroElfFile *found = find_by_build_id (debug_directory, build_id);

  if (found == NULL && path != NULL) {
    g_autofree gchar *directory = g_path_get_dirname (path);
    g_autofree gchar *candidate
        = g_path_is_absolute (name) ? g_strdup (name)
                                    : g_build_filename (directory, name, NULL);
    found = open_candidate (candidate, build_id);
  }
  return found;
}

#ifdef PYRO_HAVE_LZMA
/* Unpacks with a buffer that grows up to what is read of any section. */
static gpointer
unpack (const guint8 *data, gsize size, gsize *unpacked_size)
{
  lzma_stream stream = LZMA_STREAM_INIT;
  gsize allocated = 4 * size + 4096;
  guint8 *image = NULL;
  lzma_ret status;

  if (lzma_stream_decoder (&stream, PYRO_ELF_SECTION_BYTES_MAX, 0) != LZMA_OK)
    return NULL;
  stream.next_in = data;
  stream.avail_in = size;
  do {
    allocated = MIN (2 * allocated, PYRO_ELF_SECTION_BYTES_MAX);
    image = g_realloc (image, allocated);
    stream.next_out = image + stream.total_out;
    stream.avail_out = allocated - stream.total_out;
    status = lzma_code (&stream, LZMA_FINISH);
  } while (status == LZMA_OK && stream.avail_out == 0
           && allocated < PYRO_ELF_SECTION_BYTES_MAX);

  *unpacked_size = stream.total_out;
  lzma_end (&stream);
  if (status != LZMA_STREAM_END)
    g_clear_pointer (&image, g_free);
  return image;
}
#endif

PyroElfFile *
pyro_debug_file_open_embedded (PyroElfFile *file)
{
  Elf_Scn *section = pyro_elf_file_find_section (file, ".gnu_debugdata");
  PyroElfFile *embedded = NULL;

  if (section == NULL)
    return NULL;
#ifdef PYRO_HAVE_LZMA
  g_autoptr (GError) error = NULL;
  Elf_Data *data = pyro_elf_file_read_section (file, section, &error);
  gsize size = 0;
  gpointer image
      = data != NULL ? unpack (data->d_buf, data->d_size, &size) : NULL;

  if (image != NULL)
    embedded = pyro_elf_file_open_image (image, size, NULL, &error);
  if (embedded == NULL)
    g_info (".gnu_debugdata of %s not used: %s", file->path,
            error != NULL ? error->message : "it cannot be unpacked");
#else
  g_info (".gnu_debugdata of %s not used: built without liblzma", file->path);
#endif
  return embedded;
}
