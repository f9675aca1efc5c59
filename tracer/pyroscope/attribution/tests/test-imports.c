/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What modules import goes to a wrapper: in modules that are bound lazily and
 * in those whose slots are read-only, but not where others were before us, or
 * where memory protection refuses.
 */

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "attribution/dynamic-section.h"
#include "attribution/imports.h"

#define WRAPPED 111111
#define OTHERS 222222

typedef pid_t (*CallFunc) (void);

static gboolean refuse;

/* What happens between the look at a slot and its swap. */
static void (*meanwhile) (void);

static void
let_happen (void)
{
  void (*func) (void) = meanwhile;

  meanwhile = NULL;
  if (func != NULL)
    func ();
}

/* In the place of the C library's, for the code under test. */
long
syscall (long number, ...)
{
  static long (*real) (long, ...);
  long arguments[6];
  va_list list;
  long result;

  va_start (list, number);
  for (guint i = 0; i < G_N_ELEMENTS (arguments); i++)
    arguments[i] = va_arg (list, long);
  va_end (list);
  if (real == NULL)
    *(void **)&real = dlsym (RTLD_NEXT, "syscall");
  result = real (number, arguments[0], arguments[1], arguments[2], arguments[3],
                 arguments[4], arguments[5]);
  if (number == SYS_futex && result >= 0)
    let_happen ();
  return result;
}

static int
protect (void *address, size_t size, int protection)
{
  return (int)syscall (SYS_mprotect, address, size, protection);
}

int
mprotect (void *address, size_t size, int protection)
{
  if (refuse) {
    errno = EACCES;
    return -1;
  }
  if (protect (address, size, protection) != 0)
    return -1;
  if (protection & PROT_WRITE)
    let_happen ();
  return 0;
}

static pid_t
wrapper (void)
{
  return WRAPPED;
}

static pid_t
others_wrapper (void)
{
  return OTHERS;
}

static PyroImportsResult
rewrite (void)
{
  static const PyroImport imports[] = {
    { "getppid", (gpointer)getppid, (gpointer)wrapper, NULL },
    /* Nobody has it; a name alone must not be enough. */
    { "getppid", (gpointer)getppid, (gpointer)others_wrapper, "libnone.so" },
  };
  PyroImportsResult result = { 0 };

  pyro_imports_rewrite (imports, G_N_ELEMENTS (imports), 0, &result);
  return result;
}

typedef struct {
  void *handle;
  CallFunc call, call_pointer;
} Importer;

static Importer
load (const gchar *variable, int mode)
{
  Importer importer = { .handle = dlopen (g_getenv (variable), mode) };

  if (importer.handle == NULL)
    g_error ("%s", dlerror ());
  importer.call = (CallFunc)dlsym (importer.handle, "importer_call");
  importer.call_pointer
      = (CallFunc)dlsym (importer.handle, "importer_call_pointer");
  return importer;
}

static void
unload (Importer *importer)
{
  g_assert_cmpint (dlclose (importer->handle), ==, 0);
}

static void
expect_wrapped (const gchar *variable, int mode)
{
  Importer importer = load (variable, mode);
  PyroImportsResult result;

  g_assert_cmpint (importer.call_pointer (), ==, getppid ());
  result = rewrite ();
  g_assert_cmpuint (result.rewritten, ==, 2);
  g_assert_cmpuint (result.refused, ==, 0);
  g_assert_cmpint (importer.call (), ==, WRAPPED);
  g_assert_cmpint (importer.call_pointer (), ==, WRAPPED);

  /* The wrapper stays; another pass finds nothing to do. */
  result = rewrite ();
  g_assert_cmpuint (result.rewritten + result.foreign + result.refused, ==, 0);
  g_assert_cmpint (importer.call (), ==, WRAPPED);
  /* The program has it for itself. */
  g_assert_cmpint (getppid (), ==, (pid_t)syscall (SYS_getppid));
  unload (&importer);
}

static void
test_lazy (void)
{
  expect_wrapped ("IMPORTER_LAZY", RTLD_LAZY);
}

static void
test_read_only (void)
{
  expect_wrapped ("IMPORTER_NOW", RTLD_NOW);
}

/* At the same address, maybe, as the one before: it is rewritten as well. */
static void
test_loaded_again (void)
{
  for (guint i = 0; i < 20; i++)
    expect_wrapped (i % 3 != 0 ? "IMPORTER_NOW" : "IMPORTER_LAZY", RTLD_LAZY);
}

