/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "commands.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <glib/gstdio.h>

#include "debug-path.h"
#include "debuginfod.h"
#include "file-list.h"
#include "inspect-error.h"
#include "profile/gzip.h"
#include "renaming.h"
#include "text.h"

#define DEFAULT_OUTPUT "symbolized"
#define MAX_SIZE_MIB 256

typedef struct {
  gchar *output;
  PyroDebugPathOptions where;
  gchar **paths;

  GPtrArray *files; /* of the captures' paths */
  PyroSymbolizer *symbolizer;
  PyroDebuginfod *debuginfod; /* or NULL */
} Symbolize;

static gboolean
parse (Symbolize *self, int argc, char **argv)
{
  const GOptionEntry entries[] = {
    { "output", 'o', 0, G_OPTION_ARG_FILENAME, &self->output,
      "A folder for the new captures, or the new one's name if there is one "
      "(default: " DEFAULT_OUTPUT "/)",
      "OUT" },
    PYRO_DEBUG_PATH_ENTRIES (&self->where),
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &self->paths, NULL,
      "CAPTURE..." },
    { NULL },
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;

  g_set_prgname ("gst-pyroscope-inspect symbolize");
  g_option_context_set_summary (
      context, "Names what could not be named when the captures were made, "
               "with the libraries and the\ndebug information on this machine, "
               "and writes new captures.");
  g_option_context_set_description (
      context,
      "A file is only used if its build id is the one that was profiled. What "
      "has a name from\nsymbols and a line stays as it is. Where "
      "DEBUGINFOD_URLS is set, these servers are\nasked for debug files that "
      "are not here.\n\n"
      "Examples:\n"
      "  gst-pyroscope-inspect symbolize -o named/ captures/\n"
      "  gst-pyroscope-inspect symbolize --sysroot /srv/board-rootfs "
      "-o named.pb.gz board.pb.gz");
  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error)) {
    pyro_report ("%s", error->message);
    return FALSE;
  }
  if (self->paths == NULL) {
    pyro_report ("no file or folder is given (see --help)");
    return FALSE;
  }
  if (!pyro_debug_path_check (&self->where, &error)) {
    pyro_report ("%s", error->message);
    return FALSE;
  }
  return TRUE;
}

static gboolean
list_files (Symbolize *self)
{
  gboolean complete = TRUE;

  for (gchar **path = self->paths; *path != NULL; path++) {
    const guint before = self->files->len;

    if (!g_file_test (*path, G_FILE_TEST_IS_DIR)) {
      g_ptr_array_add (self->files, g_strdup (*path));
      continue;
    }
    complete = pyro_file_list_add_folder (self->files, *path) && complete;
    if (self->files->len == before) {
      pyro_report ("%s: no profile in this folder (*.pb.gz, *.pb, *.pprof)",
                   *path);
      complete = FALSE;
    }
  }
  return complete;
}

static gboolean
is_profile_name (const gchar *name)
{
  return g_str_has_suffix (name, ".pb.gz") || g_str_has_suffix (name, ".pb")
         || g_str_has_suffix (name, ".pprof");
}

/* Whether the output is a file's name. FALSE in RIGHT: it cannot be. */
static gboolean
is_one_file (Symbolize *self, gboolean *right)
{
  *right = TRUE;
  if (self->output == NULL) {
    self->output = g_strdup (DEFAULT_OUTPUT);
    return FALSE;
  }
  if (g_file_test (self->output, G_FILE_TEST_IS_DIR)
      || !is_profile_name (self->output))
    return FALSE;
  if (self->files->len > 1) {
    pyro_report ("%s is one file, and there are %u captures: give a folder",
                 self->output, self->files->len);
    *right = FALSE;
  }
  return TRUE;
}

