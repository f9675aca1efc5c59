/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "symbols/symbolizer.h"

#include "symbols/tests/support.h"

#include <dlfcn.h>
#include <string.h>
#include <sys/auxv.h>

static void
assert_name (PyroSymbolizer *symbolizer, const gchar *path, guint64 address,
             const gchar *expected)
{
  const PyroSymbol *symbols;
  guint n = pyro_symbolizer_lookup (symbolizer, path, NULL, address, &symbols);

  g_assert_cmpuint (n, >=, 1);
  g_assert_cmpstr (symbols[n - 1].name, ==, expected);
}

/* Asserts that LABEL of the labels library is in the function EXPECTED. */
static void
assert_label (const gchar *label, const gchar *expected,
              const gchar *expected_system_name)
{
  g_autoptr (PyroSymbolizer) symbolizer = pyro_symbolizer_new ();
  g_autofree gchar *path = sample_path ("libsample-labels.so");
  const PyroSymbol *symbols;

  g_assert_cmpuint (pyro_symbolizer_lookup (symbolizer, path, NULL,
                                            sample_address (path, label) + 3,
                                            &symbols),
                    ==, 1);
  g_assert_cmpstr (symbols->name, ==, expected);
  g_assert_cmpstr (symbols->system_name, ==, expected_system_name);
  g_assert_null (symbols->filename);
  g_assert_cmpint (symbols->line, ==, 0);
}

static gchar *
unnamed (const gchar *library, guint64 address)
{
  return g_strdup_printf ("%s!0x%" G_GINT64_MODIFIER "x", library, address);
}

static void
assert_frame (const PyroSymbol *symbol, const gchar *name, const gchar *line,
              const gchar *start)
{
  g_assert_cmpstr (symbol->name, ==, name);
  g_assert_null (symbol->system_name);
  g_assert_nonnull (symbol->filename);
  g_assert_true (g_str_has_suffix (symbol->filename, "/sample.c"));
  g_assert_null (strstr (symbol->filename, ".."));
  g_assert_cmpint (symbol->line, ==, sample_line (line));
  g_assert_cmpint (symbol->start_line, ==, sample_line (start));
}

static void
the_inlined_functions_at_an_address_come_innermost_first (gconstpointer data)
{
  g_autoptr (PyroSymbolizer) symbolizer = pyro_symbolizer_new ();
  g_autofree gchar *path = sample_path (data);
  const guint64 address = sample_address (path, "sample_inlined_point");
  const PyroSymbol *symbols;

  g_assert_cmpuint (
      pyro_symbolizer_lookup (symbolizer, path, NULL, address, &symbols), ==,
      3);
  assert_frame (&symbols[0], "sample_innermost", "innermost: label",
                "innermost: start");
  assert_frame (&symbols[1], "sample_middle", "middle: call", "middle: start");
  assert_frame (&symbols[2], "sample_outer", "outer: call", "outer: start");
}

static void
a_function_has_its_file_and_lines (gconstpointer data)
{
  g_autoptr (PyroSymbolizer) symbolizer = pyro_symbolizer_new ();
  g_autofree gchar *path = sample_path (data);
  const guint64 address = sample_address (path, "sample_outer_point");
  const PyroSymbol *symbols;

  g_assert_cmpuint (
      pyro_symbolizer_lookup (symbolizer, path, NULL, address, &symbols), ==,
      1);
  assert_frame (symbols, "sample_outer", "outer: label", "outer: start");
}

/* Looks up an address in one sample after the other. */
static void
look_up_in_both (PyroSymbolizer *symbolizer, guint offset)
{
  static const gchar *const names[]
      = { "libsample-dwarf4.so", "libsample-dwarf5.so" };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autofree gchar *path = sample_path (names[i]);
    const PyroSymbol *symbols;

    g_assert_cmpuint (
        pyro_symbolizer_lookup (
            symbolizer, path, NULL,
            sample_address (path, "sample_inlined_point") + offset, &symbols),
        ==, 3);
  }
}

