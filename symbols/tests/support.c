/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "symbols/tests/support.h"

#include "symbols/elf-file.h"

#include <gelf.h>
#include <glib/gstdio.h>
#include <string.h>

void
fixture_set_up (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  fixture->directory = g_dir_make_tmp ("pyro-symbols-XXXXXX", &error);
  g_assert_no_error (error);
}

void
fixture_tear_down (Fixture *fixture, gconstpointer data)
{
  run ("rm", "-rf", fixture->directory, NULL);
  g_free (fixture->directory);
}

gchar *
fixture_path (Fixture *fixture, const gchar *name)
{
  gchar *path = g_build_filename (fixture->directory, name, NULL);
  g_autofree gchar *parent = g_path_get_dirname (path);

  g_assert_cmpint (g_mkdir_with_parents (parent, 0700), ==, 0);
  return path;
}

gchar *
sample_path (const gchar *name)
{
  return g_test_build_filename (G_TEST_BUILT, name, NULL);
}

guint64
sample_address (const gchar *path, const gchar *name)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (PyroElfFile) file = pyro_elf_file_open (path, NULL, &error);
  Elf_Scn *section;
  Elf_Data *data;
  GElf_Shdr shdr;
  GElf_Sym sym;

  g_assert_no_error (error);
  section = pyro_elf_file_find_section (file, ".symtab");
  g_assert_nonnull (section);
  g_assert_nonnull (gelf_getshdr (section, &shdr));
  data = elf_getdata (section, NULL);
  for (gint i = 0; gelf_getsym (data, i, &sym) != NULL; i++) {
    if (g_strcmp0 (elf_strptr (file->elf, shdr.sh_link, sym.st_name), name)
        == 0)
      return sym.st_value;
  }
  g_error ("%s has no symbol %s", path, name);
}

gint
sample_line (const gchar *comment)
{
  g_autofree gchar *path
      = g_test_build_filename (G_TEST_DIST, "sample.c", NULL);
  g_autofree gchar *marker = g_strdup_printf ("/* %s */", comment);
  g_autofree gchar *text = NULL;
  g_auto (GStrv) lines = NULL;

  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  lines = g_strsplit (text, "\n", -1);
  for (gint i = 0; lines[i] != NULL; i++) {
    if (strstr (lines[i], marker) != NULL)
      return i + 1;
  }
  g_error ("%s has no line with %s", path, marker);
}

gchar *
sample_build_id (const gchar *path)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (PyroElfFile) file = pyro_elf_file_open (path, NULL, &error);

  g_assert_no_error (error);
  g_assert_nonnull (file->build_id);
  return g_strdup (file->build_id);
}

gchar *
build_id_path (Fixture *fixture, const gchar *build_id)
{
  g_autofree gchar *name = g_strdup_printf ("debug/.build-id/%.2s/%s.debug",
                                            build_id, build_id + 2);

  return fixture_path (fixture, name);
}

void
run (const gchar *program, ...)
{
  g_autoptr (GPtrArray) argv = g_ptr_array_new ();
  g_autoptr (GError) error = NULL;
  gchar *argument;
  gint status;
  va_list ap;

  g_ptr_array_add (argv, (gchar *)program);
  va_start (ap, program);
  do {
    argument = va_arg (ap, gchar *);
    g_ptr_array_add (argv, argument);
  } while (argument != NULL);
  va_end (ap);

  g_spawn_sync (NULL, (gchar **)argv->pdata, NULL, G_SPAWN_SEARCH_PATH, NULL,
                NULL, NULL, NULL, &status, &error);
  g_assert_no_error (error);
  g_spawn_check_wait_status (status, &error);
  g_assert_no_error (error);
}
