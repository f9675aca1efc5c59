/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Dynamic sections of the modules that are loaded, and of modules that are
 * damaged: each is read or refused, none is believed. */

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "attribution/dynamic-section.h"

static int
count_module (struct dl_phdr_info *info, size_t size, void *data)
{
  guint *n = data;
  PyroDynamicSection section;

  if (pyro_dynamic_section_read (&section, info, TRUE)) {
    n[0]++;
    g_assert_cmpuint (section.start, <, section.limit);
    if (strstr (pyro_dynamic_section_string (&section, section.soname),
                "libc.so.6"))
      n[1]++;
  }
  return 0;
}

static void
test_loaded (void)
{
  guint n[2] = { 0 };

  dl_iterate_phdr (count_module, n);
  g_assert_cmpuint (n[0], >=, 3); /* the program, GLib, the C library */
  g_assert_cmpuint (n[1], ==, 1);
}

/* A module in memory: dynamic section, strings, symbols and relocations, each
 * on a page of its own, and a page behind them that cannot be read. */

enum { DYNAMIC, STRINGS, SYMBOLS, RELOCATIONS, N_PARTS };

typedef struct {
  gsize page;
  guint8 *memory;
  ElfW (Phdr) phdrs[3];
  struct dl_phdr_info info;
  ElfW (Dyn) * dynamic;
  gchar *strings;
  ElfW (Rela) * relocations;
} Module;

#define N_DYNAMIC 8

