/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Libraries that are closed: what was in their place when a sample was taken.
 */

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

#include "asan.h"
#include "harness.h"
#include "unloads.h"

static const char *paths[2];

/* What a handler would have noted, and what is right. */
typedef struct {
  guintptr pc;
  PyroModuleMoment moment;
  const char *path;
} Note;

static void
note (Note *note_, void *handle, const char *path)
{
  note_->pc = (guintptr)dlsym (handle, "churn_call");
  note_->moment = pyro_module_moment (pyro_modules_published ());
  note_->path = path;
}

static void *
load (const char *path)
{
  void *handle = dlopen (path, RTLD_NOW | RTLD_LOCAL);

  g_assert_nonnull (handle);
  return handle;
}

static const PyroModule *
find (const Note *note_, gboolean *in_doubt)
{
  return pyro_modules_find_at (pyro_test_modules, note_->pc, note_->moment,
                               in_doubt);
}

static void
assert_found (const Note *note_)
{
  gboolean in_doubt;
  const PyroModule *module = find (note_, &in_doubt);

  g_assert_false (in_doubt);
  g_assert_nonnull (module);
  g_assert_cmpstr (module->path, ==, note_->path);
}

static void
assert_in_doubt (const Note *note_)
{
  gboolean in_doubt;

  g_assert_null (find (note_, &in_doubt));
  g_assert_true (in_doubt);
}

static void
set_up (void)
{
  pyro_unloads_watch (TRUE);
  pyro_test_refresh ();
  pyro_modules_drained (pyro_test_modules, pyro_unload_epoch ());
  pyro_modules_drained (pyro_test_modules, pyro_unload_epoch ());
}

static void
test_each_keeps_its_names (void)
{
  Note notes[40];
  guint n_reused = 0;

  set_up ();
  for (guint i = 0; i < G_N_ELEMENTS (notes); i++) {
    void *handle = load (paths[i % 2]);

    note (&notes[i], handle, paths[i % 2]);
    g_assert_cmpint (pyro_unloads_close (handle), ==, 0);
    n_reused += i > 0 && notes[i].pc == notes[i - 1].pc;
  }
  /* qemu's emulation of one process gives each library new addresses. */
#if !PYRO_TEST_HAS_ASAN && defined(__x86_64__)
  g_assert_cmpuint (n_reused, >, 0);
#endif
  /* Once without a look before, once after one. */
  for (guint try = 0; try < 2; try++) {
    for (guint i = 0; i < G_N_ELEMENTS (notes); i++)
      assert_found (&notes[i]);
    pyro_modules_refresh (pyro_test_modules);
  }
}

static void
test_a_look_in_between_changes_nothing (void)
{
  Note notes[40];

  set_up ();
  for (guint i = 0; i < G_N_ELEMENTS (notes); i++) {
    void *handle = load (paths[i % 2]);

    if (i % 3 == 0)
      pyro_modules_refresh (pyro_test_modules);
    note (&notes[i], handle, paths[i % 2]);
    pyro_unloads_close (handle);
    if (i % 5 == 0)
      pyro_modules_refresh (pyro_test_modules);
  }
  for (guint i = 0; i < G_N_ELEMENTS (notes); i++)
    assert_found (&notes[i]);
}

static void
test_what_is_loaded_is_never_in_doubt (void)
{
  void *handle;
  Note notes[2];

  set_up ();
  note (&notes[0], RTLD_DEFAULT, NULL);
  handle = load (paths[0]);
  note (&notes[1], handle, paths[0]);
  /* Came since the last look. */
  assert_found (&notes[1]);
  pyro_unloads_close (handle);
  /* The program itself was there before, and is after. */
  notes[0].pc = (guintptr)set_up;
  notes[0].path = pyro_modules_find (pyro_test_modules, (guintptr)set_up)->path;
  assert_found (&notes[0]);
  assert_found (&notes[1]);
}

static void
test_closed_unseen_is_in_doubt (void)
{
  Note notes[3];
  void *handle;

  set_up ();
  handle = load (paths[0]);
  pyro_modules_refresh (pyro_test_modules);
  note (&notes[0], handle, paths[0]);
  assert_found (&notes[0]);
  dlclose (handle); /* not by the wrapper */
  handle = load (paths[1]);
  note (&notes[1], handle, paths[1]);
  pyro_modules_refresh (pyro_test_modules);
  note (&notes[2], handle, paths[1]);
  assert_in_doubt (&notes[0]);
  assert_in_doubt (&notes[1]);
  assert_found (&notes[2]);
  /* What was there all the time is not. */
  notes[0].pc = (guintptr)set_up;
  notes[0].path = pyro_modules_find (pyro_test_modules, (guintptr)set_up)->path;
  assert_found (&notes[0]);
  pyro_unloads_close (handle);
  assert_found (&notes[2]);
}

