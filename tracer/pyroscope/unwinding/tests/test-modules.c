/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Modules: what is loaded, what was, and tables that follow. */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "asan.h"
#include "harness.h"
#include "tables.h"
#include "unwind-cache.h"

typedef void (*ChurnFunc) (void (*callback) (void *), void *data);

static const char *module_paths[2];

static struct {
  uintptr_t pcs[PYRO_MAX_FRAMES];
  PyroWalk walk;
} last;

static PyroUnwindCache cache;

static void
on_signal (int signo, siginfo_t *info, void *context)
{
  pyro_test_walk (context, &cache, last.pcs, PYRO_MAX_FRAMES, &last.walk);
}

static void
walk_here (gpointer data)
{
  raise (SIGUSR1);
}

static gboolean
yes (gpointer data)
{
  return TRUE;
}

static gboolean
no (gpointer data)
{
  return FALSE;
}

/* Whether the last walk went through a function that lies in MODULE. */
static gboolean
walk_crossed (const PyroModule *module)
{
  guint i;

  for (i = 1; i < last.walk.depth; i++) {
    if (last.pcs[i] >= module->start && last.pcs[i] < module->limit)
      return TRUE;
  }
  return FALSE;
}

static void
test_program (void)
{
  const PyroModule *module;
  gchar *path = g_file_read_link ("/proc/self/exe", NULL);

  pyro_test_refresh ();
  module = pyro_modules_find (pyro_test_modules, (guintptr)test_program);
  g_assert_nonnull (module);
  g_assert_cmpstr (module->path, ==, path);
  g_assert_cmpuint (module->start, <=, (guintptr)test_program);
  g_assert_true (pyro_modules_get (pyro_test_modules, module->id) == module);
  g_assert_null (pyro_modules_get (pyro_test_modules, 100000));
  g_free (path);
  module = pyro_modules_find (pyro_test_modules, (guintptr)g_malloc);
  g_assert_nonnull (module);
  g_assert_nonnull (strstr (module->path, "libglib-2.0"));
  g_assert_nonnull (module->build_id);
  g_assert_null (pyro_modules_find (pyro_test_modules, 16));
}

static void
test_vdso (void)
{
  guintptr vdso = getauxval (AT_SYSINFO_EHDR);
  const PyroModule *module;

  if (vdso == 0) {
    g_test_skip ("no vDSO");
    return;
  }
  pyro_test_refresh ();
  module = pyro_modules_find (pyro_test_modules, vdso + 0x600);
  g_assert_nonnull (module);
  g_assert_cmpstr (module->path, ==, "[vdso]");
}

static void
test_statistics (void)
{
  PyroModulesStatistics statistics;
  gdouble mebibytes;

  pyro_test_refresh ();
  pyro_modules_get_statistics (pyro_test_modules, &statistics);
  mebibytes = (gdouble)statistics.text_size / (1 << 20);
  g_test_message ("%u segments, %.1f MiB of text, %.1f KiB of tables per MiB, "
                  "%u rules, %u FDEs (%u skipped, %u truncated), %u rows "
                  "unsupported",
                  statistics.n_segments, mebibytes,
                  (gdouble)statistics.table_size / 1024 / mebibytes,
                  statistics.n_rules, statistics.n_fdes, statistics.n_skipped,
                  statistics.n_truncated, statistics.n_unsupported);
  g_assert_cmpfloat ((gdouble)statistics.table_size / 1024 / mebibytes, <=,
                     120);
  g_assert_cmpuint (statistics.n_skipped, ==, 0);
  /* Nothing has changed: nothing is done. */
  g_assert_false (pyro_modules_refresh (pyro_test_modules));
}

/* The loader puts a module where another one was, and the tables, the cache and
 * the names follow. */
