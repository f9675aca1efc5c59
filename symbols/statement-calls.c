/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "symbols/statement-calls.h"

#include "symbols/address-filter.h"

#include <gelf.h>
#include <string.h>

/* Libraries that use GStreamer or GLib have at most some 10 000. */
#define SYMBOLS_MAX (1u << 17)

#define NAME_LENGTH_MAX 256

#define STUBS_MAX 4096

/* As the headers of GStreamer 1.20 to 1.26, GLib 2.68 to 2.84 and glibc have
 * them. */
static const PyroStatementKind kinds[] = {
  { "gst_debug_log", PYRO_STATEMENT_OF_CALLER, 3, 4, 2, -1 },
  { "gst_debug_log_literal", PYRO_STATEMENT_OF_CALLER, 3, 4, 2, -1 },
  { "gst_debug_log_id", PYRO_STATEMENT_OF_CALLER, 3, 4, 2, -1 },
  { "gst_debug_log_id_literal", PYRO_STATEMENT_OF_CALLER, 3, 4, 2, -1 },
  { "gst_debug_log_valist", PYRO_STATEMENT_OF_CALLER, 3, 4, 2, -1 },
  { "gst_element_message_full", PYRO_STATEMENT_OF_CALLER, 7, 8, 6, -1 },
  { "gst_element_message_full_with_details", PYRO_STATEMENT_OF_CALLER, 7, 8, 6,
    -1 },
  { "_gst_debug_register_funcptr", PYRO_STATEMENT_REGISTERS, 1, -1, -1, 0 },
  { "g_return_if_fail_warning", PYRO_STATEMENT_OF_CALLER, 1, -1, -1, -1 },
  { "g_assertion_message", PYRO_STATEMENT_OF_CALLER, 3, 2, 1, -1 },
  { "g_assertion_message_expr", PYRO_STATEMENT_OF_CALLER, 3, 2, 1, -1 },
  { "g_assertion_message_cmpnum", PYRO_STATEMENT_OF_CALLER, 3, 2, 1, -1 },
  { "g_assertion_message_cmpint", PYRO_STATEMENT_OF_CALLER, 3, 2, 1, -1 },
  { "g_assertion_message_cmpstr", PYRO_STATEMENT_OF_CALLER, 3, 2, 1, -1 },
  { "g_assertion_message_error", PYRO_STATEMENT_OF_CALLER, 3, 2, 1, -1 },
  { "g_warn_message", PYRO_STATEMENT_OF_CALLER, 3, 2, 1, -1 },
  { "orc_program_new_from_static_bytecode", PYRO_STATEMENT_ORC, 0, -1, -1, -1 },
  { "orc_program_set_backup_function", PYRO_STATEMENT_ORC_BACKUP, -1, -1, -1,
    1 },
  { "__assert_fail", PYRO_STATEMENT_OF_CALLER, 3, 2, 1, -1 },
};

struct _PyroStatementCalls {
  GHashTable *targets; /* guint64 address → PyroStatementKind */
  PyroAddressFilter target_filter;
  GHashTable *slots;    /* guint64 address → PyroStatementKind */
  GHashTable *own;      /* guint64 slot → guint64 address */
  GHashTable *exported; /* name, which the file owns → guint64 address */
};

static const PyroStatementKind *
find_kind (const gchar *name)
{
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++) {
    if (g_str_equal (kinds[i].name, name))
      return &kinds[i];
  }
  return NULL;
}

static void
insert (GHashTable *table, guint64 key, gconstpointer value)
{
  g_hash_table_insert (table, g_memdup2 (&key, sizeof key), (gpointer)value);
}

static void
insert_target (PyroStatementCalls *calls, guint64 address,
               const PyroStatementKind *kind)
{
  insert (calls->targets, address, kind);
  pyro_address_filter_add (&calls->target_filter, address);
}

/* The section of TYPE, and what it says. */
static Elf_Data *
read_section (PyroElfFile *file, guint type, GElf_Shdr *shdr)
{
  Elf_Scn *section = NULL;

  while ((section = elf_nextscn (file->elf, section)) != NULL) {
    if (gelf_getshdr (section, shdr) != NULL && shdr->sh_type == type)
      return pyro_elf_file_read_section (file, section, NULL);
  }
  return NULL;
}

/* The name at OFFSET, unless it is unreasonably long. It stays as long as the
 * file is open. */
static const gchar *
string_at (const Elf_Data *strings, guint64 offset)
{
  const gchar *text = strings->d_buf;

  if (offset == 0 || offset >= strings->d_size
      || memchr (text + offset, '\0',
                 MIN (strings->d_size - offset, NAME_LENGTH_MAX))
             == NULL)
    return NULL;
  return text + offset;
}

/* Returns whether one of the functions is called or defined here. */
static gboolean
read_symbols (PyroStatementCalls *calls, Elf_Data *symbols,
              const Elf_Data *strings)
{
  gboolean found = FALSE;
  GElf_Sym sym;

  for (guint i = 0; i < SYMBOLS_MAX && gelf_getsym (symbols, i, &sym) != NULL;
       i++) {
    const gchar *name = string_at (strings, sym.st_name);
    const PyroStatementKind *kind;

    if (name == NULL)
      continue;
    kind = find_kind (name);
    found |= kind != NULL;
    if (sym.st_shndx == SHN_UNDEF || sym.st_value == 0
        || GELF_ST_TYPE (sym.st_info) != STT_FUNC)
      continue;
    if (kind != NULL)
      insert_target (calls, sym.st_value, kind);
    g_hash_table_insert (calls->exported, (gpointer)name,
                         g_memdup2 (&sym.st_value, sizeof sym.st_value));
  }
  return found;
}