static void
debug_information_past_the_limit_is_let_go_of (void)
{
  g_autoptr (PyroSymbolizer) generous = pyro_symbolizer_new ();
  g_autoptr (PyroSymbolizer) mean = pyro_symbolizer_new ();
  guint64 both, last;

  g_assert_cmpuint (pyro_symbolizer_get_debug_info_bytes (generous), ==, 0);
  look_up_in_both (generous, 0);
  both = pyro_symbolizer_get_debug_info_bytes (generous);

  pyro_symbolizer_set_debug_info_limit (mean, 1);
  look_up_in_both (mean, 0);
  last = pyro_symbolizer_get_debug_info_bytes (mean);
  g_assert_cmpuint (last, >, 0);
  g_assert_cmpuint (last, <, both);

  /* It comes back for addresses that were not asked for before. */
  look_up_in_both (mean, 1);
  g_assert_cmpuint (pyro_symbolizer_get_debug_info_bytes (mean), ==, last);
}

static void
strings_outlive_the_debug_information (void)
{
  g_autoptr (PyroSymbolizer) symbolizer = pyro_symbolizer_new ();
  g_autofree gchar *path = sample_path ("libsample-dwarf5.so");
  const PyroSymbol *symbols;
  PyroSymbol kept;

  pyro_symbolizer_set_debug_info_limit (symbolizer, 1);
  pyro_symbolizer_lookup (symbolizer, path, NULL,
                          sample_address (path, "sample_outer_point"),
                          &symbols);
  kept = symbols[0];
  look_up_in_both (symbolizer, 0);
  assert_frame (&kept, "sample_outer", "outer: label", "outer: start");
}

static void
functions_of_a_stripped_file_are_named_by_their_start (Fixture *fixture,
                                                       gconstpointer data)
{
  g_autoptr (PyroSymbolizer) symbolizer = pyro_symbolizer_new ();
  g_autofree gchar *path = sample_path ("libsample-dwarf5.so");
  g_autofree gchar *stripped = fixture_path (fixture, "libstripped.so.1");
  const guint64 start = sample_address (path, "sample_local");
  const guint64 point = sample_address (path, "sample_local_point");
  g_autofree gchar *by_start = unnamed ("libstripped.so.1", start);
  g_autofree gchar *nowhere = unnamed ("libstripped.so.1", 0x12345678);

  g_assert_cmpuint (start, <, point);
  run ("objcopy", "--strip-all", path, stripped, NULL);
  assert_name (symbolizer, stripped, start, by_start);
  assert_name (symbolizer, stripped, point, by_start);
  assert_name (symbolizer, stripped, 0x12345678, nowhere);
  /* What is exported keeps its name, and no line is made up. */
  assert_name (symbolizer, stripped,
               sample_address (path, "sample_outer_point"), "sample_outer");
}

/* Strips the sample into NAME and its debug information into DEBUG_PATH. */
static void
split (const gchar *path, const gchar *stripped, const gchar *debug_path,
       gboolean link)
{
  g_autofree gchar *option
      = g_strdup_printf ("--add-gnu-debuglink=%s", debug_path);

  run ("objcopy", "--only-keep-debug", path, debug_path, NULL);
  if (link)
    run ("objcopy", "--strip-all", option, path, stripped, NULL);
  else
    run ("objcopy", "--strip-all", path, stripped, NULL);
}

static void
assert_split_file_is_complete (Fixture *fixture, const gchar *path,
                               const gchar *stripped)
{
  g_autoptr (PyroSymbolizer) symbolizer = pyro_symbolizer_new ();
  g_autofree gchar *debug_directory
      = g_build_filename (fixture->directory, "debug", NULL);
  const PyroSymbol *symbols;

  pyro_symbolizer_set_debug_path (symbolizer, debug_directory, NULL);
  g_assert_cmpuint (
      pyro_symbolizer_lookup (symbolizer, stripped, NULL,
                              sample_address (path, "sample_inlined_point"),
                              &symbols),
      ==, 3);
  assert_frame (&symbols[0], "sample_innermost", "innermost: label",
                "innermost: start");
  assert_name (symbolizer, stripped,
               sample_address (path, "sample_local_point"), "sample_local");
}