static gboolean
is_writable (gconstpointer address)
{
  g_autofree gchar *maps = NULL;
  gboolean writable = FALSE;
  gchar **lines;

  g_assert_true (g_file_get_contents ("/proc/self/maps", &maps, NULL, NULL));
  lines = g_strsplit (maps, "\n", -1);
  for (guint i = 0; lines[i] != NULL && lines[i][0] != '\0'; i++) {
    gchar *end;
    guint64 start = g_ascii_strtoull (lines[i], &end, 16);
    guint64 limit = g_ascii_strtoull (end + 1, &end, 16);

    if (start <= (guintptr)address && (guintptr)address < limit)
      writable = end[2] == 'w';
  }
  g_strfreev (lines);
  return writable;
}

typedef struct {
  gconstpointer code; /* an address of the module */
  gpointer *slots[4]; /* that hold its imports of getppid() */
  guint n;
  PyroDynamicSection section;
} Slots;

static int
find_slots (struct dl_phdr_info *info, size_t size, void *data)
{
  Slots *slots = data;
  PyroDynamicSection *section = &slots->section;

  if (!pyro_dynamic_section_read (section, info, TRUE)
      || (guintptr)slots->code < section->start
      || (guintptr)slots->code >= section->limit)
    return 0;
  for (guint table = 0; table < G_N_ELEMENTS (section->tables); table++)
    for (gsize i = 0; i < section->n_relocations[table]; i++) {
      const ElfW (Rela) *entry = &section->tables[table][i];
      const ElfW (Sym) *symbol = &section->symbols[ELF64_R_SYM (entry->r_info)];

      if (g_str_equal (pyro_dynamic_section_string (section, symbol->st_name),
                       "getppid"))
        slots->slots[slots->n++]
            = (gpointer *)(section->base + entry->r_offset);
    }
  return 1;
}

static Slots
slots_of (const Importer *importer)
{
  Slots slots = { .code = (gconstpointer)importer->call };

  dl_iterate_phdr (find_slots, &slots);
  g_assert_cmpuint (slots.n, ==, 2);
  return slots;
}

static void
test_protection_is_restored (void)
{
  Importer importer = load ("IMPORTER_NOW", RTLD_NOW);
  Slots slots = slots_of (&importer);

  for (guint i = 0; i < slots.n; i++)
    g_assert_false (is_writable (slots.slots[i]));
  g_assert_cmpuint (rewrite ().rewritten, ==, 2);
  for (guint i = 0; i < slots.n; i++)
    g_assert_false (is_writable (slots.slots[i]));
  unload (&importer);
}

static void
test_refused (void)
{
  Importer importer = load ("IMPORTER_NOW", RTLD_NOW);
  PyroImportsResult result;

  refuse = TRUE;
  errno = 0;
  result = rewrite ();
  refuse = FALSE;
  g_assert_cmpint (errno, ==, 0);
  g_assert_cmpuint (result.refused, ==, 2);
  g_assert_cmpuint (result.rewritten, ==, 0);
  g_assert_cmpint (importer.call (), ==, getppid ());
  g_assert_cmpint (importer.call_pointer (), ==, getppid ());
  unload (&importer);
}

static Slots changing;
static guint n_changes;

static void
set_slot (gpointer *slot, gconstpointer value)
{
  void *page = (void *)((guintptr)slot & ~(guintptr)4095);

  g_assert_no_errno (protect (page, 4096, PROT_READ | PROT_WRITE));
  *slot = (gpointer)value;
}

/* The loader binds it. */
static void
bind_slots (void)
{
  for (guint i = 0; i < changing.n; i++)
    set_slot (changing.slots[i], (gpointer)getppid);
}

/* It is bound, and unbound again, as nobody does. */
static void
flip_slots (void)
{
  for (guint i = 0; i < changing.n; i++)
    set_slot (changing.slots[i], *changing.slots[i] == (gpointer)getppid
                                     ? changing.code
                                     : (gpointer)getppid);
  if (++n_changes < 100)
    meanwhile = flip_slots;
}

static Importer
load_unbound (const gchar *variable, int mode)
{
  Importer importer = load (variable, mode);

  changing = slots_of (&importer);
  for (guint i = 0; i < changing.n; i++) {
    void *page = (void *)((guintptr)changing.slots[i] & ~(guintptr)4095);
    gboolean was_writable = is_writable (changing.slots[i]);

    set_slot (changing.slots[i], changing.code);
    if (!was_writable)
      g_assert_no_errno (protect (page, 4096, PROT_READ));
  }
  return importer;
}