static void
module_init (Module *module)
{
  const gsize page = (gsize)sysconf (_SC_PAGESIZE);
  guint8 *memory = mmap (NULL, (N_PARTS + 1) * page, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  g_assert_true (memory != MAP_FAILED);
  g_assert_cmpint (mprotect (memory + N_PARTS * page, page, PROT_NONE), ==, 0);
  memset (module, 0, sizeof *module);
  module->page = page;
  module->memory = memory;
  module->dynamic = (ElfW (Dyn) *)memory;
  module->strings = (gchar *)memory + STRINGS * page;
  module->relocations = (ElfW (Rela) *)(memory + RELOCATIONS * page);
  memcpy (module->strings, "\0name\0soname\0other", 19);

  module->phdrs[0]
      = (ElfW (Phdr)){ .p_type = PT_LOAD, .p_memsz = (N_PARTS + 1) * page };
  module->phdrs[1]
      = (ElfW (Phdr)){ .p_type = PT_DYNAMIC,
                       .p_memsz = N_DYNAMIC * sizeof (ElfW (Dyn)) };
  module->phdrs[2] = (ElfW (
      Phdr)){ .p_type = PT_GNU_RELRO, .p_vaddr = page, .p_memsz = page };
  module->info = (struct dl_phdr_info){ .dlpi_addr = (guintptr)memory,
                                        .dlpi_name = "made-up",
                                        .dlpi_phdr = module->phdrs,
                                        .dlpi_phnum = 3 };
  /* Both ways to say where something is. */
  module->dynamic[0] = (ElfW (Dyn)){ DT_STRTAB, { STRINGS * page } };
  module->dynamic[1] = (ElfW (Dyn)){ DT_STRSZ, { 13 } };
  module->dynamic[2]
      = (ElfW (Dyn)){ DT_SYMTAB, { (guintptr)memory + SYMBOLS * page } };
  module->dynamic[3] = (ElfW (Dyn)){ DT_RELA, { RELOCATIONS * page } };
  module->dynamic[4] = (ElfW (Dyn)){ DT_RELASZ, { 2 * sizeof (ElfW (Rela)) } };
  module->dynamic[5] = (ElfW (Dyn)){ DT_SONAME, { 6 } };
  module->dynamic[6] = (ElfW (Dyn)){ DT_NULL, { 0 } };
  module->dynamic[7] = (ElfW (Dyn)){ DT_RUNPATH, { 1 } }; /* behind the end */
  module->relocations[0].r_info = ELF64_R_INFO (1, 6);
  module->relocations[1].r_info = ELF64_R_INFO (3, 6);
}

static void
module_clear (Module *module)
{
  munmap (module->memory, (N_PARTS + 1) * module->page);
}

static gboolean
is_read (Module *module, gboolean relocations)
{
  PyroDynamicSection section;

  return pyro_dynamic_section_read (&section, &module->info, relocations);
}

static void
test_made_up (void)
{
  Module module;
  PyroDynamicSection section;

  module_init (&module);
  g_assert_true (pyro_dynamic_section_read (&section, &module.info, TRUE));
  g_assert_cmphex (section.base, ==, (guintptr)module.memory);
  g_assert_cmphex (section.start, ==, (guintptr)module.memory);
  g_assert_cmphex (section.limit, ==,
                   (guintptr)module.memory + (N_PARTS + 1) * module.page);
  g_assert_cmphex (section.relro_start, ==,
                   (guintptr)module.memory + module.page);
  g_assert_cmpuint (section.n_dynamic, ==, 6);
  g_assert_cmpuint (section.n_relocations[0], ==, 0);
  g_assert_cmpuint (section.n_relocations[1], ==, 2);
  g_assert_true (section.tables[1] == module.relocations);
  g_assert_false (section.has_run_path);
  g_assert_cmpstr (pyro_dynamic_section_string (&section, section.soname), ==,
                   "soname");
  g_assert_cmpstr (pyro_dynamic_section_string (&section, 1), ==, "name");
  g_assert_cmpstr (pyro_dynamic_section_string (&section, 12), ==, "");
  g_assert_cmpstr (pyro_dynamic_section_string (&section, 13), ==, "");
  g_assert_cmpstr (pyro_dynamic_section_string (&section, G_MAXSIZE), ==, "");
  module_clear (&module);
}

#define REFUSED(relocations, damage)                 \
  do {                                               \
    Module module;                                   \
                                                     \
    module_init (&module);                           \
    g_assert_true (is_read (&module, relocations));  \
    damage;                                          \
    g_assert_false (is_read (&module, relocations)); \
    module_clear (&module);                          \
  } while (0)

static void
test_refused (void)
{
  REFUSED (FALSE, module.phdrs[0].p_type = PT_NULL);
  REFUSED (FALSE, module.phdrs[1].p_type = PT_NULL);
  REFUSED (FALSE, module.phdrs[1].p_vaddr = N_PARTS * module.page);
  REFUSED (FALSE, module.phdrs[1].p_memsz = G_MAXSIZE / 2);
  REFUSED (FALSE, module.info.dlpi_phdr
                  = (gconstpointer)(module.memory + N_PARTS * module.page));
  REFUSED (FALSE, module.dynamic[0].d_tag = DT_DEBUG);
  REFUSED (FALSE, module.dynamic[0].d_un.d_val = N_PARTS * module.page);
  REFUSED (FALSE, module.dynamic[1].d_un.d_val = 0);
  REFUSED (FALSE, module.dynamic[1].d_un.d_val = G_MAXSIZE);
  REFUSED (FALSE, module.dynamic[1].d_un.d_val = N_PARTS * module.page);
  REFUSED (FALSE, module.strings[12] = 'x'); /* no end */
  REFUSED (TRUE, module.dynamic[2].d_tag = DT_DEBUG);
  REFUSED (TRUE,
           module.relocations[1].r_info = ELF64_R_INFO (3 * module.page, 6));
  REFUSED (TRUE, module.relocations[1].r_info = ELF64_R_INFO (G_MAXUINT32, 6));
  REFUSED (TRUE, module.dynamic[3].d_un.d_val = N_PARTS * module.page);
  REFUSED (TRUE, module.dynamic[4].d_un.d_val = 2 * module.page);
  REFUSED (TRUE, module.dynamic[4].d_un.d_val = G_MAXSIZE);
}

static void
test_relocations_are_only_read_where_wanted (void)
{
  Module module;

  module_init (&module);
  module.dynamic[3].d_un.d_val = N_PARTS * module.page;
  g_assert_true (is_read (&module, FALSE));
  module_clear (&module);
}

/* Bytes of all kinds: whatever comes out, nothing faults. */
static void
test_at_random (void)
{
  guint n_read = 0;

  for (guint round = 0; round < 20000; round++) {
    Module module;
    gsize n = (gsize)g_test_rand_int_range (1, 6);

    module_init (&module);
    for (gsize i = 0; i < n; i++) {
      gsize offset
          = (gsize)g_test_rand_int_range (0, N_DYNAMIC * sizeof (ElfW (Dyn)));

      module.memory[offset] = (guint8)g_test_rand_int ();
    }
    n_read += is_read (&module, TRUE);
    module_clear (&module);
  }
  g_test_message ("%u of 20000 were read", n_read);
  g_assert_cmpuint (n_read, >, 0);
  g_assert_cmpuint (n_read, <, 20000);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, func) g_test_add_func ("/dynamic-section/" name, func)
  ADD ("all-that-is-loaded-is-read", test_loaded);
  ADD ("what-a-section-says", test_made_up);
  ADD ("damaged-ones-are-refused", test_refused);
  ADD ("relocations-are-only-read-where-wanted",
       test_relocations_are_only_read_where_wanted);
  ADD ("damaged-at-random", test_at_random);
#undef ADD
  return g_test_run ();
}