/* The places, relative to the temporary folder's stripped file. */
static void
a_debuglink_is_followed (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *path = sample_path ("libsample-dwarf5.so");
  g_autofree gchar *stripped = fixture_path (fixture, "lib/libsplit.so");
  const gchar *place = data;
  g_autofree gchar *directory
      = g_str_equal (place, "debug")
            ? g_build_filename ("debug", fixture->directory, "lib", NULL)
            : g_build_filename ("lib", place, NULL);
  g_autofree gchar *name = g_build_filename (directory, "libsplit.debug", NULL);
  g_autofree gchar *debug_path = fixture_path (fixture, name);

  split (path, stripped, debug_path, TRUE);
  assert_split_file_is_complete (fixture, path, stripped);
}

static void
a_debug_file_is_found_by_build_id (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *path = sample_path ("libsample-dwarf5.so");
  g_autofree gchar *stripped = fixture_path (fixture, "libsplit.so");
  g_autofree gchar *build_id = sample_build_id (path);
  g_autofree gchar *debug_path = build_id_path (fixture, build_id);

  split (path, stripped, debug_path, FALSE);
  assert_split_file_is_complete (fixture, path, stripped);
}

/* DIRECTORY is in the path between others that are not there. */
static void
each_directory_of_the_path_is_looked_into (Fixture *fixture, gconstpointer data)
{
  g_autoptr (PyroSymbolizer) symbolizer = pyro_symbolizer_new ();
  g_autofree gchar *path = sample_path ("libsample-dwarf5.so");
  g_autofree gchar *stripped = fixture_path (fixture, "libsplit.so");
  g_autofree gchar *build_id = sample_build_id (path);
  g_autofree gchar *debug_path = build_id_path (fixture, build_id);
  g_autofree gchar *list
      = g_strdup_printf ("/nonexistent::%s/debug:/nowhere", fixture->directory);

  split (path, stripped, debug_path, FALSE);
  pyro_symbolizer_set_debug_path (symbolizer, list, NULL);
  assert_name (symbolizer, stripped,
               sample_address (path, "sample_local_point"), "sample_local");
}

/* The library and its debug file are below a folder, at the places that they
 * have on their own system. */
static void
files_of_another_system_are_below_its_root (Fixture *fixture,
                                            gconstpointer data)
{
  g_autoptr (PyroSymbolizer) symbolizer = pyro_symbolizer_new ();
  g_autofree gchar *path = sample_path ("libsample-dwarf5.so");
  g_autofree gchar *stripped
      = fixture_path (fixture, "root/opt/there/libother.so");
  g_autofree gchar *debug_path
      = fixture_path (fixture, "root/usr/lib/debug/opt/there/libother.debug");
  g_autofree gchar *root = g_build_filename (fixture->directory, "root", NULL);
  g_autofree gchar *build_id = sample_build_id (path);
  const PyroSymbol *symbols;

  split (path, stripped, debug_path, TRUE);
  pyro_symbolizer_set_debug_path (symbolizer, "/nonexistent", root);
  pyro_symbolizer_lookup (symbolizer, "/opt/there/libother.so", build_id,
                          sample_address (path, "sample_local_point"),
                          &symbols);
  g_assert_cmpstr (symbols->name, ==, "sample_local");
  g_assert_cmpint (symbols->line, >, 0);
}

static void
compressed_debug_sections_are_read (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *path = sample_path ("libsample-dwarf5.so");
  g_autofree gchar *copy = fixture_path (fixture, "libcompressed.so");
  g_autofree gchar *option
      = g_strconcat ("--compress-debug-sections=", data, NULL);

  run ("objcopy", option, path, copy, NULL);
  assert_split_file_is_complete (fixture, path, copy);
}

