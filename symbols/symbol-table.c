/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "symbols/symbol-table.h"

#include "symbols/range-map.h"

#include <gelf.h>
#include <link.h>
#include <string.h>

/* A longer name is not used: in a hostile file every symbol's name could be
 * the whole string table. */
#define NAME_BYTES_MAX 65536

typedef struct {
  guint32 name;    /* offset into the string table */
  guint8 strings;  /* index of the string table */
  guint8 exported; /* not local */
  guint8 typed;    /* said to be a function, not only code with a size */
  guint8 weak;
} Symbol;

struct _PyroSymbolTable {
  GArray *symbols;    /* of Symbol */
  PyroRangeMap *code; /* the code of each: value is the index in symbols */
  GPtrArray *strings; /* of GBytes: copies of the string tables */
};

PyroSymbolTable *
pyro_symbol_table_new (void)
{
  PyroSymbolTable *table = g_new0 (PyroSymbolTable, 1);

  table->symbols = g_array_new (FALSE, FALSE, sizeof (Symbol));
  table->code = pyro_range_map_new ();
  table->strings
      = g_ptr_array_new_with_free_func ((GDestroyNotify)g_bytes_unref);
  return table;
}

void
pyro_symbol_table_free (PyroSymbolTable *table)
{
  g_array_unref (table->symbols);
  pyro_range_map_free (table->code);
  g_ptr_array_unref (table->strings);
  g_free (table);
}

/* The characters of a name and how many, up to NAME_BYTES_MAX. */
static const gchar *
symbol_name (const PyroSymbolTable *table, const Symbol *symbol, gsize *length)
{
  gsize size;
  const gchar *strings
      = g_bytes_get_data (table->strings->pdata[symbol->strings], &size);
  const gchar *name = strings + symbol->name;

  *length = strnlen (name, MIN (size - symbol->name, NAME_BYTES_MAX));
  return name;
}

static gsize
leading_underscores (const gchar *name, gsize length)
{
  gsize n = 0;

  while (n < length && name[n] == '_')
    n++;
  return n;
}

/* Of several names for one place, the later is the better: one that others
 * can link to, then the one that looks least like an implementation's
 * (`poll` rather than `__poll`), then anything that is always the same. */
static gint
compare_names (guint32 index_a, guint32 index_b, gconstpointer user_data)
{
  const PyroSymbolTable *table = user_data;
  const Symbol *a = &g_array_index (table->symbols, Symbol, index_a);
  const Symbol *b = &g_array_index (table->symbols, Symbol, index_b);
  const gchar *name_a, *name_b;
  gsize length_a, length_b, score_a, score_b;

  if (a->typed != b->typed)
    return a->typed - b->typed;
  if (a->exported != b->exported)
    return a->exported - b->exported;
  name_a = symbol_name (table, a, &length_a);
  name_b = symbol_name (table, b, &length_b);
  score_a = leading_underscores (name_a, length_a);
  score_b = leading_underscores (name_b, length_b);
  if (score_a != score_b)
    return score_a > score_b ? -1 : 1;
  if (a->weak != b->weak)
    return b->weak - a->weak;
  if (length_a != length_b)
    return length_a > length_b ? -1 : 1;
  return memcmp (name_b, name_a, length_a);
}

/* Without a file there are no sections to ask. */
static gboolean
is_in_code_section (Elf *elf, guint index)
{
  GElf_Shdr shdr;

  return elf != NULL && index < SHN_LORESERVE
         && gelf_getshdr (elf_getscn (elf, index), &shdr) != NULL
         && (shdr.sh_flags & SHF_EXECINSTR) != 0;
}

static gboolean
read_symbol (Elf *elf, const GElf_Sym *sym, gsize strings_size,
             gboolean except_weak, Symbol *symbol)
{
  const guint type = GELF_ST_TYPE (sym->st_info);
  const guint bind = GELF_ST_BIND (sym->st_info);

  if (sym->st_shndx == SHN_UNDEF || sym->st_shndx == SHN_ABS
      || sym->st_size == 0 || sym->st_value + sym->st_size < sym->st_value
      || sym->st_name == 0 || sym->st_name >= strings_size)
    return FALSE;
  if (except_weak && bind == STB_WEAK)
    return FALSE;
  /* Assembly often gives its functions a size but forgets the type. */
  if (type != STT_FUNC && type != STT_GNU_IFUNC
      && !(type == STT_NOTYPE && is_in_code_section (elf, sym->st_shndx)))
    return FALSE;

  symbol->name = sym->st_name;
  symbol->exported = bind != STB_LOCAL;
  symbol->typed = type != STT_NOTYPE;
  symbol->weak = bind == STB_WEAK;
  return TRUE;
}