/* What RELA has the loader put where. */
static void
add_relocation (PyroStatementCalls *calls, const GElf_Rela *rela,
                Elf_Data *symbols, const Elf_Data *strings)
{
  const PyroStatementKind *kind;
  const gchar *name;
  GElf_Sym sym;

  if (GELF_R_SYM (rela->r_info) == 0 || rela->r_addend != 0
      || gelf_getsym (symbols, GELF_R_SYM (rela->r_info), &sym) == NULL)
    return;
  name = string_at (strings, sym.st_name);
  kind = name != NULL ? find_kind (name) : NULL;
  if (kind != NULL)
    insert (calls->slots, rela->r_offset, kind);
  else if (sym.st_shndx != SHN_UNDEF && sym.st_value != 0)
    insert (calls->own, rela->r_offset,
            g_memdup2 (&sym.st_value, sizeof sym.st_value));
}

/* FALSE: the time is over. */
static gboolean
read_relocations (PyroStatementCalls *calls, PyroElfFile *file,
                  Elf_Data *symbols, const Elf_Data *strings,
                  const PyroTimeLimit *limit)
{
  Elf_Scn *section = NULL;
  guint64 n_bytes = 0;
  Elf_Data *data;

  while ((data = pyro_elf_file_next_relocations (file, &section, &n_bytes))
         != NULL) {
    GElf_Rela rela;

    if (pyro_time_is_over (limit))
      return FALSE;
    for (guint i = 0;
         i < SYMBOLS_MAX && gelf_getrela (data, i, &rela) != NULL
         && g_hash_table_size (calls->slots) + g_hash_table_size (calls->own)
                < SYMBOLS_MAX;
         i++)
      add_relocation (calls, &rela, symbols, strings);
  }
  return TRUE;
}

/* A stub of the procedure linkage table jumps to where its slot says:
 * (endbr64) (bnd) jmp *slot(%rip). */
static void
find_stubs_in (PyroStatementCalls *calls, const PyroCodeSection *section)
{
  static const guint8 endbr[] = { 0xf3, 0x0f, 0x1e, 0xfa };
  guint n = 0;

  for (gsize i = 0; i + 6 <= section->size && n < STUBS_MAX; i++) {
    const PyroStatementKind *kind;
    guint64 address = section->address + i;
    gint32 distance;
    gsize at = i;

    if (section->bytes[i] != 0xff || section->bytes[i + 1] != 0x25)
      continue;
    memcpy (&distance, section->bytes + i + 2, sizeof distance);
    kind = pyro_statement_calls_find_slot (calls, address + 6 + distance);
    if (kind == NULL)
      continue;
    n++;
    insert_target (calls, section->address + at, kind);
    if (at >= 1 && section->bytes[at - 1] == 0xf2)
      insert_target (calls, section->address + --at, kind);
    if (at >= sizeof endbr
        && memcmp (section->bytes + at - sizeof endbr, endbr, sizeof endbr)
               == 0)
      insert_target (calls, section->address + at - sizeof endbr, kind);
  }
}

static GHashTable *
address_table (GDestroyNotify free_value)
{
  return g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free,
                                free_value);
}

PyroStatementCalls *
pyro_statement_calls_new (PyroElfFile *file, const PyroTimeLimit *limit)
{
  g_autoptr (PyroStatementCalls) calls = g_new0 (PyroStatementCalls, 1);
  Elf_Data *symbols, *strings;
  GElf_Shdr shdr;

  calls->targets = address_table (NULL);
  calls->slots = address_table (NULL);
  calls->own = address_table (g_free);
  calls->exported
      = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, g_free);
  symbols = read_section (file, SHT_DYNSYM, &shdr);
  if (symbols == NULL)
    return NULL;
  strings = pyro_elf_file_read_section (
      file, elf_getscn (file->elf, shdr.sh_link), NULL);
  if (strings == NULL || !read_symbols (calls, symbols, strings)
      || !read_relocations (calls, file, symbols, strings, limit))
    return NULL;
  return g_steal_pointer (&calls);
}

void
pyro_statement_calls_find_stubs (PyroStatementCalls *calls,
                                 const PyroCodeImage *image)
{
  for (guint i = 0; i < image->sections->len; i++) {
    const PyroCodeSection *section
        = &g_array_index (image->sections, PyroCodeSection, i);

    if (section->is_stubs)
      find_stubs_in (calls, section);
  }
}

void
pyro_statement_calls_free (PyroStatementCalls *calls)
{
  g_hash_table_unref (calls->targets);
  g_hash_table_unref (calls->slots);
  g_hash_table_unref (calls->own);
  g_hash_table_unref (calls->exported);
  g_free (calls);
}

const PyroStatementKind *
pyro_statement_calls_find (const PyroStatementCalls *calls, guint64 target)
{
  return pyro_address_filter_may_have (&calls->target_filter, target)
             ? g_hash_table_lookup (calls->targets, &target)
             : NULL;
}

const PyroStatementKind *
pyro_statement_calls_find_slot (const PyroStatementCalls *calls, guint64 slot)
{
  return g_hash_table_lookup (calls->slots, &slot);
}

guint64
pyro_statement_calls_find_own (const PyroStatementCalls *calls, guint64 slot)
{
  const guint64 *address = g_hash_table_lookup (calls->own, &slot);

  return address != NULL ? *address : 0;
}

guint64
pyro_statement_calls_find_exported (const PyroStatementCalls *calls,
                                    const gchar *name)
{
  const guint64 *address = g_hash_table_lookup (calls->exported, name);

  return address != NULL ? *address : 0;
}