static void
test_tables_of_another_are_noticed (void)
{
  gboolean in_doubt;
  void *handle;
  Note first, second;

  set_up ();
  handle = load (paths[0]);
  pyro_modules_refresh (pyro_test_modules);
  note (&first, handle, paths[0]);
  pyro_unloads_close (handle);
  handle = load (paths[1]);
  note (&second, handle, paths[1]);
  assert_found (&second);
  assert_found (&first);
  if (first.pc != second.pc)
    g_test_skip ("the other module's place was not used again");
  else
    g_assert_true (pyro_modules_was_misled (pyro_test_modules, second.pc,
                                            second.moment,
                                            find (&second, &in_doubt)));
  g_assert_false (pyro_modules_was_misled (
      pyro_test_modules, first.pc, first.moment, find (&first, &in_doubt)));
  pyro_unloads_close (handle);
}

/* Threads that load and close, and one that looks. */

#define N_NOTES 300

typedef struct {
  const char *path;
  Note notes[N_NOTES];
  gint n; /* atomic */
} Churner;

static void *
churn (void *data)
{
  Churner *churner = data;

  for (guint i = 0; i < N_NOTES; i++) {
    void *handle = load (churner->path);

    note (&churner->notes[i], handle, churner->path);
    g_atomic_int_inc (&churner->n);
    g_assert_cmpint (pyro_unloads_close (handle), ==, 0);
    if (i % 16 == 0)
      g_usleep (1000);
  }
  return NULL;
}

static void
test_threads_close_at_once (void)
{
  static Churner churners[2];
  guint n_found = 0, n_doubts = 0;
  pthread_t threads[2];
  gint done[2] = { 0, 0 };

  set_up ();
  for (guint i = 0; i < 2; i++) {
    churners[i].path = paths[i];
    churners[i].n = 0;
    g_assert_cmpint (pthread_create (&threads[i], NULL, churn, &churners[i]),
                     ==, 0);
  }
  while (done[0] < N_NOTES || done[1] < N_NOTES) {
    guint32 epoch = pyro_unload_epoch ();

    for (guint i = 0; i < 2; i++) {
      gint n = g_atomic_int_get (&churners[i].n);

      for (; done[i] < n; done[i]++) {
        const Note *note_ = &churners[i].notes[done[i]];
        gboolean in_doubt;
        const PyroModule *module = find (note_, &in_doubt);

        /* Never a wrong name. */
        if (module != NULL)
          g_assert_cmpstr (module->path, ==, note_->path);
        n_found += module != NULL;
        n_doubts += module == NULL;
      }
    }
    pyro_modules_drained (pyro_test_modules, epoch);
    g_usleep (500);
  }
  for (guint i = 0; i < 2; i++)
    pthread_join (threads[i], NULL);
  g_test_message ("%u found, %u in doubt", n_found, n_doubts);
  g_assert_cmpuint (n_found, >, 0);
}

int
main (int argc, char **argv)
{
  int result;

  g_test_init (&argc, &argv, NULL);
  paths[0] = g_getenv ("CHURN_MODULE_A");
  paths[1] = g_getenv ("CHURN_MODULE_B");
  if (paths[0] == NULL || paths[1] == NULL)
    g_error ("CHURN_MODULE_A and CHURN_MODULE_B must name the two modules");
  g_test_add_func ("/unloads/each-library-keeps-its-names",
                   test_each_keeps_its_names);
  g_test_add_func ("/unloads/a-look-in-between-changes-nothing",
                   test_a_look_in_between_changes_nothing);
  g_test_add_func ("/unloads/what-is-only-loaded-is-never-in-doubt",
                   test_what_is_loaded_is_never_in_doubt);
  g_test_add_func ("/unloads/what-was-closed-unseen-is-in-doubt",
                   test_closed_unseen_is_in_doubt);
  g_test_add_func ("/unloads/tables-of-another-library-are-noticed",
                   test_tables_of_another_are_noticed);
  g_test_add_func ("/unloads/threads-may-close-at-once",
                   test_threads_close_at_once);
  result = g_test_run ();
  pyro_test_tear_down ();
  return result;
}