static void
a_debug_file_of_another_build_is_not_used (Fixture *fixture, gconstpointer data)
{
  g_autoptr (PyroSymbolizer) symbolizer = pyro_symbolizer_new ();
  g_autofree gchar *path = sample_path ("libsample-dwarf5.so");
  g_autofree gchar *other = sample_path ("libsample-dwarf4.so");
  g_autofree gchar *stripped = fixture_path (fixture, "libsplit.so");
  g_autofree gchar *debug_path = fixture_path (fixture, "libsplit.debug");
  g_autofree gchar *by_start
      = unnamed ("libsplit.so", sample_address (path, "sample_local"));

  split (path, stripped, debug_path, TRUE);
  run ("objcopy", "--only-keep-debug", other, debug_path, NULL);
  assert_name (symbolizer, stripped,
               sample_address (path, "sample_local_point"), by_start);
}

static void
without_a_build_id_the_checksum_decides (Fixture *fixture, gconstpointer data)
{
  g_autoptr (PyroSymbolizer) right = pyro_symbolizer_new ();
  g_autoptr (PyroSymbolizer) wrong = pyro_symbolizer_new ();
  g_autofree gchar *path = sample_path ("libsample-dwarf5.so");
  g_autofree gchar *plain = fixture_path (fixture, "libplain.so");
  g_autofree gchar *stripped = fixture_path (fixture, "libsplit.so");
  g_autofree gchar *debug_path = fixture_path (fixture, "libsplit.debug");
  const guint64 address = sample_address (path, "sample_local_point");
  g_autofree gchar *by_start
      = unnamed ("libsplit.so", sample_address (path, "sample_local"));

  run ("objcopy", "--remove-section=.note.gnu.build-id", path, plain, NULL);
  split (plain, stripped, debug_path, TRUE);
  assert_name (right, stripped, address, "sample_local");

  run ("sh", "-c", "printf x >>\"$0\"", debug_path, NULL);
  assert_name (wrong, stripped, address, by_start);
}

static void
a_file_of_another_build_is_not_used (void)
{
  g_autoptr (PyroSymbolizer) symbolizer = pyro_symbolizer_new ();
  g_autofree gchar *path = sample_path ("libsample-dwarf5.so");
  g_autofree gchar *build_id = sample_build_id (path);
  const guint64 address = sample_address (path, "sample_local_point");
  g_autofree gchar *expected = unnamed ("libsample-dwarf5.so", address);
  const PyroSymbol *symbols;

  g_assert_cmpuint (
      pyro_symbolizer_lookup (symbolizer, path,
                              "0123456789abcdef0123456789abcdef01234567",
                              address, &symbols),
      ==, 1);
  g_assert_cmpstr (symbols->name, ==, expected);
  pyro_symbolizer_lookup (symbolizer, path, build_id, address, &symbols);
  g_assert_cmpstr (symbols->name, ==, "sample_local");
}

static void
a_replaced_file_is_named_from_its_debug_file (Fixture *fixture,
                                              gconstpointer data)
{
  g_autoptr (PyroSymbolizer) symbolizer = pyro_symbolizer_new ();
  g_autofree gchar *path = sample_path ("libsample-dwarf5.so");
  g_autofree gchar *build_id = sample_build_id (path);
  g_autofree gchar *debug_path = build_id_path (fixture, build_id);
  g_autofree gchar *gone
      = g_build_filename (fixture->directory, "libgone.so (deleted)", NULL);
  g_autofree gchar *directory
      = g_build_filename (fixture->directory, "debug", NULL);
  const guint64 address = sample_address (path, "sample_local_point");
  g_autofree gchar *expected = unnamed ("libgone.so", address);
  const PyroSymbol *symbols;

  run ("objcopy", "--only-keep-debug", path, debug_path, NULL);
  pyro_symbolizer_set_debug_path (symbolizer, directory, NULL);
  pyro_symbolizer_lookup (symbolizer, gone, build_id, address, &symbols);
  g_assert_cmpstr (symbols->name, ==, "sample_local");
  g_assert_cmpint (symbols->line, >, 0);
  assert_name (symbolizer, gone, address, expected);
}

