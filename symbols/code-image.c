/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "symbols/code-image.h"

#include <gelf.h>
#include <string.h>

/* Sections of any use in one file are a dozen. */
#define SECTIONS_MAX 256

#define NAME_LENGTH_MIN 3
#define NAME_LENGTH_MAX 128
#define TEXT_LENGTH_MAX 512

/* How ORC's bytecode begins. */
#define ORC_BEGIN_FUNCTION 1
#define ORC_SET_NAME 9

static gboolean
is_used (const GElf_Shdr *shdr)
{
  return shdr->sh_type == SHT_PROGBITS && (shdr->sh_flags & SHF_ALLOC) != 0
         && (shdr->sh_flags & (SHF_COMPRESSED | SHF_WRITE)) == 0
         && shdr->sh_size > 0;
}

static gint
compare_sections (gconstpointer a, gconstpointer b)
{
  const PyroCodeSection *x = a, *y = b;

  return x->address < y->address ? -1 : x->address > y->address;
}

PyroCodeImage *
pyro_code_image_new (PyroElfFile *file)
{
  g_autoptr (PyroCodeImage) image = g_new0 (PyroCodeImage, 1);
  Elf_Scn *section = NULL;
  guint64 total = 0;
  size_t names = 0;
  GElf_Ehdr ehdr;

  image->sections = g_array_new (FALSE, FALSE, sizeof (PyroCodeSection));
  if (gelf_getehdr (file->elf, &ehdr) == NULL
      || elf_getshdrstrndx (file->elf, &names) != 0)
    return NULL;
  image->machine = ehdr.e_machine;
  while ((section = elf_nextscn (file->elf, section)) != NULL) {
    PyroCodeSection known = { 0 };
    const gchar *name;
    GElf_Shdr shdr;
    Elf_Data *data;

    if (gelf_getshdr (section, &shdr) == NULL || !is_used (&shdr))
      continue;
    total += shdr.sh_size;
    if (total > PYRO_CODE_IMAGE_BYTES_MAX
        || shdr.sh_addr + shdr.sh_size < shdr.sh_addr
        || image->sections->len == SECTIONS_MAX) {
      g_info ("statements in %s are not read: it is too large", file->path);
      return NULL;
    }
    data = pyro_elf_file_read_section (file, section, NULL);
    if (data == NULL)
      return NULL;
    known.address = shdr.sh_addr;
    known.bytes = data->d_buf;
    known.size = data->d_size;
    known.is_code = (shdr.sh_flags & SHF_EXECINSTR) != 0;
    name = elf_strptr (file->elf, names, shdr.sh_name);
    known.is_stubs
        = known.is_code && name != NULL && g_str_has_prefix (name, ".plt");
    g_array_append_val (image->sections, known);
  }
  g_array_sort (image->sections, compare_sections);
  return g_steal_pointer (&image);
}

void
pyro_code_image_free (PyroCodeImage *image)
{
  g_array_unref (image->sections);
  g_free (image);
}

static const PyroCodeSection *
find_section (const PyroCodeImage *image, guint64 address)
{
  for (guint i = 0; i < image->sections->len; i++) {
    const PyroCodeSection *section
        = &g_array_index (image->sections, PyroCodeSection, i);

    if (address >= section->address
        && address - section->address < section->size)
      return section;
  }
  return NULL;
}

const guint8 *
pyro_code_image_find (const PyroCodeImage *image, guint64 address, gsize *size)
{
  const PyroCodeSection *section = find_section (image, address);

  if (section == NULL)
    return NULL;
  *size = section->size - (address - section->address);
  return section->bytes + (address - section->address);
}

static gboolean
is_name_character (gchar c)
{
  return g_ascii_isalnum (c) || c == '_';
}

const gchar *
pyro_code_image_find_name (const PyroCodeImage *image, guint64 address,
                           gboolean whole)
{
  const PyroCodeSection *section = find_section (image, address);
  const gchar *name;
  gsize offset, length = 0, left;

  if (section == NULL || section->is_code)
    return NULL;
  offset = address - section->address;
  name = (const gchar *)section->bytes + offset;
  left = section->size - offset;
  if (whole && offset > 0 && name[-1] != '\0')
    return NULL;
  while (length < left && length < NAME_LENGTH_MAX
         && is_name_character (name[length]))
    length++;
  if (length < NAME_LENGTH_MIN || length == left || name[length] != '\0'
      || g_ascii_isdigit (name[0]))
    return NULL;
  return name;
}

const gchar *
pyro_code_image_find_text (const PyroCodeImage *image, guint64 address)
{
  const PyroCodeSection *section = find_section (image, address);
  const gchar *text;
  gsize length = 0, left;

  if (section == NULL || section->is_code)
    return NULL;
  text = (const gchar *)section->bytes + (address - section->address);
  left = section->size - (address - section->address);
  while (length < left && length < TEXT_LENGTH_MAX
         && g_ascii_isprint (text[length]))
    length++;
  return length > 0 && length < left && text[length] == '\0' ? text : NULL;
}

gchar *
pyro_code_image_find_program (const PyroCodeImage *image, guint64 address)
{
  const PyroCodeSection *section = find_section (image, address);
  const guint8 *code;
  gsize left, length;

  if (section == NULL || section->is_code)
    return NULL;
  code = section->bytes + (address - section->address);
  left = section->size - (address - section->address);
  if (left < 3 || code[0] != ORC_BEGIN_FUNCTION || code[1] != ORC_SET_NAME)
    return NULL;
  length = code[2];
  if (length < NAME_LENGTH_MIN || length > NAME_LENGTH_MAX || length > left - 3
      || g_ascii_isdigit (code[3]))
    return NULL;
  for (gsize i = 0; i < length; i++) {
    if (!is_name_character (code[3 + i]))
      return NULL;
  }
  return g_strndup ((const gchar *)code + 3, length);
}