/* ELF: NULL where there is no file. */
static void
add_symbol (PyroSymbolTable *table, Elf *elf, const GElf_Sym *sym,
            gsize strings_size, gboolean except_weak)
{
  Symbol symbol = { .strings = table->strings->len };

  if (!read_symbol (elf, sym, strings_size, except_weak, &symbol))
    return;
  pyro_range_map_add (table->code, sym->st_value, sym->st_value + sym->st_size,
                      table->symbols->len);
  g_array_append_val (table->symbols, symbol);
}

static void
add_section (PyroSymbolTable *table, PyroElfFile *file, Elf_Scn *section,
             const GElf_Shdr *shdr, gboolean except_weak, GError **error)
{
  Elf_Data *symbols, *strings;
  const gsize entry = gelf_fsize (file->elf, ELF_T_SYM, 1, EV_CURRENT);
  GElf_Sym sym;

  symbols = pyro_elf_file_read_section (file, section, error);
  if (symbols == NULL)
    return;
  strings = pyro_elf_file_read_section (
      file, elf_getscn (file->elf, shdr->sh_link), error);
  if (strings == NULL)
    return;

  for (gsize i = 0; i < symbols->d_size / entry && i < G_MAXINT; i++) {
    if (gelf_getsym (symbols, i, &sym) != NULL)
      add_symbol (table, file->elf, &sym, strings->d_size, except_weak);
  }
  g_ptr_array_add (table->strings,
                   g_bytes_new (strings->d_buf, strings->d_size));
}

void
pyro_symbol_table_add_exported (PyroSymbolTable *table,
                                const PyroExportedSymbols *exported)
{
  gsize size, strings_size = g_bytes_get_size (exported->strings);
  const ElfW (Sym) *symbols = g_bytes_get_data (exported->symbols, &size);

  if (table->strings->len == G_MAXUINT8)
    return;
  for (gsize i = 0; i < size / sizeof *symbols; i++) {
    const GElf_Sym sym = {
      .st_name = symbols[i].st_name,
      .st_info = symbols[i].st_info,
      .st_other = symbols[i].st_other,
      .st_shndx = symbols[i].st_shndx,
      .st_value = symbols[i].st_value,
      .st_size = symbols[i].st_size,
    };

    add_symbol (table, NULL, &sym, strings_size, FALSE);
  }
  g_ptr_array_add (table->strings, g_bytes_ref (exported->strings));
}

void
pyro_symbol_table_add (PyroSymbolTable *table, PyroElfFile *file,
                       gboolean except_weak)
{
  gboolean seen_symtab = FALSE, seen_dynsym = FALSE;
  Elf_Scn *section = NULL;

  while ((section = elf_nextscn (file->elf, section)) != NULL) {
    g_autoptr (GError) error = NULL;
    GElf_Shdr shdr;
    gboolean *seen;

    if (gelf_getshdr (section, &shdr) == NULL)
      continue;
    if (shdr.sh_type == SHT_SYMTAB)
      seen = &seen_symtab;
    else if (shdr.sh_type == SHT_DYNSYM)
      seen = &seen_dynsym;
    else
      continue;
    /* There is one of each; more of them would only be more to read. */
    if (*seen || table->strings->len == G_MAXUINT8)
      continue;
    *seen = TRUE;
    add_section (table, file, section, &shdr, except_weak, &error);
    if (error != NULL)
      g_info ("symbol table not used: %s", error->message);
  }
}

void
pyro_symbol_table_finish (PyroSymbolTable *table)
{
  pyro_range_map_finish (table->code, compare_names, table);
}

gchar *
pyro_symbol_table_lookup (const PyroSymbolTable *table, guint64 address)
{
  const PyroRange *code = pyro_range_map_lookup (table->code, address);
  const gchar *name, *version;
  gsize length;

  if (code == NULL)
    return NULL;
  name = symbol_name (
      table, &g_array_index (table->symbols, Symbol, code->value), &length);
  if (length == 0 || length == NAME_BYTES_MAX)
    return NULL;
  version = memchr (name + 1, '@', length - 1);
  return g_strndup (name, version != NULL ? (gsize)(version - name) : length);
}

guint64
pyro_symbol_table_find_end_before (const PyroSymbolTable *table,
                                   guint64 address)
{
  guint64 start, end;

  return pyro_range_map_find_gap (table->code, address, &start, &end) ? start
                                                                      : 0;
}
