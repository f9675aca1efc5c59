/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: opens an ELF file for reading without trusting the path or the file.
 * Owner: whoever opened it closes it, before control returns to the caller of
 * the symbolizer: no descriptor is held between look-ups. Threads: any, one
 * at a time.
 */
#pragma once

#include <glib.h>
#include <libelf.h>

G_BEGIN_DECLS

#define PYRO_ELF_ERROR (pyro_elf_error_quark ())

typedef enum {
  PYRO_ELF_ERROR_UNREADABLE,  /* missing, no permission, not a regular file */
  PYRO_ELF_ERROR_MALFORMED,   /* no ELF file that a process could have mapped */
  PYRO_ELF_ERROR_OTHER_BUILD, /* another build id than the one asked for */
  PYRO_ELF_ERROR_TOO_LARGE,   /* more than we are willing to read */
  PYRO_ELF_ERROR_EXHAUSTED,   /* no descriptor or memory just now */
} PyroElfError;

/* What is read of one section at most. The largest symbol and string tables
 * in use (browsers, compilers) are about half of it. */
#define PYRO_ELF_SECTION_BYTES_MAX (G_GUINT64_CONSTANT (256) << 20)

/* What is believed of a section whose contents libelf reads by itself: the
 * names of the sections, notes. A hundred times what is seen. */
#define PYRO_ELF_SMALL_SECTION_BYTES_MAX (G_GUINT64_CONSTANT (8) << 20)

/* What is read of all relocations of a file together. (Sections may be any
 * number, and have the same bytes.) */
#define PYRO_ELF_RELOCATION_BYTES_MAX (G_GUINT64_CONSTANT (64) << 20)

typedef struct {
  Elf *elf;
  gchar *path;     /* NULL: an image in memory */
  gchar *build_id; /* lower-case hex, NULL if the file has none */

  /*< private >*/
  int fd; /* -1: an image in memory */
  guint64 device, inode;
  gpointer image;
} PyroElfFile;

GQuark pyro_elf_error_quark (void);

/* The bytes of a build id as lower-case hex. Free with g_free(). */
gchar *pyro_elf_format_build_id (gconstpointer bits, gsize length);

/* Opens the regular file PATH if it is an executable or a shared object of
 * this machine's byte order and, where BUILD_ID (lower-case hex) is not NULL,
 * of this build. (Shared DWARF, which dwz puts in relocatable objects, is only
 * opened with a build id.) It never blocks on a FIFO or a device, and reads
 * with pread(2) rather than mmap: a file that is cut off meanwhile is a read
 * error, not a SIGBUS. NULL with ERROR (PYRO_ELF_ERROR) otherwise. */
PyroElfFile *
pyro_elf_file_open (const gchar *path, const gchar *build_id, GError **error);

/* The same for a complete ELF image in memory, which is taken over (g_free). */
PyroElfFile *pyro_elf_file_open_image (gpointer image, gsize size,
                                       const gchar *build_id, GError **error);

/* The vDSO of this very process, copied from its memory. */
PyroElfFile *pyro_elf_file_open_vdso (const gchar *build_id, GError **error);

void pyro_elf_file_close (PyroElfFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PyroElfFile, pyro_elf_file_close)

/* Lets go of the descriptor. What has been read so far stays usable; nothing
 * more can be read. */
void pyro_elf_file_forget_fd (PyroElfFile *file);

/* The first section with this NAME, or NULL. */
Elf_Scn *pyro_elf_file_find_section (PyroElfFile *file, const gchar *name);

/* The contents of SECTION, not decompressed, or NULL with ERROR: no contents
 * in this file (SHT_NOBITS), outside the file, or too large. Belongs to FILE.
 */
Elf_Data *pyro_elf_file_read_section (PyroElfFile *file, Elf_Scn *section,
                                      GError **error);

/* The contents of the next section behind *SECTION (NULL: the first one) with
 * relocations that the loader applies. N_BYTES, 0 before the first, counts what
 * was read. NULL: there are no more, or they are too large together. */
Elf_Data *pyro_elf_file_next_relocations (PyroElfFile *file, Elf_Scn **section,
                                          guint64 *n_bytes);

G_END_DECLS
