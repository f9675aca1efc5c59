/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "module-set.h"

#include <string.h>
#include <sys/auxv.h>

#include "exported.h"

/* Bytes, of all modules whose files are doubtful. */
#define MAX_EXPORTED_SIZE (32u << 20)

struct _PyroModuleSet {
  GPtrArray *all;          /* of PyroModule, owned; index = id */
  GHashTable *by_identity; /* gchar * -> PyroModule */
  gint64 process_start;    /* UNIX time, seconds */
  gsize exported_size;
};

static void
module_free (gpointer data)
{
  PyroModule *module = data;

  g_free (module->path);
  g_free (module->build_id);
  pyro_exported_symbols_free (module->exported);
  g_free (module);
}

PyroModuleSet *
pyro_module_set_new (void)
{
  PyroModuleSet *set = g_new0 (PyroModuleSet, 1);

  set->all = g_ptr_array_new_with_free_func (module_free);
  set->by_identity
      = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  set->process_start = pyro_exported_get_process_start ();
  return set;
}

void
pyro_module_set_free (PyroModuleSet *set)
{
  g_hash_table_unref (set->by_identity);
  g_ptr_array_unref (set->all);
  g_free (set);
}

PyroModule *
pyro_module_set_intern (PyroModuleSet *set, gchar *path, gchar *build_id,
                        guint64 bias, guint64 start, guint64 limit,
                        guint64 file_offset)
{
  gchar *identity = g_strdup_printf (
      "%" G_GINT64_MODIFIER "x-%" G_GINT64_MODIFIER "x %" G_GINT64_MODIFIER
      "x %" G_GINT64_MODIFIER "x %s %s",
      start, limit, bias, file_offset, build_id != NULL ? build_id : "-", path);
  PyroModule *module = g_hash_table_lookup (set->by_identity, identity);

  if (module != NULL) {
    g_free (identity);
    g_free (path);
    g_free (build_id);
    return module;
  }
  module = g_new0 (PyroModule, 1);
  module->id = set->all->len;
  module->path = path;
  module->build_id = build_id;
  module->bias = bias;
  module->start = start;
  module->limit = limit;
  module->file_offset = file_offset;
  g_ptr_array_add (set->all, module);
  g_hash_table_insert (set->by_identity, identity, module);
  return module;
}

static gchar *
program_path (void)
{
  gchar *path = g_file_read_link ("/proc/self/exe", NULL);
  const gchar *started_as;

  if (path != NULL)
    return path;
  /* No /proc: what execve was called with. */
  started_as = (const gchar *)getauxval (AT_EXECFN);
  return g_strdup (started_as != NULL ? started_as : "[program]");
}

static gchar *
module_path (const PyroLoadedModule *loaded)
{
  guint64 vdso = getauxval (AT_SYSINFO_EHDR);
  guint i;

  for (i = 0; vdso != 0 && i < loaded->segments->len; i++) {
    const PyroLoadSegment *segment
        = &g_array_index (loaded->segments, PyroLoadSegment, i);

    if (vdso >= segment->start && vdso < segment->limit)
      return g_strdup ("[vdso]");
  }
  if (loaded->name[0] == 0)
    return program_path ();
  return g_strdup (loaded->name);
}

static gchar *
module_build_id (const PyroLoadedModule *loaded)
{
  GString *hex;
  guint i;

  if (loaded->build_id_size == 0)
    return NULL;
  hex = g_string_sized_new (2 * loaded->build_id_size);
  for (i = 0; i < loaded->build_id_size; i++)
    g_string_append_printf (hex, "%02x", loaded->build_id[i]);
  return g_string_free (hex, FALSE);
}

/* At its first sight: it may be closed before anybody asks for its names. */
static void
keep_exported (PyroModuleSet *set, const PyroLoadedModule *loaded,
               PyroModule *module)
{
  PyroExportedSymbols *exported;
  gsize size;

  if (!pyro_exported_is_file_doubtful (module->path, set->process_start))
    return;
  exported = pyro_exported_read (loaded);
  if (exported == NULL)
    return;
  size = pyro_exported_symbols_get_size (exported);
  if (size > MAX_EXPORTED_SIZE - set->exported_size) {
    pyro_exported_symbols_free (exported);
    return;
  }
  set->exported_size += size;
  module->exported = exported;
}

PyroModule *
pyro_module_set_intern_segment (PyroModuleSet *set,
                                const PyroLoadedModule *loaded,
                                const PyroLoadSegment *segment)
{
  guint n_before = set->all->len;
  PyroModule *module;

  module = pyro_module_set_intern (
      set, module_path (loaded), module_build_id (loaded), loaded->bias,
      segment->start, segment->limit, segment->file_offset);
  if (set->all->len > n_before)
    keep_exported (set, loaded, module);
  return module;
}

PyroModule *
pyro_module_set_get (PyroModuleSet *set, guint id)
{
  return id < set->all->len ? g_ptr_array_index (set->all, id) : NULL;
}