/* Where each of the files goes, or NULL, which was reported. */
static GPtrArray *
list_targets (Symbolize *self)
{
  g_autoptr (GPtrArray) targets = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GHashTable) names = g_hash_table_new (g_str_hash, g_str_equal);
  gboolean right;

  if (is_one_file (self, &right)) {
    g_ptr_array_add (targets, g_strdup (self->output));
    return right ? g_steal_pointer (&targets) : NULL;
  }
  for (guint i = 0; i < self->files->len; i++) {
    const gchar *path = self->files->pdata[i];
    g_autofree gchar *name = g_str_equal (path, "-")
                                 ? g_strdup ("stdin.pb.gz")
                                 : g_path_get_basename (path);
    gchar *target = g_build_filename (self->output, name, NULL);

    g_ptr_array_add (targets, target);
    if (!g_hash_table_add (names, target)) {
      pyro_report ("two captures are called %s: symbolize their folders apart",
                   name);
      return NULL;
    }
  }
  if (g_mkdir_with_parents (self->output, 0777) != 0) {
    pyro_report ("the folder %s cannot be made: %s", self->output,
                 g_strerror (errno));
    return NULL;
  }
  return g_steal_pointer (&targets);
}

/* As readable as the capture. */
static gint
mode_of (const gchar *path)
{
  struct stat info;

  return stat (path, &info) == 0 ? (gint)(info.st_mode & 0666) : 0600;
}

static gboolean
write_file (const gchar *path, gint mode, GBytes *pprof)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) compressed = pyro_gzip (pprof);
  gsize size;
  const gchar *data = g_bytes_get_data (compressed, &size);

  if (g_file_set_contents_full (path, data, (gssize)size,
                                G_FILE_SET_CONTENTS_CONSISTENT, mode, &error))
    return TRUE;
  pyro_report ("%s", error->message);
  return FALSE;
}

static void
print_counts (const gchar *target, const PyroRenamingCounts *counts)
{
  g_autofree gchar *printable = pyro_text_printable (target);

  printf ("%s: %u of %u addresses have a name, %u before", printable,
          counts->n_named, counts->n_addresses, counts->n_named_before);
  if (counts->n_better > 0)
    printf ("; %u are better known", counts->n_better);
  if (counts->n_unknown > 0)
    printf ("; %u are in files without a build id, and stay",
            counts->n_unknown);
  printf ("\n");
}

static gboolean
symbolize (Symbolize *self, const gchar *path, const gchar *target)
{
  const gsize limit = (gsize)MAX_SIZE_MIB << 20;
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = pyro_file_read (path, limit, &error);
  g_autoptr (PyroProfile) profile = NULL;
  g_autoptr (GBytes) named = NULL;
  PyroRenamingCounts counts;

  if (bytes != NULL)
    profile = pyro_profile_decode (bytes, NULL, &error);
  if (profile == NULL) {
    pyro_report ("%s: %s", path, error->message);
    return FALSE;
  }
  named = pyro_renaming_apply (profile, self->symbolizer, &counts);
  if (!write_file (target, mode_of (path), named))
    return FALSE;
  print_counts (target, &counts);
  return TRUE;
}

static PyroSymbolizer *
make_symbolizer (const Symbolize *self)
{
  PyroSymbolizer *symbolizer = pyro_symbolizer_new ();
  g_autofree gchar *path = pyro_debug_path_join (&self->where);

  pyro_symbolizer_set_debug_path (symbolizer, path, self->where.sysroot);
  if (self->debuginfod != NULL)
    pyro_symbolizer_set_fetch_func (symbolizer, pyro_debuginfod_fetch,
                                    self->debuginfod);
  return symbolizer;
}

static gboolean
symbolize_all (Symbolize *self)
{
  gboolean complete = list_files (self);
  g_autoptr (GPtrArray) targets
      = self->files->len > 0 ? list_targets (self) : NULL;

  if (targets == NULL)
    return FALSE;
  self->debuginfod = pyro_debuginfod_new ();
  self->symbolizer = make_symbolizer (self);
  for (guint i = 0; i < self->files->len; i++)
    complete = symbolize (self, self->files->pdata[i], targets->pdata[i])
               && complete;
  if (self->debuginfod != NULL)
    printf ("%u debug files from debuginfod\n",
            pyro_debuginfod_get_n_found (self->debuginfod));
  pyro_symbolizer_free (self->symbolizer);
  g_clear_pointer (&self->debuginfod, pyro_debuginfod_free);
  return complete;
}

int
pyro_cmd_symbolize (int argc, char **argv)
{
  Symbolize self = { .files = g_ptr_array_new_with_free_func (g_free) };
  const gboolean right = parse (&self, argc, argv) && symbolize_all (&self);

  g_ptr_array_unref (self.files);
  g_free (self.output);
  pyro_debug_path_clear (&self.where);
  g_strfreev (self.paths);
  return right ? 0 : 1;
}
