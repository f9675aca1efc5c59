/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Code whose CFI is in its file alone, as -fno-asynchronous-unwind-tables -g
 * makes it: walked if the file is the one that was loaded. */

#include <dlfcn.h>
#include <gelf.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "ci/fuzz/mangle.h"
#include "debug-frame.h"
#include "harness.h"
#include "symbols/elf-file.h"

typedef void (*ChurnFunc) (void (*callback) (void *), void *data);

typedef struct {
  gchar *directory;
  gchar *path; /* a copy of the module */
} Fixture;

/* The same function in two builds, with frames of other sizes. */
static const char *module_paths[2];
static const char *objcopy;

static struct {
  uintptr_t pcs[PYRO_MAX_FRAMES];
  PyroWalk walk;
} last;

static void
on_signal (int signo, siginfo_t *info, void *context)
{
  pyro_test_walk (context, NULL, last.pcs, PYRO_MAX_FRAMES, &last.walk);
}

static void
walk_here (gpointer data)
{
  raise (SIGUSR1);
}

static void
set_up (Fixture *f, gconstpointer data)
{
  f->directory = g_dir_make_tmp ("pyro-debug-frame-XXXXXX", NULL);
  f->path = g_build_filename (f->directory, "module.so", NULL);
  pyro_test_copy_file (module_paths[0], f->path);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  GDir *directory = g_dir_open (f->directory, 0, NULL);
  const gchar *name;

  while ((name = g_dir_read_name (directory)) != NULL) {
    gchar *path = g_build_filename (f->directory, name, NULL);

    g_unlink (path);
    g_free (path);
  }
  g_dir_close (directory);
  g_rmdir (f->directory);
  g_free (f->path);
  g_free (f->directory);
}

/* FALSE: no objcopy here, the test is skipped. */
static gboolean
run_objcopy (Fixture *f, const char *first, const char *second,
             const char *third)
{
  const gchar *arguments[] = { objcopy, first, second, third, NULL };
  GError *error = NULL;
  gint status;

  if (objcopy == NULL) {
    g_test_skip ("no objcopy");
    return FALSE;
  }
  g_spawn_sync (f->directory, (gchar **)arguments, NULL, G_SPAWN_SEARCH_PATH,
                NULL, NULL, NULL, NULL, &status, &error);
  g_assert_no_error (error);
  g_assert_cmpint (status, ==, 0);
  return TRUE;
}

/* Whether a walk through the module at PATH is complete by CFI alone.
 * REPLACEMENT: what comes to stand at PATH once it is loaded, or NULL. */
static gboolean
is_walked_by_cfi (const char *path, const char *replacement)
{
  void *handle = dlopen (path, RTLD_NOW | RTLD_LOCAL);
  const PyroModule *module;
  gboolean is_crossed = FALSE;
  ChurnFunc churn;
  guint i;

  g_assert_nonnull (handle);
  churn = (ChurnFunc)dlsym (handle, "churn_call");
  if (replacement != NULL)
    pyro_test_copy_file (replacement, path); /* written aside and renamed */
  pyro_test_refresh ();
  module = pyro_modules_find (pyro_test_modules, (guintptr)churn);
  g_assert_nonnull (module);
  last.walk.depth = 0;
  churn (walk_here, NULL);
  for (i = 1; i < last.walk.depth; i++)
    is_crossed
        = is_crossed
          || (last.pcs[i] >= module->start && last.pcs[i] < module->limit);
  g_assert_true (is_crossed);
  dlclose (handle);
  pyro_test_refresh ();
  return last.walk.end == PYRO_STACK_COMPLETE && !last.walk.rescued;
}

static void
test_own_file (Fixture *f, gconstpointer data)
{
  g_assert_true (is_walked_by_cfi (f->path, NULL));
}

static void
test_stripped (Fixture *f, gconstpointer data)
{
  if (run_objcopy (f, "--strip-debug", f->path, f->path))
    g_assert_false (is_walked_by_cfi (f->path, NULL));
}

/* FALSE: the test is skipped. */
static gboolean
compress_sections (Fixture *f)
{
  PyroElfFile *file;
  GElf_Shdr header;

  if (!run_objcopy (f, "--compress-debug-sections=zlib", f->path, f->path))
    return FALSE;
  file = pyro_elf_file_open (f->path, NULL, NULL);
  g_assert_nonnull (file);
  g_assert_nonnull (gelf_getshdr (
      pyro_elf_file_find_section (file, ".debug_frame"), &header));
  g_assert_cmpuint (header.sh_flags & SHF_COMPRESSED, !=, 0);
  pyro_elf_file_close (file);
  return TRUE;
}