static void
a_file_that_came_back_is_used_if_it_is_the_same_build (Fixture *fixture,
                                                       gconstpointer data)
{
  g_autoptr (PyroSymbolizer) symbolizer = pyro_symbolizer_new ();
  g_autofree gchar *path = sample_path ("libsample-dwarf5.so");
  g_autofree gchar *build_id = sample_build_id (path);
  g_autofree gchar *deleted = g_strconcat (path, " (deleted)", NULL);
  const PyroSymbol *symbols;

  pyro_symbolizer_lookup (symbolizer, deleted, build_id,
                          sample_address (path, "sample_local_point"),
                          &symbols);
  g_assert_cmpstr (symbols->name, ==, "sample_local");
}

/* MiniDebugInfo: the local functions' symbols, in .gnu_debugdata. */
static void
an_embedded_symbol_table_is_read (Fixture *fixture, gconstpointer data)
{
#ifdef PYRO_HAVE_LZMA
  g_autoptr (PyroSymbolizer) symbolizer = pyro_symbolizer_new ();
  g_autofree gchar *path = sample_path ("libsample-dwarf5.so");
  g_autofree gchar *mini = fixture_path (fixture, "mini");
  g_autofree gchar *packed = fixture_path (fixture, "mini.xz");
  g_autofree gchar *copy = fixture_path (fixture, "libmini.so");
  g_autofree gchar *option
      = g_strconcat ("--add-section=.gnu_debugdata=", packed, NULL);

  run ("objcopy", "--only-keep-debug", path, mini, NULL);
  run ("objcopy", "--strip-debug", mini, NULL);
  run ("xz", mini, NULL);
  run ("objcopy", "--strip-all", option, path, copy, NULL);
  assert_name (symbolizer, copy, sample_address (path, "sample_local_point"),
               "sample_local");
#else
  g_test_skip ("built without liblzma");
#endif
}

static void
mangled_names_are_kept_as_system_names (void)
{
  assert_label ("_ZN6sample6Widget4drawEi", "sample::Widget::draw(int)",
                "_ZN6sample6Widget4drawEi");
  assert_label ("_ZN6sample6thread3run17h0123456789abcdefE",
                "sample::thread::run",
                "_ZN6sample6thread3run17h0123456789abcdefE");
  assert_label ("_RNvNtC6sample6thread4join", "sample::thread::join",
                "_RNvNtC6sample6thread4join");
  assert_label ("_Znot_mangled", "_Znot_mangled", NULL);
}

static void
the_best_of_several_names_is_taken (void)
{
  assert_label ("local_alias", "exported_alias", NULL);
  assert_label ("__implementation_alias", "plain_alias", NULL);
}

static void
only_sizes_of_code_give_names (void)
{
  g_autofree gchar *path = sample_path ("libsample-labels.so");
  g_autofree gchar *zero_sized
      = unnamed ("libsample-labels.so", sample_address (path, "zero_sized"));
  g_autofree gchar *data
      = unnamed ("libsample-labels.so", sample_address (path, "data_in_text"));

  assert_label ("untyped_with_size", "untyped_with_size", NULL);
  assert_label ("zero_sized", zero_sized, NULL);
  assert_label ("data_in_text", data, NULL);
}

static void
a_function_inside_another_has_its_own_name (void)
{
  assert_label ("around", "around", NULL);
  assert_label ("inside", "inside", NULL);
  assert_label ("behind_inside", "around", NULL);
}

static void
symbol_versions_are_no_part_of_a_name (Fixture *fixture, gconstpointer data)
{
  g_autoptr (PyroSymbolizer) symbolizer = pyro_symbolizer_new ();
  g_autofree gchar *path = sample_path ("libsample-dwarf5.so");
  g_autofree gchar *copy = fixture_path (fixture, "libversioned.so");

  run ("objcopy", "--strip-debug",
       "--redefine-sym=sample_local=sample_local@@SAMPLE_1.0", path, copy,
       NULL);
  assert_name (symbolizer, copy, sample_address (path, "sample_local_point"),
               "sample_local");
}

