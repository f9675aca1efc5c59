/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "symbols/debug-info.h"

#include "symbols/debug-file.h"
#include "symbols/range-map.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwelf.h>
#include <gelf.h>
#include <string.h>

/* How deep scopes are followed. Real code stays under 50. */
#define DEPTH_MAX 256

/* A unit of compilation. Most are never asked for, so their functions are
 * only collected when one is. */
typedef struct {
  Dwarf_Die die;
  PyroRangeMap *functions; /* value: index into dies; NULL: not collected */
  GArray *dies;            /* of Dwarf_Die */
} Unit;

struct _PyroDebugInfo {
  PyroElfFile *file;
  Dwarf *dwarf;
  PyroElfFile *alternate_file;
  Dwarf *alternate;
  guint64 size;
  GArray *units;             /* of Unit */
  PyroRangeMap *unit_ranges; /* value: index into units */
};

/* What dwarf_begin_elf() reads. */
static gboolean
is_debug_section (const gchar *name)
{
  static const gchar *const prefixes[]
      = { ".debug_", ".zdebug_", ".gnu.debuglto_", ".gnu_debugaltlink" };

  for (guint i = 0; name != NULL && i < G_N_ELEMENTS (prefixes); i++) {
    if (g_str_has_prefix (name, prefixes[i]))
      return TRUE;
  }
  return FALSE;
}

/* What SECTION takes in memory, unpacked. */
static guint64
unpacked_size (Elf_Scn *section, const GElf_Shdr *shdr, const gchar *name)
{
  GElf_Chdr chdr;
  gssize size;

  if ((shdr->sh_flags & SHF_COMPRESSED) != 0)
    return gelf_getchdr (section, &chdr) != NULL ? chdr.ch_size : 0;
  if (g_str_has_prefix (name, ".zdebug_")) {
    size = dwelf_scn_gnu_compressed_size (section);
    if (size >= 0)
      return size;
  }
  return shdr->sh_size;
}

/* The bytes of all DWARF sections, G_MAXUINT64 if there is one too many. */
static guint64
measure (PyroElfFile *file)
{
  Elf_Scn *section = NULL;
  guint64 sum = 0;
  size_t names;

  if (elf_getshdrstrndx (file->elf, &names) != 0)
    return 0;
  while ((section = elf_nextscn (file->elf, section)) != NULL) {
    GElf_Shdr shdr;
    const gchar *name;
    guint64 size;

    if (gelf_getshdr (section, &shdr) == NULL || shdr.sh_type == SHT_NOBITS)
      continue;
    name = elf_strptr (file->elf, names, shdr.sh_name);
    if (!is_debug_section (name))
      continue;
    size = MAX (shdr.sh_size, unpacked_size (section, &shdr, name));
    if (size > PYRO_ELF_SECTION_BYTES_MAX)
      return G_MAXUINT64;
    sum += size;
  }
  return sum;
}

gboolean
pyro_debug_info_exists (PyroElfFile *file)
{
  static const gchar *const names[] = { ".debug_info", ".zdebug_info" };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    Elf_Scn *section = pyro_elf_file_find_section (file, names[i]);
    GElf_Shdr shdr;

    if (section != NULL && gelf_getshdr (section, &shdr) != NULL
        && shdr.sh_type != SHT_NOBITS)
      return TRUE;
  }
  return FALSE;
}

/* Whether the last string of each string section ends: dwarf_getsrclines() of
 * elfutils 0.188 takes it for granted. To be asked after dwarf_begin_elf(),
 * which has unpacked the sections. */
static gboolean
strings_end (PyroElfFile *file)
{
  static const gchar *const names[]
      = { ".debug_str", ".debug_line_str", ".zdebug_str", ".zdebug_line_str" };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    Elf_Scn *section = pyro_elf_file_find_section (file, names[i]);
    Elf_Data *data = section != NULL ? elf_getdata (section, NULL) : NULL;

    if (data != NULL && data->d_size > 0 && data->d_buf != NULL
        && ((const gchar *)data->d_buf)[data->d_size - 1] != '\0')
      return FALSE;
  }
  return TRUE;
}

/* Reads FILE's DWARF and lets go of its descriptor: libdw has all sections in
 * memory once it has begun. */
static Dwarf *
read_dwarf (PyroElfFile *file, guint64 *total)
{
  const guint64 size = measure (file);
  Dwarf *dwarf;

  if (size > PYRO_ELF_SECTION_BYTES_MAX) {
    g_message ("lines and inlined functions of %s are not used: more than "
               "%" G_GUINT64_FORMAT " MiB of debug information",
               file->path, PYRO_ELF_SECTION_BYTES_MAX >> 20);
    return NULL;
  }
  dwarf = dwarf_begin_elf (file->elf, DWARF_C_READ, NULL);
  if (dwarf == NULL) {
    g_info ("debug information of %s not used: %s", file->path,
            dwarf_errmsg (-1));
  } else if (!strings_end (file)) {
    g_info ("debug information of %s not used: unterminated strings",
            file->path);
    g_clear_pointer (&dwarf, dwarf_end);
  }
  pyro_elf_file_forget_fd (file);
  *total += size;
  return dwarf;
}

