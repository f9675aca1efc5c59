/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "exported.h"

#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "kernel-clock.h"

static gsize
read_module (gpointer data, guint64 address, gsize size, void *out)
{
  return pyro_loader_copy (data, address, size, out);
}

PyroExportedSymbols *
pyro_exported_read (const PyroLoadedModule *module)
{
  guint64 start = G_MAXUINT64, limit = 0;

  if (module->dynamic == 0)
    return NULL;
  for (guint i = 0; i < module->segments->len; i++) {
    const PyroLoadSegment *segment
        = &g_array_index (module->segments, PyroLoadSegment, i);

    start = MIN (start, segment->start);
    limit = MAX (limit, segment->limit);
  }
  return pyro_exported_symbols_read (module->dynamic, module->dynamic_size,
                                     module->bias, start, limit, read_module,
                                     (gpointer)module);
}

static gboolean
has_build_id (const PyroLoadedModule *module, const gchar *build_id)
{
  gchar hex[2 * PYRO_MAX_BUILD_ID + 1] = "";

  for (guint i = 0; i < module->build_id_size; i++)
    g_snprintf (hex + 2 * i, 3, "%02x", module->build_id[i]);
  return strcmp (hex, build_id) == 0;
}

PyroExportedSymbols *
pyro_exported_find (const gchar *path, const gchar *build_id)
{
  PyroExportedSymbols *exported = NULL;
  GPtrArray *list;

  /* Nothing else proves which one it is. */
  if (build_id == NULL)
    return NULL;
  list = pyro_loader_list ();
  for (guint i = 0; i < list->len && exported == NULL; i++) {
    const PyroLoadedModule *module = g_ptr_array_index (list, i);

    /* The program itself has no name there. */
    if ((module->name[0] == '\0' || strcmp (module->name, path) == 0)
        && has_build_id (module, build_id))
      exported = pyro_exported_read (module);
  }
  g_ptr_array_unref (list);
  return exported;
}

gboolean
pyro_exported_is_file_doubtful (const gchar *path, gint64 start)
{
  struct stat status;

  if (path[0] != '/')
    return FALSE;
  /* A file that came by another one's name was written, or renamed, since. */
  return stat (path, &status) != 0 || status.st_ctim.tv_sec >= start;
}

/* Field 22 of proc(5)'s "stat": clock ticks since the machine's start. */
gint64
pyro_exported_get_process_start (void)
{
  g_autofree gchar *text = NULL;
  gint64 boot_ns;
  gchar *at;

  if (!g_file_get_contents ("/proc/self/stat", &text, NULL, NULL))
    return G_MAXINT64;
  at = strrchr (text, ')');
  for (guint field = 2; at != NULL && field < 22; field++)
    at = strchr (at + 1, ' ');
  if (at == NULL || !pyro_clock_read (CLOCK_BOOTTIME, &boot_ns))
    return G_MAXINT64;
  /* A second less, for what is rounded. */
  return (pyro_clock_real () - boot_ns) / G_GINT64_CONSTANT (1000000000)
         + (gint64)(g_ascii_strtoull (at, NULL, 10)
                    / (guint64)sysconf (_SC_CLK_TCK))
         - 1;
}