static void
names_that_are_no_utf8_become_utf8 (Fixture *fixture, gconstpointer data)
{
  g_autoptr (PyroSymbolizer) symbolizer = pyro_symbolizer_new ();
  g_autofree gchar *path = sample_path ("libsample-dwarf5.so");
  g_autofree gchar *copy = fixture_path (fixture, "lib\xff.so");

  run ("objcopy", "--strip-debug", "--redefine-sym=sample_local=local\xfe",
       path, copy, NULL);
  assert_name (symbolizer, copy, sample_address (path, "sample_local_point"),
               "local\uFFFD");
  assert_name (symbolizer, copy, 0x12345678, "lib\uFFFD.so!0x12345678");
}

static void
the_vdso_is_read_from_this_process (void)
{
  g_autoptr (PyroSymbolizer) symbolizer = pyro_symbolizer_new ();
  const guint64 base = getauxval (AT_SYSINFO_EHDR);
  static const gchar *const files[] = { "linux-vdso.so.1", "linux-gate.so.1" };
  static const gchar *const names[]
      = { "__vdso_clock_gettime", "__kernel_clock_gettime" };
  gboolean found = FALSE;

  for (guint i = 0; i < G_N_ELEMENTS (files); i++) {
    void *handle = dlopen (files[i], RTLD_LAZY | RTLD_NOLOAD);

    for (guint j = 0; handle != NULL && j < G_N_ELEMENTS (names); j++) {
      const guint64 address = (guint64)(gsize)dlsym (handle, names[j]);

      if (address == 0)
        continue;
      found = TRUE;
      assert_name (symbolizer, "[vdso]", address - base, names[j]);
    }
    if (handle != NULL)
      dlclose (handle);
  }
  if (!found)
    g_test_skip ("this process has no vDSO that is known here");
  assert_name (symbolizer, "[vdso]", 0x7654321, "[vdso]!0x7654321");
}

static void
a_path_in_brackets_is_its_own_name (void)
{
  g_autoptr (PyroSymbolizer) symbolizer = pyro_symbolizer_new ();

  assert_name (symbolizer, "[orc]", 0x10, "[orc]");
  assert_name (symbolizer, "[orc]", 0x20, "[orc]");
  assert_name (symbolizer, "[vsyscall]", 0x20, "[vsyscall]");
}

/* A file that shares DWARF with another one, as distributions make them. */
static void
shared_debug_information_is_followed (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *dwz = g_find_program_in_path ("dwz");
  g_autofree gchar *path = sample_path ("libsample-dwarf4.so");
  g_autofree gchar *one = fixture_path (fixture, "libone.so");
  g_autofree gchar *two = fixture_path (fixture, "libtwo.so");
  g_autofree gchar *shared = fixture_path (fixture, "shared.debug");
  g_autoptr (PyroSymbolizer) symbolizer = pyro_symbolizer_new ();
  const PyroSymbol *symbols;

  if (dwz == NULL) {
    g_test_skip ("dwz is not installed");
    return;
  }
  run ("cp", path, one, NULL);
  run ("cp", path, two, NULL);
  run (dwz, "-m", shared, one, two, NULL);
  g_assert_true (g_file_test (shared, G_FILE_TEST_EXISTS));
  assert_split_file_is_complete (fixture, path, one);

  /* Without the shared part the rest would be read wrongly. */
  run ("rm", shared, NULL);
  g_assert_cmpuint (pyro_symbolizer_lookup (
                        symbolizer, two, NULL,
                        sample_address (path, "sample_local_point"), &symbols),
                    ==, 1);
  g_assert_cmpstr (symbols->name, ==, "sample_local");
  g_assert_cmpint (symbols->line, ==, 0);
}

#define ADD(name, function) \
  g_test_add_func ("/symbols/symbolizer/" name, function)
#define ADD_DATA(name, data, function) \
  g_test_add_data_func ("/symbols/symbolizer/" name, data, function)