/* libdw would search for the other file itself, and map it into memory. */
static gboolean
add_alternate (PyroDebugInfo *info, const PyroDebugPlaces *places)
{
  g_autofree gchar *build_id = NULL;
  const gchar *name;
  const void *bits;
  gssize length = dwelf_dwarf_gnu_debugaltlink (info->dwarf, &name, &bits);

  if (length == 0)
    return TRUE;
  if (length > 0) {
    build_id = pyro_elf_format_build_id (bits, length);
    info->alternate_file = pyro_debug_file_find_alternate (
        places, info->file->path, name, build_id);
  }
  if (info->alternate_file != NULL)
    info->alternate = read_dwarf (info->alternate_file, &info->size);
  if (info->alternate == NULL) {
    g_info ("debug information of %s not used: the file that it shares some "
            "with is missing: %s",
            info->file->path, length > 0 ? name : "(malformed name)");
    return FALSE;
  }
  dwarf_setalt (info->dwarf, info->alternate);
  return TRUE;
}

/* Adds the code of DIE to MAP. Linkers leave the ranges of code that they
 * dropped at 0 or 1. */
static void
add_ranges (PyroRangeMap *map, Dwarf_Die *die, guint32 value)
{
  Dwarf_Addr base, start, end;
  ptrdiff_t offset = 0;

  while ((offset = dwarf_ranges (die, offset, &base, &start, &end)) > 0) {
    if (start > 1)
      pyro_range_map_add (map, start, end, value);
  }
}

/* .debug_aranges would say it faster, but clang and rustc leave it out. */
static void
collect_units (PyroDebugInfo *info)
{
  Dwarf_CU *cu = NULL;
  Unit unit = { 0 };

  /* No pointer for a split unit: libdw must not go looking for .dwo files. */
  while (dwarf_get_units (info->dwarf, cu, &cu, NULL, NULL, &unit.die, NULL)
         == 0) {
    switch (dwarf_tag (&unit.die)) {
    case DW_TAG_compile_unit:
    case DW_TAG_skeleton_unit:
      add_ranges (info->unit_ranges, &unit.die, info->units->len);
      g_array_append_val (info->units, unit);
      break;
    default:
      break;
    }
  }
  pyro_range_map_finish (info->unit_ranges, NULL, NULL);
}

PyroDebugInfo *
pyro_debug_info_new (PyroElfFile *file, const PyroDebugPlaces *places)
{
  g_autoptr (PyroDebugInfo) info = g_new0 (PyroDebugInfo, 1);

  info->file = file;
  info->units = g_array_new (FALSE, FALSE, sizeof (Unit));
  info->unit_ranges = pyro_range_map_new ();
  info->dwarf = read_dwarf (file, &info->size);
  if (info->dwarf == NULL || !add_alternate (info, places))
    return NULL;
  collect_units (info);
  return g_steal_pointer (&info);
}

void
pyro_debug_info_free (PyroDebugInfo *info)
{
  for (guint i = 0; i < info->units->len; i++) {
    Unit *unit = &g_array_index (info->units, Unit, i);

    g_clear_pointer (&unit->functions, pyro_range_map_free);
    g_clear_pointer (&unit->dies, g_array_unref);
  }
  g_array_unref (info->units);
  pyro_range_map_free (info->unit_ranges);
  g_clear_pointer (&info->dwarf, dwarf_end);
  g_clear_pointer (&info->alternate, dwarf_end);
  g_clear_pointer (&info->alternate_file, pyro_elf_file_close);
  pyro_elf_file_close (info->file);
  g_free (info);
}

guint64
pyro_debug_info_get_size (const PyroDebugInfo *info)
{
  return info->size;
}

/* Collects the functions with code below PARENT. BUDGET is how many entries
 * may still be looked at: siblings can be chained in a circle. */
static void
collect_functions (Unit *unit, Dwarf_Die *parent, guint depth, guint64 *budget)
{
  Dwarf_Die die;
  int result;

  if (depth == DEPTH_MAX)
    return;
  for (result = dwarf_child (parent, &die); result == 0 && *budget > 0;
       result = dwarf_siblingof (&die, &die)) {
    (*budget)--;
    switch (dwarf_tag (&die)) {
    case DW_TAG_enumeration_type:
    case DW_TAG_subroutine_type:
    case DW_TAG_array_type:
    case DW_TAG_inlined_subroutine:
      continue; /* nothing inside has code of its own */
    case DW_TAG_subprogram:
      add_ranges (unit->functions, &die, unit->dies->len);
      g_array_append_val (unit->dies, die);
      break;
    default:
      break;
    }
    if (dwarf_haschildren (&die) == 1)
      collect_functions (unit, &die, depth + 1, budget);
  }
}