static void
test_compressed (Fixture *f, gconstpointer data)
{
  if (compress_sections (f))
    g_assert_true (is_walked_by_cfi (f->path, NULL));
}

static void
test_separate (Fixture *f, gconstpointer data)
{
  if (!run_objcopy (f, "--only-keep-debug", f->path, "module.debug")
      || !run_objcopy (f, "--strip-debug", f->path, f->path)
      || !run_objcopy (f, "--add-gnu-debuglink=module.debug", f->path, f->path))
    return;
  g_assert_true (is_walked_by_cfi (f->path, NULL));
}

static void
test_replaced (Fixture *f, gconstpointer data)
{
  g_assert_false (is_walked_by_cfi (f->path, module_paths[1]));
}

/* A section of noise, in a file that the loader takes. */
static void
test_noise (Fixture *f, gconstpointer data)
{
  GRand *rand = g_rand_new_with_seed (3);
  guint i;

  for (i = 0; i < 20; i++) {
    gchar *noise_path = g_build_filename (f->directory, "noise", NULL);
    guint8 noise[512];
    guint j;

    for (j = 0; j < sizeof noise; j++)
      noise[j] = pyro_mangle_noise (rand);
    /* A first entry that fits, so that something is looked at. */
    memcpy (noise, &(guint32){ sizeof noise - 4 }, 4);
    g_assert_true (g_file_set_contents (noise_path, (const gchar *)noise,
                                        sizeof noise, NULL));
    g_free (noise_path);
    pyro_test_copy_file (module_paths[0], f->path);
    if (!run_objcopy (f, "--update-section=.debug_frame=noise", f->path,
                      f->path))
      break;
    is_walked_by_cfi (f->path, NULL);
    g_assert_cmpuint (last.walk.end, <, PYRO_STACK_N_ENDS);
  }
  g_rand_free (rand);
}

/* Files that no loader would take, among them sections that claim to be
 * gigabytes once they are unpacked. */
static void
test_mangled (Fixture *f, gconstpointer data)
{
  GRand *rand = g_rand_new_with_seed (5);
  guint n_read = 0, i;
  gchar *contents;
  gsize size;

  if (!compress_sections (f))
    return;
  g_assert_true (g_file_get_contents (f->path, &contents, &size, NULL));
  for (i = 0; i < 1000; i++) {
    GByteArray *bytes = g_byte_array_new ();
    GBytes *section;

    g_byte_array_append (bytes, (const guint8 *)contents, (guint)size);
    if (i > 0)
      pyro_mangle (rand, bytes, bytes);
    g_unlink (f->path);
    g_assert_true (g_file_set_contents_full (
        f->path, (const gchar *)bytes->data, bytes->len,
        G_FILE_SET_CONTENTS_NONE, 0600, NULL));
    section = pyro_debug_frame_read (f->path, NULL);
    if (section != NULL) {
      n_read++;
      g_bytes_unref (section);
    }
    g_byte_array_unref (bytes);
  }
  g_test_message ("%u of %u files had a section", n_read, i);
  g_assert_cmpuint (n_read, >, 0);
  g_assert_cmpuint (n_read, <, i);
  g_free (contents);
  g_rand_free (rand);
}

#define ADD(path, func) \
  g_test_add (path, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  int result;

  g_test_init (&argc, &argv, NULL);
  module_paths[0] = g_getenv ("BARE_MODULE_A");
  module_paths[1] = g_getenv ("BARE_MODULE_B");
  objcopy = g_getenv ("OBJCOPY");
  if (module_paths[0] == NULL || module_paths[1] == NULL)
    g_error ("BARE_MODULE_A and BARE_MODULE_B must name the two modules");
  pyro_test_install (SIGUSR1, on_signal, 0);
  pyro_test_refresh ();
  ADD ("/debug-frame/of-the-module's-own-file", test_own_file);
  ADD ("/debug-frame/a-stripped-file-has-none", test_stripped);
  ADD ("/debug-frame/compressed", test_compressed);
  ADD ("/debug-frame/in-a-separate-file", test_separate);
  ADD ("/debug-frame/a-replaced-file-is-not-believed", test_replaced);
  ADD ("/debug-frame/noise-is-survived", test_noise);
  ADD ("/debug-frame/mangled-files-are-survived", test_mangled);
  result = g_test_run ();
  pyro_test_tear_down ();
  return result;
}
