/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "symbols/elf-file.h"

#include <elfutils/libdwelf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

G_DEFINE_QUARK (pyro_elf_error_quark, pyro_elf_error)

gchar *
pyro_elf_format_build_id (gconstpointer bits, gsize length)
{
  GString *hex = g_string_sized_new (2 * length);

  for (gsize i = 0; i < length; i++)
    g_string_append_printf (hex, "%02x", ((const guint8 *)bits)[i]);
  return g_string_free (hex, FALSE);
}

static gboolean
set_malformed (GError **error)
{
  const gchar *why = elf_errmsg (-1);

  g_set_error (error, PYRO_ELF_ERROR, PYRO_ELF_ERROR_MALFORMED,
               "malformed ELF file: %s", why != NULL ? why : "unknown error");
  return FALSE;
}

/* elf_begin() allocates for as many sections as the header says, so the
 * header is looked at before. More than SHN_LORESERVE sections (counted in
 * section 0 then) only occur in relocatable objects. */
static gboolean
check_header (gconstpointer data, gsize size, GError **error)
{
  const guint8 *header = data;
  const Elf64_Ehdr *ehdr64 = data;
  const Elf32_Ehdr *ehdr32 = data;
  const guint8 byte_order
      = G_BYTE_ORDER == G_LITTLE_ENDIAN ? ELFDATA2LSB : ELFDATA2MSB;
  guint type;
  gboolean many_sections;

  if (size < sizeof (Elf32_Ehdr) || memcmp (header, ELFMAG, SELFMAG) != 0) {
    g_set_error (error, PYRO_ELF_ERROR, PYRO_ELF_ERROR_MALFORMED,
                 "not an ELF file");
    return FALSE;
  }
  if (header[EI_CLASS] == ELFCLASS64 && size >= sizeof (Elf64_Ehdr)) {
    type = ehdr64->e_type;
    many_sections = ehdr64->e_shnum == 0 && ehdr64->e_shoff != 0;
  } else {
    type = ehdr32->e_type;
    many_sections = ehdr32->e_shnum == 0 && ehdr32->e_shoff != 0;
  }
  if (header[EI_DATA] != byte_order
      || (type != ET_DYN && type != ET_EXEC && type != ET_REL)
      || many_sections) {
    g_set_error (error, PYRO_ELF_ERROR, PYRO_ELF_ERROR_MALFORMED,
                 "not an ELF file of a kind that this machine runs");
    return FALSE;
  }
  return TRUE;
}

static gboolean
check_sections (Elf *elf, guint64 size, GError **error)
{
  Elf_Scn *section = NULL;
  size_t names;

  if (elf_getshdrstrndx (elf, &names) != 0)
    return set_malformed (error);
  while ((section = elf_nextscn (elf, section)) != NULL) {
    GElf_Shdr shdr;

    if (gelf_getshdr (section, &shdr) == NULL)
      return set_malformed (error);
    if (shdr.sh_type != SHT_NOBITS
        && (shdr.sh_size > size || shdr.sh_offset > size - shdr.sh_size)) {
      g_set_error (error, PYRO_ELF_ERROR, PYRO_ELF_ERROR_MALFORMED,
                   "section %zu lies outside the file, which was cut off or "
                   "damaged",
                   elf_ndxscn (section));
      return FALSE;
    }
    if ((elf_ndxscn (section) == names || shdr.sh_type == SHT_NOTE)
        && shdr.sh_size > PYRO_ELF_SMALL_SECTION_BYTES_MAX) {
      g_set_error (error, PYRO_ELF_ERROR, PYRO_ELF_ERROR_TOO_LARGE,
                   "%" G_GUINT64_FORMAT " bytes of notes or section names",
                   (guint64)shdr.sh_size);
      return FALSE;
    }
  }
  return TRUE;
}

static gboolean
check_elf (PyroElfFile *file, guint64 size, const gchar *build_id,
           GError **error)
{
  const void *bits = NULL;
  GElf_Ehdr ehdr;
  ssize_t length;

  if (file->elf == NULL || gelf_getehdr (file->elf, &ehdr) == NULL)
    return set_malformed (error);
  if (!check_sections (file->elf, size, error))
    return FALSE;

  length = dwelf_elf_gnu_build_id (file->elf, &bits);
  if (length > 0)
    file->build_id = pyro_elf_format_build_id (bits, length);
  if (build_id != NULL && g_strcmp0 (build_id, file->build_id) != 0) {
    g_set_error (error, PYRO_ELF_ERROR, PYRO_ELF_ERROR_OTHER_BUILD,
                 "build id is %s, not %s",
                 file->build_id != NULL ? file->build_id : "missing", build_id);
    return FALSE;
  }
  return TRUE;
}

/* -1 and errno if PATH is anything but a regular file. This is asked before
 * opening as well: to open a device can do things. */
static int
open_regular (const gchar *path, struct stat *status)
{
  int fd;

  if (stat (path, status) < 0)
    return -1;
  errno = EINVAL;
  if (!S_ISREG (status->st_mode))
    return -1;
  fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0)
    return -1;
  if (fstat (fd, status) == 0 && S_ISREG (status->st_mode))
    return fd;
  close (fd);
  errno = EINVAL;
  return -1;
}

static gboolean
is_shortage (gint reason)
{
  return reason == EMFILE || reason == ENFILE || reason == ENOMEM
         || reason == EINTR;
}