static void
test_churn (void)
{
  guintptr places[2] = { 0, 0 };
  guint ids[2] = { G_MAXUINT, G_MAXUINT };
  guint n_reused = 0, i;

  pyro_test_refresh ();
  for (i = 0; i < 400; i++) {
    const char *path = module_paths[i % 2];
    void *handle = dlopen (path, RTLD_NOW | RTLD_LOCAL);
    const PyroModule *module;
    ChurnFunc churn;

    g_assert_nonnull (handle);
    churn = (ChurnFunc)dlsym (handle, "churn_call");
    g_assert_true (pyro_modules_refresh (pyro_test_modules));
    module = pyro_modules_find (pyro_test_modules, (guintptr)churn);
    g_assert_nonnull (module);
    g_assert_cmpstr (module->path, ==, path);
    if (places[i % 2] == (guintptr)churn)
      g_assert_cmpuint (module->id, ==, ids[i % 2]);
    else if (ids[i % 2] != G_MAXUINT)
      g_assert_cmpuint (module->id, !=, ids[i % 2]);
    n_reused += places[(i + 1) % 2] == (guintptr)churn;
    places[i % 2] = (guintptr)churn;
    ids[i % 2] = module->id;

    last.walk.depth = 0;
    churn (walk_here, NULL);
    g_assert_cmpint (last.walk.end, ==, PYRO_STACK_COMPLETE);
    g_assert_true (walk_crossed (module));

    g_assert_no_errno (dlclose (handle));
    if (i % 3 == 0) {
      g_assert_true (pyro_modules_refresh (pyro_test_modules));
      g_assert_null (pyro_modules_find (pyro_test_modules, (guintptr)churn));
    }
    /* The samples' names outlive it. */
    g_assert_cmpstr (pyro_modules_get (pyro_test_modules, ids[i % 2])->path, ==,
                     path);
    if (i % 10 == 9) {
      PyroModulesStatistics statistics;

      pyro_modules_reclaim (pyro_test_modules, no, NULL);
      pyro_modules_get_statistics (pyro_test_modules, &statistics);
      g_assert_cmpuint (statistics.n_retired, >, 0);
      pyro_modules_reclaim (pyro_test_modules, yes, NULL);
      pyro_modules_get_statistics (pyro_test_modules, &statistics);
      g_assert_cmpuint (statistics.n_retired, ==, 0);
    }
  }
  g_test_message ("the other module's place was used again %u times", n_reused);
#if !PYRO_TEST_HAS_ASAN /* which lays memory out in its own way */
  g_assert_cmpuint (n_reused, >, 0);
#endif
}

/* Another file at the same path is another module, wherever it is mapped. */
static void
test_replaced (void)
{
  gchar *directory = g_dir_make_tmp ("pyro-modules-XXXXXX", NULL);
  gchar *path = g_build_filename (directory, "module.so", NULL);
  const PyroModule *modules[2];
  guint i;

  pyro_test_refresh ();
  for (i = 0; i < 2; i++) {
    void *handle;
    ChurnFunc churn;

    pyro_test_copy_file (module_paths[i], path);
    handle = dlopen (path, RTLD_NOW | RTLD_LOCAL);
    g_assert_nonnull (handle);
    churn = (ChurnFunc)dlsym (handle, "churn_call");
    pyro_modules_refresh (pyro_test_modules);
    modules[i] = pyro_modules_find (pyro_test_modules, (guintptr)churn);
    g_assert_nonnull (modules[i]);
    churn (walk_here, NULL);
    g_assert_cmpint (last.walk.end, ==, PYRO_STACK_COMPLETE);
    dlclose (handle);
  }
  g_assert_cmpstr (modules[0]->path, ==, modules[1]->path);
  g_assert_cmpstr (modules[0]->build_id, !=, modules[1]->build_id);
  g_assert_cmpuint (modules[0]->id, !=, modules[1]->id);
  g_unlink (path);
  g_rmdir (directory);
  g_free (path);
  g_free (directory);
}

