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

PyroDebugPlaces *
pyro_debug_places_new (const gchar *path, const gchar *sysroot)
{
  PyroDebugPlaces *places = g_new0 (PyroDebugPlaces, 1);
  g_autoptr (GPtrArray) directories = g_ptr_array_new ();
  g_auto (GStrv) given
      = g_strsplit (path != NULL ? path : PYRO_DEBUG_DIRECTORY, ":", -1);

  for (guint i = 0; given[i] != NULL; i++) {
    if (*given[i] != '\0')
      g_ptr_array_add (directories, g_strdup (given[i]));
  }
  if (sysroot != NULL)
    g_ptr_array_add (directories,
                     g_build_filename (sysroot, PYRO_DEBUG_DIRECTORY, NULL));
  g_ptr_array_add (directories, NULL);
  places->directories
      = (gchar **)g_ptr_array_free (g_steal_pointer (&directories), FALSE);
  places->sysroot = g_strdup (sysroot);
  return places;
}

void
pyro_debug_places_free (PyroDebugPlaces *places)
{
  g_strfreev (places->directories);
  g_free (places->sysroot);
  g_free (places);
}

static const gchar *const *
list_directories (const PyroDebugPlaces *places)
{
  static const gchar *const usual[] = { PYRO_DEBUG_DIRECTORY, NULL };

  return places != NULL ? (const gchar *const *)places->directories : usual;
}

static PyroElfFile *
find_by_build_id (const PyroDebugPlaces *places, const gchar *build_id)
{
  const gchar *const *directories = list_directories (places);
  PyroElfFile *found = NULL;

  if (strlen (build_id) < 4 || strchr (build_id, '/') != NULL)
    return NULL;
  for (; *directories != NULL && found == NULL; directories++) {
    g_autofree gchar *path = g_strdup_printf (
        "%s/.build-id/%.2s/%s.debug", *directories, build_id, build_id + 2);

    found = open_candidate (path, build_id);
  }
  return found;
}

static PyroElfFile *
fetch (const PyroDebugPlaces *places, const gchar *build_id)
{
  g_autofree gchar *path = NULL;

  if (places == NULL || places->fetch == NULL || build_id == NULL)
    return NULL;
  path = places->fetch (build_id, places->fetch_data);
  return path != NULL ? open_candidate (path, build_id) : NULL;
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

/* The directory of the file at PATH as its own system has it. */
static gchar *
directory_of (const PyroDebugPlaces *places, const gchar *path)
{
  const gchar *sysroot = places != NULL ? places->sysroot : NULL;

  if (sysroot != NULL && g_str_has_prefix (path, sysroot)
      && (g_str_has_suffix (sysroot, "/") || path[strlen (sysroot)] == '/'))
    path += strlen (sysroot);
  return g_path_get_dirname (path);
}

/* The file at PATH, if it is what FILE's .gnu_debuglink means. */
static PyroElfFile *
open_linked (PyroElfFile *file, const gchar *path, guint32 checksum)
{
  g_autoptr (PyroElfFile) found = NULL;

  if (g_str_equal (path, file->path))
    return NULL;
  found = open_candidate (path, file->build_id);
  if (found != NULL && file->build_id == NULL
      && !has_checksum (found, checksum)) {
    g_info ("debug file %s not used: wrong checksum", path);
    return NULL;
  }
  return g_steal_pointer (&found);
}

static PyroElfFile *
find_by_debuglink (const PyroDebugPlaces *places, PyroElfFile *file)
{
  Elf_Scn *section = pyro_elf_file_find_section (file, ".gnu_debuglink");
  const gchar *const *directories = list_directories (places);
  g_autoptr (GPtrArray) candidates = g_ptr_array_new_with_free_func (g_free);
  g_autofree gchar *directory = NULL, *own_directory = NULL;
  PyroElfFile *found = NULL;
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
  own_directory = directory_of (places, file->path);
  g_ptr_array_add (candidates, g_build_filename (directory, name, NULL));
  g_ptr_array_add (candidates,
                   g_build_filename (directory, ".debug", name, NULL));
  for (; *directories != NULL; directories++)
    g_ptr_array_add (
        candidates, g_build_filename (*directories, own_directory, name, NULL));
  for (guint i = 0; i < candidates->len && found == NULL; i++)
    found = open_linked (file, candidates->pdata[i], crc);
  return found;
}

PyroElfFile *
pyro_debug_file_find (const PyroDebugPlaces *places, PyroElfFile *file,
                      const gchar *build_id)
{
  PyroElfFile *found = NULL;

  if (build_id != NULL)
    found = find_by_build_id (places, build_id);
  if (found == NULL && file != NULL)
    found = find_by_debuglink (places, file);
  if (found == NULL)
    found = fetch (places, build_id);
  return found;
}

PyroElfFile *
pyro_debug_file_find_alternate (const PyroDebugPlaces *places,
                                const gchar *path, const gchar *name,
                                const gchar *build_id)
{
  PyroElfFile *found = find_by_build_id (places, build_id);

  if (found == NULL && path != NULL) {
    g_autofree gchar *directory = g_path_get_dirname (path);
    g_autofree gchar *candidate
        = g_path_is_absolute (name) ? g_strdup (name)
                                    : g_build_filename (directory, name, NULL);
    found = open_candidate (candidate, build_id);
  }
  if (found == NULL)
    found = fetch (places, build_id);
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