PyroElfFile *
pyro_elf_file_open (const gchar *path, const gchar *build_id, GError **error)
{
  g_autoptr (PyroElfFile) file = g_new0 (PyroElfFile, 1);
  Elf64_Ehdr header = { 0 };
  struct stat status;
  gssize got;

  elf_version (EV_CURRENT);
  file->fd = open_regular (path, &status);
  if (file->fd < 0) {
    const gint reason = errno;

    g_set_error (error, PYRO_ELF_ERROR,
                 is_shortage (reason) ? PYRO_ELF_ERROR_EXHAUSTED
                                      : PYRO_ELF_ERROR_UNREADABLE,
                 "cannot be read as a regular file: %s", g_strerror (reason));
    return NULL;
  }
  file->path = g_strdup (path);
  file->device = status.st_dev;
  file->inode = status.st_ino;

  got = pread (file->fd, &header, sizeof header, 0);
  if (!check_header (&header, MAX (got, 0), error))
    return NULL;
  file->elf = elf_begin (file->fd, ELF_C_READ, NULL);
  if (!check_elf (file, status.st_size, build_id, error))
    return NULL;
  return g_steal_pointer (&file);
}

PyroElfFile *
pyro_elf_file_open_image (gpointer image, gsize size, const gchar *build_id,
                          GError **error)
{
  g_autoptr (PyroElfFile) file = g_new0 (PyroElfFile, 1);

  elf_version (EV_CURRENT);
  file->fd = -1;
  file->image = image;
  if (!check_header (image, size, error))
    return NULL;
  file->elf = elf_memory (image, size);
  if (!check_elf (file, size, build_id, error))
    return NULL;
  return g_steal_pointer (&file);
}

PyroElfFile *
pyro_elf_file_open_vdso (const gchar *build_id, GError **error)
{
  /* The kernel maps its image whole, the section headers at its end. */
  const guint8 *image = (const guint8 *)getauxval (AT_SYSINFO_EHDR);
  const ElfW (Ehdr) *ehdr = (const ElfW (Ehdr) *)image;

  if (image == NULL) {
    g_set_error (error, PYRO_ELF_ERROR, PYRO_ELF_ERROR_UNREADABLE,
                 "this process has no vDSO");
    return NULL;
  }
  gsize size = ehdr->e_shoff + (gsize)ehdr->e_shnum * ehdr->e_shentsize;
  return pyro_elf_file_open_image (g_memdup2 (image, size), size, build_id,
                                   error);
}

void
pyro_elf_file_forget_fd (PyroElfFile *file)
{
  struct stat status;

  if (file->fd < 0)
    return;
  if (file->elf != NULL)
    elf_cntl (file->elf, ELF_C_FDDONE);
  /* An application that closes all descriptors may own this number by now. */
  if (fstat (file->fd, &status) == 0 && status.st_dev == file->device
      && status.st_ino == file->inode)
    close (file->fd);
  file->fd = -1;
}

void
pyro_elf_file_close (PyroElfFile *file)
{
  pyro_elf_file_forget_fd (file);
  if (file->elf != NULL)
    elf_end (file->elf);
  g_free (file->image);
  g_free (file->path);
  g_free (file->build_id);
  g_free (file);
}

Elf_Scn *
pyro_elf_file_find_section (PyroElfFile *file, const gchar *name)
{
  Elf_Scn *section = NULL;
  size_t names;

  if (elf_getshdrstrndx (file->elf, &names) != 0)
    return NULL;
  while ((section = elf_nextscn (file->elf, section)) != NULL) {
    GElf_Shdr shdr;

    if (gelf_getshdr (section, &shdr) != NULL
        && g_strcmp0 (elf_strptr (file->elf, names, shdr.sh_name), name) == 0)
      return section;
  }
  return NULL;
}

Elf_Data *
pyro_elf_file_read_section (PyroElfFile *file, Elf_Scn *section, GError **error)
{
  GElf_Shdr shdr;
  Elf_Data *data = NULL;

  if (section != NULL && gelf_getshdr (section, &shdr) != NULL) {
    if (shdr.sh_type == SHT_NOBITS) {
      g_set_error (error, PYRO_ELF_ERROR, PYRO_ELF_ERROR_UNREADABLE,
                   "section %zu has no contents in this file",
                   elf_ndxscn (section));
      return NULL;
    }
    if (shdr.sh_size > PYRO_ELF_SECTION_BYTES_MAX) {
      g_set_error (error, PYRO_ELF_ERROR, PYRO_ELF_ERROR_TOO_LARGE,
                   "section %zu has %" G_GUINT64_FORMAT
                   " bytes, more than %" G_GUINT64_FORMAT " are not read",
                   elf_ndxscn (section), (guint64)shdr.sh_size,
                   PYRO_ELF_SECTION_BYTES_MAX);
      return NULL;
    }
    data = elf_getdata (section, NULL);
  }
  if (data == NULL || data->d_buf == NULL) {
    set_malformed (error);
    return NULL;
  }
  return data;
}

Elf_Data *
pyro_elf_file_next_relocations (PyroElfFile *file, Elf_Scn **section,
                                guint64 *n_bytes)
{
  while ((*section = elf_nextscn (file->elf, *section)) != NULL) {
    GElf_Shdr shdr;
    Elf_Data *data;

    if (gelf_getshdr (*section, &shdr) == NULL || shdr.sh_type != SHT_RELA
        || (shdr.sh_flags & SHF_ALLOC) == 0)
      continue;
    if (shdr.sh_size > PYRO_ELF_RELOCATION_BYTES_MAX - *n_bytes) {
      g_info ("relocations in %s are not all read: they are too large",
              file->path);
      return NULL;
    }
    *n_bytes += shdr.sh_size;
    data = pyro_elf_file_read_section (file, *section, NULL);
    if (data != NULL)
      return data;
  }
  return NULL;
}