#define ADD_FILES(name, data, function)                                   \
  g_test_add ("/symbols/symbolizer/" name, Fixture, data, fixture_set_up, \
              function, fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD_DATA ("inlined-functions-come-innermost-first/dwarf-5",
            "libsample-dwarf5.so",
            the_inlined_functions_at_an_address_come_innermost_first);
  ADD_DATA ("inlined-functions-come-innermost-first/dwarf-4",
            "libsample-dwarf4.so",
            the_inlined_functions_at_an_address_come_innermost_first);
  ADD_DATA ("a-function-has-its-file-and-lines/dwarf-5", "libsample-dwarf5.so",
            a_function_has_its_file_and_lines);
  ADD_DATA ("a-function-has-its-file-and-lines/dwarf-4", "libsample-dwarf4.so",
            a_function_has_its_file_and_lines);
  ADD ("debug-information-past-the-limit-is-let-go-of",
       debug_information_past_the_limit_is_let_go_of);
  ADD ("strings-outlive-the-debug-information",
       strings_outlive_the_debug_information);
  ADD_FILES ("functions-of-a-stripped-file-are-named-by-their-start", NULL,
             functions_of_a_stripped_file_are_named_by_their_start);
  ADD_FILES ("a-debuglink-is-followed/beside", ".", a_debuglink_is_followed);
  ADD_FILES ("a-debuglink-is-followed/dot-debug", ".debug",
             a_debuglink_is_followed);
  ADD_FILES ("a-debuglink-is-followed/debug-directory", "debug",
             a_debuglink_is_followed);
  ADD_FILES ("a-debug-file-is-found-by-build-id", NULL,
             a_debug_file_is_found_by_build_id);
  ADD_FILES ("each-directory-of-the-path-is-looked-into", NULL,
             each_directory_of_the_path_is_looked_into);
  ADD_FILES ("files-of-another-system-are-below-its-root", NULL,
             files_of_another_system_are_below_its_root);
  ADD_FILES ("compressed-debug-sections-are-read/zlib", "zlib",
             compressed_debug_sections_are_read);
  ADD_FILES ("compressed-debug-sections-are-read/zlib-gnu", "zlib-gnu",
             compressed_debug_sections_are_read);
  ADD_FILES ("a-debug-file-of-another-build-is-not-used", NULL,
             a_debug_file_of_another_build_is_not_used);
  ADD_FILES ("without-a-build-id-the-checksum-decides", NULL,
             without_a_build_id_the_checksum_decides);
  ADD ("a-file-of-another-build-is-not-used",
       a_file_of_another_build_is_not_used);
  ADD_FILES ("a-replaced-file-is-named-from-its-debug-file", NULL,
             a_replaced_file_is_named_from_its_debug_file);
  ADD_FILES ("a-file-that-came-back-is-used-if-it-is-the-same-build", NULL,
             a_file_that_came_back_is_used_if_it_is_the_same_build);
  ADD_FILES ("an-embedded-symbol-table-is-read", NULL,
             an_embedded_symbol_table_is_read);
  ADD ("mangled-names-are-kept-as-system-names",
       mangled_names_are_kept_as_system_names);
  ADD ("the-best-of-several-names-is-taken",
       the_best_of_several_names_is_taken);
  ADD ("only-sizes-of-code-give-names", only_sizes_of_code_give_names);
  ADD ("a-function-inside-another-has-its-own-name",
       a_function_inside_another_has_its_own_name);
  ADD_FILES ("symbol-versions-are-no-part-of-a-name", NULL,
             symbol_versions_are_no_part_of_a_name);
  ADD_FILES ("names-that-are-no-utf8-become-utf8", NULL,
             names_that_are_no_utf8_become_utf8);
  ADD ("the-vdso-is-read-from-this-process",
       the_vdso_is_read_from_this_process);
  ADD ("a-path-in-brackets-is-its-own-name",
       a_path_in_brackets_is_its_own_name);
  ADD_FILES ("shared-debug-information-is-followed", NULL,
             shared_debug_information_is_followed);
  return g_test_run ();
}