static Dwarf_Die *
find_function (PyroDebugInfo *info, Unit *unit, guint64 address)
{
  const PyroRange *range;

  if (unit->functions == NULL) {
    guint64 budget = info->size;

    unit->functions = pyro_range_map_new ();
    unit->dies = g_array_new (FALSE, FALSE, sizeof (Dwarf_Die));
    collect_functions (unit, &unit->die, 0, &budget);
    pyro_range_map_finish (unit->functions, NULL, NULL);
  }
  range = pyro_range_map_lookup (unit->functions, address);
  return range != NULL ? &g_array_index (unit->dies, Dwarf_Die, range->value)
                       : NULL;
}

/* Appends to CHAIN the inlined calls inside FUNCTION that led to ADDRESS,
 * outermost first. */
static void
find_inlined (Dwarf_Die *function, guint64 address, guint64 *budget,
              GArray *chain)
{
  Dwarf_Die die;
  int result = dwarf_child (function, &die);

  while (result == 0 && *budget > 0 && chain->len < DEPTH_MAX) {
    const int tag = dwarf_tag (&die);

    (*budget)--;
    if ((tag == DW_TAG_inlined_subroutine || tag == DW_TAG_lexical_block
         || tag == DW_TAG_try_block || tag == DW_TAG_catch_block)
        && dwarf_haspc (&die, address) == 1) {
      if (tag == DW_TAG_inlined_subroutine)
        g_array_append_val (chain, die);
      result = dwarf_child (&die, &die);
    } else {
      result = dwarf_siblingof (&die, &die);
    }
  }
}

static const gchar *
function_name (Dwarf_Die *die)
{
  Dwarf_Attribute attribute;
  const gchar *name = dwarf_formstring (
      dwarf_attr_integrate (die, DW_AT_linkage_name, &attribute));

  if (name == NULL)
    name = dwarf_formstring (
        dwarf_attr_integrate (die, DW_AT_MIPS_linkage_name, &attribute));
  return name != NULL ? name : dwarf_diename (die);
}

static gint
start_line (Dwarf_Die *die)
{
  int line;

  return dwarf_decl_line (die, &line) == 0 ? line : 0;
}

static guint64
unsigned_attribute (Dwarf_Die *die, guint which)
{
  Dwarf_Attribute attribute;
  Dwarf_Word value;

  return dwarf_formudata (dwarf_attr (die, which, &attribute), &value) == 0
             ? value
             : 0;
}

/* Where the inlined function DIE was called from. */
static void
set_call_site (Unit *unit, Dwarf_Die *die, PyroSourceFrame *caller)
{
  const guint64 file = unsigned_attribute (die, DW_AT_call_file);
  const guint64 line = unsigned_attribute (die, DW_AT_call_line);
  Dwarf_Files *files;
  size_t n_files;

  caller->line = line <= G_MAXINT ? line : 0;
  caller->filename = NULL;
  if (dwarf_getsrcfiles (&unit->die, &files, &n_files) == 0 && file < n_files)
    caller->filename = dwarf_filesrc (files, file, NULL, NULL);
}

static gboolean
set_line (Unit *unit, guint64 address, PyroSourceFrame *frame)
{
  Dwarf_Line *line = dwarf_getsrc_die (&unit->die, address);

  if (line == NULL)
    return FALSE;
  frame->filename = dwarf_linesrc (line, NULL, NULL);
  if (dwarf_lineno (line, &frame->line) != 0 || frame->line < 0)
    frame->line = 0;
  return TRUE;
}

static const gchar *
compilation_directory (Unit *unit)
{
  Dwarf_Attribute attribute;

  return dwarf_formstring (dwarf_attr (&unit->die, DW_AT_comp_dir, &attribute));
}

void
pyro_debug_info_lookup (PyroDebugInfo *info, guint64 address, GArray *frames)
{
  const PyroRange *range = pyro_range_map_lookup (info->unit_ranges, address);
  PyroSourceFrame frame = { 0 };
  guint64 budget = info->size;
  g_autoptr (GArray) chain = NULL;
  Dwarf_Die *function;
  gboolean has_line;
  Unit *unit;

  if (range == NULL)
    return;
  unit = &g_array_index (info->units, Unit, range->value);
  frame.directory = compilation_directory (unit);
  has_line = set_line (unit, address, &frame);
  function = find_function (info, unit, address);
  if (function == NULL) {
    if (has_line)
      g_array_append_val (frames, frame);
    return;
  }

  chain = g_array_new (FALSE, FALSE, sizeof (Dwarf_Die));
  find_inlined (function, address, &budget, chain);
  for (guint i = chain->len; i-- > 0;) {
    Dwarf_Die *inlined = &g_array_index (chain, Dwarf_Die, i);

    frame.name = function_name (inlined);
    frame.start_line = start_line (inlined);
    g_array_append_val (frames, frame);
    set_call_site (unit, inlined, &frame);
  }
  frame.name = function_name (function);
  frame.start_line = start_line (function);
  if (frame.filename == NULL)
    frame.filename = dwarf_decl_file (function);
  g_array_append_val (frames, frame);
}