static void
expect_bound_meanwhile (const gchar *variable, int mode)
{
  Importer importer = load_unbound (variable, mode);
  PyroImportsResult result;

  meanwhile = bind_slots;
  result = rewrite ();
  g_assert_null (meanwhile);
  g_assert_cmpuint (result.refused, ==, 0);
  g_assert_cmpuint (result.rewritten, ==, 2);
  g_assert_cmpint (importer.call (), ==, WRAPPED);
  g_assert_cmpint (importer.call_pointer (), ==, WRAPPED);
  unload (&importer);
}

static void
test_bound_meanwhile (void)
{
  expect_bound_meanwhile ("IMPORTER_LAZY", RTLD_LAZY);
  expect_bound_meanwhile ("IMPORTER_NOW", RTLD_NOW);
}

/* One that changes for ever is left for another pass, and is not refused. */
static void
test_never_the_same (void)
{
  Importer importer = load_unbound ("IMPORTER_NOW", RTLD_NOW);
  PyroImportsResult result;

  n_changes = 0;
  meanwhile = flip_slots;
  result = rewrite ();
  meanwhile = NULL;
  g_assert_cmpuint (n_changes, >, 1);
  g_assert_cmpuint (n_changes, <, 100);
  g_assert_cmpuint (result.refused, ==, 0);
  result = rewrite ();
  g_assert_cmpint (importer.call (), ==, WRAPPED);
  g_assert_cmpint (importer.call_pointer (), ==, WRAPPED);
  unload (&importer);
}

/* passes */

static void
test_only_what_came (void)
{
  Importer stays, goes;
  PyroImportsResult result;
  guint all;

  pyro_imports_fork_child (); /* knows nothing */
  all = rewrite ().looked_at;
  g_assert_cmpuint (all, >, 4);
  g_assert_cmpuint (rewrite ().looked_at, ==, 0);
  stays = load ("IMPORTER_LAZY", RTLD_NOW);
  g_assert_cmpuint (rewrite ().looked_at, <=, 2);
  /* One that was removed does not make all others be looked at again. */
  for (guint i = 0; i < 5; i++) {
    goes = load ("IMPORTER_NOW", RTLD_NOW);
    result = rewrite ();
    g_assert_cmpuint (result.looked_at, <=, 2);
    g_assert_cmpuint (result.rewritten, ==, 2);
    g_assert_cmpint (goes.call (), ==, WRAPPED);
    unload (&goes);
  }
  g_assert_cmpint (stays.call (), ==, WRAPPED);
  unload (&stays);
}

static const PyroImport nothing[]
    = { { "getppid", (gpointer)getppid, (gpointer)wrapper, NULL } };

static void
test_budget (void)
{
  PyroImportsResult result = { 0 };
  guint n = 0, all;

  pyro_imports_fork_child ();
  all = rewrite ().looked_at;
  pyro_imports_fork_child ();
  while (!pyro_imports_rewrite (nothing, 1, 1, &result)) {
    g_assert_cmpuint (n++, <, 1000);
    g_assert_cmpuint (result.looked_at, <=, all + n);
  }
  g_assert_cmpuint (n, >, 1);
  g_assert_cmpuint (result.looked_at, >=, all);
}

static Importer other;
static gboolean other_is_done;

static gpointer
rewrite_in_thread (gpointer data)
{
  PyroImportsResult result = { 0 };

  other_is_done = pyro_imports_rewrite (nothing, 1, 1, &result);
  return NULL;
}

/* In the middle of a pass, with the loader's lock. */
static void
pass_in_another_thread (void)
{
  g_thread_join (g_thread_new ("other", rewrite_in_thread, NULL));
}

static void
test_nobody_waits (void)
{
  other = load ("IMPORTER_NOW", RTLD_NOW);
  other_is_done = TRUE;
  meanwhile = pass_in_another_thread;
  g_assert_cmpuint (rewrite ().rewritten, ==, 2);
  g_assert_null (meanwhile);
  g_assert_false (other_is_done);
  unload (&other);
}

/* sets of modules */

static void
expect_set_wrapped (const PyroModuleSelection *set, const Importer *importer)
{
  PyroImportsResult result = { 0 };

  pyro_imports_rewrite_set (nothing, 1, set, &result);
  g_assert_cmpuint (result.rewritten, ==, 2);
  g_assert_cmpint (importer->call (), ==, WRAPPED);
  g_assert_cmpint (importer->call_pointer (), ==, WRAPPED);
}

