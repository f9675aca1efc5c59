/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the code and the constants of an ELF file, by their addresses.
 * Owner: it points into the file, which must stay open as long. Threads: one
 * at a time.
 */
#pragma once

#include "symbols/elf-file.h"

G_BEGIN_DECLS

/* What is read of one file at most, code and constants together. */
#define PYRO_CODE_IMAGE_BYTES_MAX (G_GUINT64_CONSTANT (24) << 20)

typedef struct {
  guint64 address;
  const guint8 *bytes;
  gsize size;
  gboolean is_code;
  gboolean is_stubs; /* code: a procedure linkage table */
} PyroCodeSection;

typedef struct {
  GArray *sections; /* of PyroCodeSection */
  guint machine;    /* EM_X86_64... */
} PyroCodeImage;

/* NULL if FILE's sections are too large or cannot be read. */
PyroCodeImage *pyro_code_image_new (PyroElfFile *file);
void pyro_code_image_free (PyroCodeImage *image);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PyroCodeImage, pyro_code_image_free)

/* The bytes at ADDRESS, and how many follow in SIZE; NULL if there are none. */
const guint8 *
pyro_code_image_find (const PyroCodeImage *image, guint64 address, gsize *size);

/* The constant at ADDRESS if it is the name of a C function that ends there,
 * or NULL. With WHOLE, the constant must not be the end of a longer one. */
const gchar *pyro_code_image_find_name (const PyroCodeImage *image,
                                        guint64 address, gboolean whole);

/* The name of the program whose bytecode (orcbytecodes.h of ORC 0.4) is the
 * constant at ADDRESS, or NULL. (transfer full) */
gchar *
pyro_code_image_find_program (const PyroCodeImage *image, guint64 address);

/* The constant at ADDRESS if it is some text in ASCII, or NULL. */
const gchar *
pyro_code_image_find_text (const PyroCodeImage *image, guint64 address);

G_END_DECLS
