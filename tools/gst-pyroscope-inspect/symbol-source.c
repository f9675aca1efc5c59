/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "symbol-source.h"

#include <gelf.h>
#include <string.h>

#include "symbols/debug-info.h"

/* The first line that COMMAND says, or NULL if it fails. (transfer full) */
static gchar *
ask (const gchar *program, const gchar *option, const gchar *format,
     const gchar *path)
{
  const gchar *argv[6] = { program, option };
  guint n = 2;
  gchar *out = NULL;
  gint status;

  if (format != NULL) {
    argv[n++] = "--qf";
    argv[n++] = format;
  }
  argv[n++] = path;
  if (!g_spawn_sync (NULL, (gchar **)argv, NULL,
                     G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL, NULL,
                     NULL, &out, NULL, &status, NULL))
    return NULL;
  if (!g_spawn_check_wait_status (status, NULL) || *out == '\0') {
    g_free (out);
    return NULL;
  }
  out[strcspn (out, "\n")] = '\0';
  return out;
}

/* "libc6:amd64: /lib/x86_64-linux-gnu/libc.so.6" */
static gchar *
debian_package (const gchar *path)
{
  g_autofree gchar *answer = ask ("dpkg-query", "-S", NULL, path);

  return answer != NULL ? g_strndup (answer, strcspn (answer, ":,")) : NULL;
}

/* Where /lib is a link to /usr/lib, files are listed under either name. */
static gchar *
find_debian_package (const gchar *path)
{
  g_autofree gchar *real = g_canonicalize_filename (path, NULL);
  gchar *package = debian_package (real);

  if (package == NULL && g_str_has_prefix (real, "/usr/"))
    package = debian_package (real + strlen ("/usr"));
  if (package == NULL && !g_str_has_prefix (real, "/usr/")) {
    g_autofree gchar *longer = g_strconcat ("/usr", real, NULL);

    package = debian_package (longer);
  }
  return package;
}

static gboolean
is_package_name (const gchar *name)
{
  return *name != '\0'
         && strspn (name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                          "0123456789+-._")
                == strlen (name);
}

static void
find_package (PyroSymbolSource *source, const gchar *path)
{
  g_autofree gchar *package = find_debian_package (path);

  if (package != NULL && is_package_name (package)) {
    /* The C library's are no automatic ones. */
    source->command
        = g_strdup_printf ("apt install %s-%s", package,
                           strcmp (package, "libc6") == 0 ? "dbg" : "dbgsym");
    source->package = g_steal_pointer (&package);
    return;
  }
  g_clear_pointer (&package, g_free);
  package = ask ("rpm", "-qf", "%{NAME}\n", path);
  if (package != NULL && is_package_name (package)) {
    source->command = g_strdup_printf ("dnf debuginfo-install %s", package);
    source->package = g_steal_pointer (&package);
  }
}

/* Whether FILE has what a debug file would have. */
static gboolean
has_symbols (PyroElfFile *file)
{
  Elf_Scn *section = NULL;
  GElf_Shdr shdr;

  while ((section = elf_nextscn (file->elf, section)) != NULL) {
    if (gelf_getshdr (section, &shdr) != NULL && shdr.sh_type == SHT_SYMTAB)
      return TRUE;
  }
  return pyro_debug_info_exists (file);
}

void
pyro_symbol_source_find (PyroSymbolSource *source,
                         const PyroDebugPlaces *places, const gchar *filename,
                         const gchar *build_id)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (PyroElfFile) file = NULL;
  g_autoptr (PyroElfFile) debug_file = NULL;
  g_autofree gchar *below = NULL;

  *source = (PyroSymbolSource){ .state = PYRO_FILE_NONE };
  if (*filename == '[' || *filename == '\0')
    return;
  if (*build_id == '\0') {
    source->state = PYRO_FILE_UNCERTAIN;
    return;
  }
  if (places->sysroot != NULL) {
    below = g_build_filename (places->sysroot, filename, NULL);
    file = pyro_elf_file_open (below, build_id, NULL);
  }
  if (file == NULL)
    file = pyro_elf_file_open (filename, build_id, &error);
  source->state
      = file != NULL ? PYRO_FILE_SAME
        : g_error_matches (error, PYRO_ELF_ERROR, PYRO_ELF_ERROR_OTHER_BUILD)
            ? PYRO_FILE_OTHER
            : PYRO_FILE_MISSING;
  source->has_symbols = file != NULL && has_symbols (file);
  debug_file = pyro_debug_file_find (places, file, build_id);
  if (debug_file != NULL)
    source->debug_file = g_strdup (debug_file->path);
  else if (file != NULL && !source->has_symbols && below == NULL
           && *filename == '/')
    find_package (source, filename);
}

const gchar *
pyro_symbol_source_get_server (void)
{
  static const gchar *const servers[][2] = {
    { "debian", "https://debuginfod.debian.net" },
    { "ubuntu", "https://debuginfod.ubuntu.com" },
    { "fedora", "https://debuginfod.fedoraproject.org/" },
    { "arch", "https://debuginfod.archlinux.org" },
    { "opensuse-tumbleweed", "https://debuginfod.opensuse.org/" },
  };
  g_autofree gchar *id = g_get_os_info (G_OS_INFO_KEY_ID);

  for (guint i = 0; id != NULL && i < G_N_ELEMENTS (servers); i++) {
    if (strcmp (servers[i][0], id) == 0)
      return servers[i][1];
  }
  return NULL;
}

void
pyro_symbol_source_clear (PyroSymbolSource *source)
{
  g_clear_pointer (&source->debug_file, g_free);
  g_clear_pointer (&source->package, g_free);
  g_clear_pointer (&source->command, g_free);
}