static void
test_newest (void)
{
  guint64 begin = pyro_module_selection_begin ();
  PyroModuleSelection set;
  Importer importer;

  g_assert_cmpuint (begin, >, 0);
  g_assert_false (pyro_module_selection_newest (&set, begin));
  importer = load ("IMPORTER_NOW", RTLD_NOW);
  g_assert_true (pyro_module_selection_newest (&set, begin));
  g_assert_cmpuint (set.n_newest, ==, 1);
  expect_set_wrapped (&set, &importer);
  unload (&importer);
}

static void
test_needed (void)
{
  Importer importer = load ("IMPORTER_LAZY", RTLD_NOW);
  g_autofree gchar *name = g_path_get_basename (g_getenv ("IMPORTER_LAZY"));
  PyroModuleSelection set = { .root = name, .n_with_needed = 64 };
  PyroImportsResult result = { 0 };

  expect_set_wrapped (&set, &importer);
  /* It needs the C library, and that the loader. */
  pyro_imports_rewrite_set (nothing, 1, &set, &result);
  g_assert_cmpuint (result.looked_at, >=, 2);
  g_assert_cmpuint (result.looked_at, <=, 3);
  set.root = "none.so";
  result.looked_at = 0;
  pyro_imports_rewrite_set (nothing, 1, &set, &result);
  g_assert_cmpuint (result.looked_at, ==, 0);
  unload (&importer);
}

/* What takes its caller's place must not be called from elsewhere. */
static void
test_run_path (void)
{
  static const PyroImport imports[] = {
    { "getppid", (gpointer)getppid, (gpointer)wrapper, "" },
  };
  const gchar *const variables[]
      = { "IMPORTER_WITH_RUN_PATH", "IMPORTER_NOW", "IMPORTER_LAZY" };

  for (guint i = 0; i < G_N_ELEMENTS (variables); i++) {
    PyroModuleSelection set = { .n_newest = 1 };
    PyroImportsResult result = { 0 };
    Importer importer = load (variables[i], RTLD_NOW);

    pyro_imports_rewrite_set (imports, 1, &set, &result);
    g_assert_cmpuint (result.rewritten, ==, i == 0 ? 0 : 2);
    g_assert_cmpint (importer.call (), ==, i == 0 ? getppid () : WRAPPED);
    unload (&importer);
  }
}

static void
test_others (void)
{
  Importer importer = load ("IMPORTER_LAZY", RTLD_NOW);
  Slots slots = slots_of (&importer);
  PyroImportsResult result;

  /* Another tool was there before. */
  for (guint i = 0; i < slots.n; i++) {
    guintptr page = (guintptr)slots.slots[i] & ~(guintptr)4095;

    g_assert_cmpint (mprotect ((void *)page, 4096, PROT_READ | PROT_WRITE), ==,
                     0);
    *slots.slots[i] = (gpointer)others_wrapper;
  }
  result = rewrite ();
  g_assert_cmpuint (result.foreign, ==, 2);
  g_assert_cmpuint (result.rewritten, ==, 0);
  g_assert_cmpint (importer.call (), ==, OTHERS);
  g_assert_cmpint (importer.call_pointer (), ==, OTHERS);
  unload (&importer);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  /* What is loaded already. */
  rewrite ();
  g_test_add_func ("/imports/lazily-bound-modules-call-the-wrapper", test_lazy);
  g_test_add_func ("/imports/read-only-slots-call-the-wrapper", test_read_only);
  g_test_add_func ("/imports/a-module-that-is-loaded-again", test_loaded_again);
  g_test_add_func ("/imports/read-only-slots-are-read-only-again",
                   test_protection_is_restored);
  g_test_add_func ("/imports/refused-memory-is-left-and-counted", test_refused);
  g_test_add_func ("/imports/another-tools-wrapper-stays", test_others);
  g_test_add_func ("/imports/a-slot-that-the-loader-binds-meanwhile",
                   test_bound_meanwhile);
  g_test_add_func ("/imports/a-slot-that-is-never-the-same",
                   test_never_the_same);
  g_test_add_func ("/imports/only-what-came-is-looked-at", test_only_what_came);
  g_test_add_func ("/imports/a-pass-ends-with-its-budget", test_budget);
  g_test_add_func ("/imports/nobody-waits-for-anothers-pass",
                   test_nobody_waits);
  g_test_add_func ("/imports/what-was-loaded-last-is-done-alone", test_newest);
  g_test_add_func ("/imports/a-module-and-what-it-needs-are-done-alone",
                   test_needed);
  g_test_add_func ("/imports/a-caller-with-a-run-path-calls-itself",
                   test_run_path);
  return g_test_run ();
}
