/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Libraries that are closed while their samples still wait, or whose file is
 * another one by then: each sample has the names of what was loaded when it was
 * taken.
 */

#include <dlfcn.h>

#include <glib/gstdio.h>

#include "profile/profile.h"
#include "profiled.h"

static const gchar *const functions[] = { "reload_one", "reload_two" };
static const gchar *const variables[] = { "RELOAD_ONE", "RELOAD_TWO" };

static glong (*function) (glong);

/* Who called is in the stack as well, and tells which library it was. */
static __attribute__ ((noinline)) glong
call_one (glong ns)
{
  return function (ns) + 1;
}

static __attribute__ ((noinline)) glong
call_two (glong ns)
{
  return function (ns) + 2;
}

static guint64
use (guint which, glong ns)
{
  void *handle = dlopen (g_getenv (variables[which]), RTLD_NOW);
  glong used;

  fail_if (handle == NULL, "%s", dlerror ());
  *(void **)&function = dlsym (handle, functions[which]);
  used = which == 0 ? call_one (ns) : call_two (ns);
  dlclose (handle);
  return (guint64)used;
}

static gboolean
has_function (const PyroSample *sample, const gchar *name)
{
  for (gsize i = 0; i < sample->n_locations; i++)
    for (gsize k = 0; k < sample->locations[i]->n_lines; k++)
      if (g_str_equal (sample->locations[i]->lines[k].function->name, name))
        return TRUE;
  return FALSE;
}

/* CPU time of the samples with the functions NAME and OTHER, or NULL, in their
 * stack. */
static guint64
cpu_in (const PyroCaptured *captured, const gchar *name, const gchar *other)
{
  guint64 sum = 0;

  for (guint i = 0; i < captured->profiles->len; i++) {
    const PyroProfile *profile = g_ptr_array_index (captured->profiles, i);

    for (gsize k = 0; k < profile->n_samples; k++)
      if (has_function (&profile->samples[k], name)
          && (other == NULL || has_function (&profile->samples[k], other)))
        sum += (guint64)profile->samples[k].values[1];
  }
  return sum;
}

/* Both fit in between two looks of the collector's, and are loaded at one
 * place. */
GST_START_TEST (libraries_that_take_turns_keep_their_names)
{
  g_autoptr (GstElement) element = gst_element_factory_make ("identity", NULL);
  g_autoptr (PyroCaptured) captured = NULL;
  guint64 used = 0, right, wrong, all;

  pyro_profiled_begin ();
  gst_element_set_state (element, GST_STATE_PLAYING);
  for (guint i = 0; i < 150 * pyro_profiled_scale (); i++) {
    used += use (0, 8000000);
    used += use (1, 4000000);
  }
  gst_element_set_state (element, GST_STATE_NULL);
  captured = pyro_profiled_end ();

  right = cpu_in (captured, "reload_one", "call_one")
          + cpu_in (captured, "reload_two", "call_two");
  wrong = cpu_in (captured, "reload_one", "call_two")
          + cpu_in (captured, "reload_two", "call_one");
  all = cpu_in (captured, "reload_one", NULL)
        + cpu_in (captured, "reload_two", NULL);
  GST_INFO ("%.2f s right, %.2f wrong, %.2f named, of %.2f",
            (gdouble)right / 1e9, (gdouble)wrong / 1e9, (gdouble)all / 1e9,
            (gdouble)used / 1e9);
  fail_unless (right > 0);
  fail_unless (wrong == 0, "%.2f s have another library's names",
               (gdouble)wrong / 1e9);
  fail_unless (all > used * 8 / 10, "only %.2f of %.2f s have a name",
               (gdouble)all / 1e9, (gdouble)used / 1e9);
}
GST_END_TEST

typedef enum { DELETED, REPLACED, REPLACED_AND_CLOSED } Fate;

/* Loaded while the file was there; the profile is made when it is not. */
static void
use_a_file_that_goes (Fate fate)
{
  g_autofree gchar *path = g_strdup_printf (
      "%s/gone-%d.so", g_getenv ("RELOAD_FOLDER"), (gint)fate);
  g_autofree gchar *other = g_strconcat (path, ".new", NULL);
  g_autoptr (GstElement) element = gst_element_factory_make ("identity", NULL);
  g_autoptr (PyroCaptured) captured = NULL;
  g_autofree gchar *bytes = NULL;
  guint64 used, found;
  void *handle;
  gsize size;

  fail_unless (
      g_file_get_contents (g_getenv ("RELOAD_ONE"), &bytes, &size, NULL));
  fail_unless (g_file_set_contents (path, bytes, (gssize)size, NULL));
  handle = dlopen (path, RTLD_NOW);
  fail_if (handle == NULL, "%s", dlerror ());
  *(void **)&function = dlsym (handle, functions[0]);
  g_unlink (path);
  if (fate != DELETED) {
    g_clear_pointer (&bytes, g_free);
    fail_unless (
        g_file_get_contents (g_getenv ("RELOAD_TWO"), &bytes, &size, NULL));
    fail_unless (g_file_set_contents (other, bytes, (gssize)size, NULL));
    fail_unless (g_rename (other, path) == 0);
  }

  pyro_profiled_begin ();
  gst_element_set_state (element, GST_STATE_PLAYING);
  used = (guint64)call_one (400000000);
  if (fate == REPLACED_AND_CLOSED)
    dlclose (handle);
  gst_element_set_state (element, GST_STATE_NULL);
  captured = pyro_profiled_end ();
  g_unlink (path);
  if (fate != REPLACED_AND_CLOSED)
    dlclose (handle);

  found = cpu_in (captured, "reload_one", NULL);
  fail_unless (found > used * 8 / 10, "only %.3f of %.3f s have the name",
               (gdouble)found / 1e9, (gdouble)used / 1e9);
  fail_unless (cpu_in (captured, "reload_two", NULL) == 0);
}

GST_START_TEST (a_deleted_library_has_its_exported_names)
{
  use_a_file_that_goes (DELETED);
}
GST_END_TEST

GST_START_TEST (a_replaced_library_has_its_own_names)
{
  use_a_file_that_goes (REPLACED);
}
GST_END_TEST

GST_START_TEST (a_replaced_library_that_was_closed_has_its_own_names)
{
  use_a_file_that_goes (REPLACED_AND_CLOSED);
}
GST_END_TEST

static Suite *
make_suite (void)
{
  Suite *suite = suite_create ("reload");
  TCase *tcase = tcase_create ("reload");

  suite_add_tcase (suite, tcase);
  tcase_set_timeout (tcase, 120);
  tcase_add_test (tcase, libraries_that_take_turns_keep_their_names);
  tcase_add_test (tcase, a_deleted_library_has_its_exported_names);
  tcase_add_test (tcase, a_replaced_library_has_its_own_names);
  tcase_add_test (tcase, a_replaced_library_that_was_closed_has_its_own_names);
  return suite;
}

int
main (int argc, char **argv)
{
  return pyro_profiled_main (argc, argv, ",sample-rate=1000", make_suite);
}