static __attribute__ ((noinline)) void
load_and_truncate (void)
{
  gchar *directory = g_dir_make_tmp ("pyro-modules-XXXXXX", NULL);
  gchar *path = g_build_filename (directory, "module.so", NULL);
  gint sizes[] = { 0x1000, 0 };
  guint i;

  /* First only what is behind the program headers, then those, too. */
  for (i = 0; i < G_N_ELEMENTS (sizes); i++) {
    pyro_test_copy_file (module_paths[i], path);
    g_assert_nonnull (dlopen (path, RTLD_NOW | RTLD_LOCAL));
    g_assert_no_errno (truncate (path, sizes[i]));
    pyro_test_refresh ();
    g_assert_nonnull (
        pyro_modules_find (pyro_test_modules, (guintptr)load_and_truncate));
  }
  g_unlink (path);
  g_rmdir (directory);
  _exit (0); /* its destructors are gone */
}

/* The kernel sends SIGBUS to whoever reads what was cut off. */
static void
test_truncated (void)
{
  if (g_test_subprocess ()) {
    load_and_truncate ();
    return;
  }
  g_test_trap_subprocess (NULL, 0, 0);
  g_test_trap_assert_passed ();
}

static void
test_unknown_mapping (void)
{
  const PyroModule *module;
  guint8 *jit = mmap (NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  if (jit == MAP_FAILED) {
    g_test_skip ("no writable and executable memory here");
    return;
  }
  pyro_test_refresh ();
  module = pyro_modules_find (pyro_test_modules, (guintptr)jit + 8);
  g_assert_nonnull (module);
  g_assert_cmpstr (module->path, ==, "[anon]");
  g_assert_true (pyro_modules_find (pyro_test_modules, (guintptr)jit)
                 == module);
  munmap (jit, 4096);
}

static void
test_fork (void)
{
  pid_t pid;
  int status;

  pyro_test_refresh ();
  pyro_modules_fork_prepare ();
  pid = fork ();
  pyro_modules_fork_done (pid == 0);
  if (pid == 0) {
    PyroModules *modules = pyro_modules_new (FALSE);

    alarm (10);
    if (!pyro_modules_refresh (modules))
      _exit (1);
    _exit (pyro_modules_find (modules, (guintptr)test_fork) != NULL ? 0 : 2);
  }
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_cmpint (status, ==, 0);
  g_assert_false (pyro_modules_refresh (pyro_test_modules));
}

static void
test_without_tables (void)
{
  PyroModules *modules = pyro_modules_new (FALSE);

  pyro_test_tear_down ();
  g_assert_true (pyro_modules_refresh (modules));
  g_assert_null (pyro_modules_published ());
  g_assert_nonnull (pyro_modules_find (modules, (guintptr)g_malloc));
  pyro_modules_free (modules);
}

int
main (int argc, char **argv)
{
  int result;

  g_test_init (&argc, &argv, NULL);
  module_paths[0] = g_getenv ("CHURN_MODULE_A");
  module_paths[1] = g_getenv ("CHURN_MODULE_B");
  if (module_paths[0] == NULL || module_paths[1] == NULL)
    g_error ("CHURN_MODULE_A and CHURN_MODULE_B must name the two modules");
  pyro_test_install (SIGUSR1, on_signal, 0);
  g_test_add_func ("/modules/the-program-and-its-libraries-are-found",
                   test_program);
  g_test_add_func ("/modules/the-vdso-is-found", test_vdso);
  g_test_add_func ("/modules/tables-keep-within-their-bounds", test_statistics);
  g_test_add_func ("/modules/addresses-are-used-again", test_churn);
  g_test_add_func ("/modules/a-replaced-file-is-another-module", test_replaced);
  g_test_add_func ("/modules/a-truncated-file-is-survived", test_truncated);
  g_test_add_func ("/modules/executable-memory-of-nobody-has-a-name",
                   test_unknown_mapping);
  g_test_add_func ("/modules/a-forked-child-can-look-itself", test_fork);
  g_test_add_func ("/modules/without-tables-only-names-are-known",
                   test_without_tables);
  result = g_test_run ();
  pyro_test_tear_down ();
  return result;
}
