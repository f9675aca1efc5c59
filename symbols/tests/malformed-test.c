/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whatever lies at a path, a look-up returns a name, soon, and lives. */
#include "symbols/symbolizer.h"

#include "symbols/tests/support.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void
assert_unnamed (const gchar *path)
{
  g_autoptr (PyroSymbolizer) symbolizer = pyro_symbolizer_new ();
  g_autofree gchar *library = g_path_get_basename (path);
  g_autofree gchar *expected = g_strconcat (library, "!0x1234", NULL);
  const PyroSymbol *symbols;

  g_assert_cmpuint (
      pyro_symbolizer_lookup (symbolizer, path, NULL, 0x1234, &symbols), ==, 1);
  g_assert_cmpstr (symbols->name, ==, expected);
  g_assert_null (symbols->system_name);
  g_assert_null (symbols->filename);
}

static void
what_is_no_regular_file_is_not_waited_for (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *fifo = fixture_path (fixture, "fifo");
  g_autofree gchar *loop = fixture_path (fixture, "loop");
  g_autofree gchar *missing = fixture_path (fixture, "missing");

  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  g_assert_cmpint (symlink (loop, loop), ==, 0);
  assert_unnamed (fifo);
  assert_unnamed (loop);
  assert_unnamed (missing);
  assert_unnamed (fixture->directory);
  assert_unnamed ("/dev/zero");
  assert_unnamed ("relative");
  assert_unnamed ("");
}

static void
what_is_no_elf_file_has_no_names (Fixture *fixture, gconstpointer data)
{
  static const gchar *const contents[]
      = { "", "\177ELF", "#!/bin/sh\n", "!<arch>\n",
          "\177ELF\002\001\001 and then nothing that makes sense" };

  for (guint i = 0; i < G_N_ELEMENTS (contents); i++) {
    g_autofree gchar *name = g_strdup_printf ("file%u", i);
    g_autofree gchar *path = fixture_path (fixture, name);

    g_assert_true (g_file_set_contents (path, contents[i], -1, NULL));
    assert_unnamed (path);
  }
}

/* To be a device that does things when it is opened, a FIFO stands in. */
static void
what_is_no_regular_file_is_not_opened (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *fifo = fixture_path (fixture, "fifo");
  struct inotify_event event;
  int watch = inotify_init1 (IN_NONBLOCK | IN_CLOEXEC);

  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  g_assert_cmpint (inotify_add_watch (watch, fifo, IN_OPEN), >=, 0);
  assert_unnamed (fifo);
  g_assert_cmpint (read (watch, &event, sizeof event), ==, -1);
  g_assert_cmpint (errno, ==, EAGAIN);
  close (watch);
}

/* A copy of a sample whose headers can be changed. */
typedef struct {
  gchar *sample; /* the path of the original */
  gchar *path;
  gchar *bytes;
  gsize size;
  Elf64_Ehdr *header;
  Elf64_Shdr *sections;
} Copy;

static gboolean
copy_init (Copy *copy, Fixture *fixture)
{
  copy->sample = sample_path ("libsample-dwarf5.so");
  copy->path = fixture_path (fixture, "libcopy.so");
  g_assert_true (
      g_file_get_contents (copy->sample, &copy->bytes, &copy->size, NULL));
  copy->header = (Elf64_Ehdr *)copy->bytes;
  copy->sections = (Elf64_Shdr *)(copy->bytes + copy->header->e_shoff);
  if (copy->header->e_ident[EI_CLASS] == ELFCLASS64)
    return TRUE;
  g_test_skip ("only made for 64 bit");
  return FALSE;
}

static void
copy_clear (Copy *copy)
{
  g_free (copy->sample);
  g_free (copy->path);
  g_free (copy->bytes);
}

static Elf64_Shdr *
copy_section (Copy *copy, const gchar *name)
{
  const gchar *names
      = copy->bytes + copy->sections[copy->header->e_shstrndx].sh_offset;

  for (guint i = 0; i < copy->header->e_shnum; i++) {
    if (g_str_equal (names + copy->sections[i].sh_name, name))
      return &copy->sections[i];
  }
  g_error ("%s has no section %s", copy->sample, name);
}

/* Asserts the name and whether there is a line for sample_outer(). */
static void
copy_assert (Copy *copy, gboolean has_name, gboolean has_line)
{
  g_autoptr (PyroSymbolizer) symbolizer = pyro_symbolizer_new ();
  const PyroSymbol *symbols;

  g_assert_true (
      g_file_set_contents (copy->path, copy->bytes, copy->size, NULL));
  pyro_symbolizer_lookup (symbolizer, copy->path, NULL,
                          sample_address (copy->sample, "sample_outer_point"),
                          &symbols);
  if (has_name)
    g_assert_cmpstr (symbols->name, ==, "sample_outer");
  else
    g_assert_true (g_str_has_prefix (symbols->name, "libcopy.so!0x"));
  g_assert_cmpint (symbols->line > 0, ==, has_line);
}

static void
a_file_that_lacks_a_part_has_no_names (Fixture *fixture, gconstpointer data)
{
  Copy copy;

  if (copy_init (&copy, fixture)) {
    copy_assert (&copy, TRUE, TRUE);
    copy_section (&copy, ".comment")->sh_size += copy.size;
    copy_assert (&copy, FALSE, FALSE);
  }
  copy_clear (&copy);
}

static void
strings_without_an_end_are_not_used (Fixture *fixture, gconstpointer data)
{
  Copy copy;

  if (copy_init (&copy, fixture)) {
    copy_section (&copy, ".debug_line_str")->sh_size--;
    copy_assert (&copy, TRUE, FALSE);
  }
  copy_clear (&copy);
}

/* Sparse files that say they have four GiB of this or that. */
static void
a_huge_file_is_not_read (Fixture *fixture, gconstpointer data)
{
  const guint64 huge = G_GUINT64_CONSTANT (4) << 30;
  const gchar *what = data;
  g_autoptr (PyroSymbolizer) symbolizer = pyro_symbolizer_new ();
  struct rusage before, after;
  const PyroSymbol *symbols;
  Copy copy;

  if (!copy_init (&copy, fixture)) {
    copy_clear (&copy);
    return;
  }
  if (g_str_equal (what, "section-headers")) {
    copy.header->e_shnum = 0;
    copy.sections[0].sh_size = huge / sizeof (Elf64_Shdr);
  } else {
    copy_section (&copy, what)->sh_size = huge;
  }
  g_assert_true (g_file_set_contents (copy.path, copy.bytes, copy.size, NULL));
  if (truncate (copy.path, huge + (1 << 30)) == 0) {
    getrusage (RUSAGE_SELF, &before);
    pyro_symbolizer_lookup (symbolizer, copy.path, NULL,
                            sample_address (copy.sample, "sample_local_point"),
                            &symbols);
    g_assert_nonnull (symbols->name);
    getrusage (RUSAGE_SELF, &after);
    g_assert_cmpint (after.ru_maxrss - before.ru_maxrss, <, 65536);
  } else {
    g_test_skip ("no room for a sparse file");
  }
  copy_clear (&copy);
}

/* A stripped sample whose N_OVERLAPPING more sections have the same bytes. */
#define OVERLAPPING_BYTES (8u << 20)
#define N_OVERLAPPING 40

typedef struct {
  const gchar *sample, *point;
  guint32 type;
  gsize entry_size;
} Overlap;

static void
write_overlapping (const gchar *path, const Overlap *overlap)
{
  g_autofree gchar *bytes = NULL;
  g_autoptr (GByteArray) out = g_byte_array_new ();
  g_autofree guint8 *zeros = g_malloc0 (OVERLAPPING_BYTES + 8);
  Elf64_Ehdr *header;
  Elf64_Shdr more
      = { .sh_type = overlap->type, .sh_flags = SHF_ALLOC, .sh_addralign = 8 };
  gsize size;

  g_assert_true (g_file_get_contents (path, &bytes, &size, NULL));
  header = (Elf64_Ehdr *)bytes;
  more.sh_entsize = overlap->entry_size;
  more.sh_offset = (size + 7) / 8 * 8;
  more.sh_size = OVERLAPPING_BYTES / more.sh_entsize * more.sh_entsize;
  g_byte_array_append (out, (guint8 *)bytes, size);
  g_byte_array_append (out, zeros, more.sh_offset - size + OVERLAPPING_BYTES);
  g_byte_array_append (out, (guint8 *)bytes + header->e_shoff,
                       header->e_shnum * sizeof (Elf64_Shdr));
  for (guint i = 0; i < N_OVERLAPPING; i++)
    g_byte_array_append (out, (guint8 *)&more, sizeof more);
  header = (Elf64_Ehdr *)out->data;
  header->e_shoff = more.sh_offset + OVERLAPPING_BYTES;
  header->e_shnum += N_OVERLAPPING;
  g_assert_true (
      g_file_set_contents (path, (gchar *)out->data, out->len, NULL));
}

static void
sections_that_overlap_are_not_all_read (Fixture *fixture, gconstpointer data)
{
  const Overlap *overlap = data;
  g_autofree gchar *sample = sample_path (overlap->sample);
  g_autofree gchar *path = fixture_path (fixture, "liboverlap.so");
  g_autoptr (PyroSymbolizer) symbolizer = pyro_symbolizer_new ();
  struct rusage before, after;
  const PyroSymbol *symbols;

  if (sizeof (gpointer) != 8) {
    g_test_skip ("only made for 64 bit");
    return;
  }
  run ("strip", "-o", path, sample, NULL);
  write_overlapping (path, overlap);
  getrusage (RUSAGE_SELF, &before);
  pyro_symbolizer_lookup (symbolizer, path, NULL,
                          sample_address (sample, overlap->point), &symbols);
  g_assert_nonnull (symbols->name);
  getrusage (RUSAGE_SELF, &after);
  /* Of 320 MiB. */
  g_assert_cmpint (after.ru_maxrss - before.ru_maxrss, <, 128 * 1024);
}

/* Looks up a handful of addresses, which are right for the whole file. */
static void
look_up (const gchar *path, const gchar *debug_directory,
         const guint64 *addresses, guint n_addresses)
{
  g_autoptr (PyroSymbolizer) symbolizer = pyro_symbolizer_new ();
  const PyroSymbol *symbols;

  pyro_symbolizer_set_debug_path (symbolizer, debug_directory, NULL);
  for (guint i = 0; i < n_addresses; i++) {
    guint n = pyro_symbolizer_lookup (symbolizer, path, NULL, addresses[i],
                                      &symbols);

    g_assert_cmpuint (n, >=, 1);
    for (guint j = 0; j < n; j++) {
      g_assert_nonnull (symbols[j].name);
      g_assert_cmpint (symbols[j].line, >=, 0);
      /* Read all of it, for the sanitizer. */
      g_assert_cmpuint (strlen (symbols[j].name), <, 1 << 20);
      if (symbols[j].filename != NULL)
        g_assert_cmpuint (strlen (symbols[j].filename), <, 1 << 20);
    }
  }
}

static void
write_file (const gchar *path, const guint8 *bytes, gsize size)
{
  int fd = open (path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (write (fd, bytes, size), ==, (gssize)size);
  close (fd);
}

typedef struct {
  gchar *path; /* where the damaged copies are written */
  guint8 *bytes;
  gsize size;
  guint64 addresses[6];
} Victim;

static void
victim_init (Victim *victim, Fixture *fixture, const gchar *name)
{
  g_autofree gchar *path = sample_path (name);
  static const gchar *const labels[]
      = { "sample_inlined_point", "sample_outer_point", "sample_local_point",
          "sample_other" };

  victim->path = fixture_path (fixture, "libvictim.so");
  g_assert_true (g_file_get_contents (path, (gchar **)&victim->bytes,
                                      &victim->size, NULL));
  for (guint i = 0; i < G_N_ELEMENTS (labels); i++)
    victim->addresses[i] = sample_address (path, labels[i]);
  victim->addresses[4] = 0;
  victim->addresses[5] = G_MAXUINT64;
}

static void
victim_clear (Victim *victim)
{
  g_free (victim->path);
  g_free (victim->bytes);
}

static void
victim_look_up (Victim *victim, Fixture *fixture)
{
  look_up (victim->path, fixture->directory, victim->addresses,
           G_N_ELEMENTS (victim->addresses));
}

static void
a_file_may_be_cut_off_anywhere (Fixture *fixture, gconstpointer data)
{
  Victim victim;

  victim_init (&victim, fixture, data);
  for (gsize size = 0; size < victim.size; size += 1 + victim.size / 400) {
    write_file (victim.path, victim.bytes, size);
    victim_look_up (&victim, fixture);
  }
  victim_clear (&victim);
}

/* The headers, the section headers, and then everywhere: a few bytes become
 * others, often the ones that hurt. The seed makes it the same every time. */
static void
a_file_may_be_damaged_anywhere (Fixture *fixture, gconstpointer data)
{
  static const guint8 nasty[] = { 0x00, 0x01, 0x7f, 0x80, 0xff };
  const guint rounds = g_test_thorough () ? 50000 : 2500;
  g_autoptr (GRand) rand = g_rand_new_with_seed (20240229);
  g_autofree guint8 *copy = NULL;
  Victim victim;

  victim_init (&victim, fixture, data);
  copy = g_malloc (victim.size);
  for (guint round = 0; round < rounds; round++) {
    const guint n = 1 + g_rand_int (rand) % 8;
    const Elf64_Ehdr *ehdr = (const Elf64_Ehdr *)victim.bytes;
    gsize from = 0, to = victim.size;

    if (round % 4 == 0)
      to = sizeof (Elf64_Ehdr);
    else if (round % 4 == 1)
      from = MIN (ehdr->e_shoff, victim.size - 1);
    memcpy (copy, victim.bytes, victim.size);
    for (guint i = 0; i < n; i++) {
      const gsize at = from + g_rand_int (rand) % (to - from);

      copy[at] = g_rand_boolean (rand)
                     ? nasty[g_rand_int (rand) % G_N_ELEMENTS (nasty)]
                     : (guint8)g_rand_int (rand);
    }
    write_file (victim.path, copy, victim.size);
    victim_look_up (&victim, fixture);
  }
  victim_clear (&victim);
}

static guint
count_descriptors (void)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/fd", 0, NULL);
  guint n = 0;

  g_assert_nonnull (dir);
  while (g_dir_read_name (dir) != NULL)
    n++;
  return n;
}

static void
no_descriptor_is_held_between_lookups (void)
{
  g_autoptr (PyroSymbolizer) symbolizer = pyro_symbolizer_new ();
  g_autofree gchar *path = sample_path ("libsample-dwarf5.so");
  const guint before = count_descriptors ();
  const PyroSymbol *symbols;

  pyro_symbolizer_lookup (symbolizer, path, NULL,
                          sample_address (path, "sample_outer"), &symbols);
  g_assert_cmpint (symbols->line, >, 0);
  g_assert_cmpuint (count_descriptors (), ==, before);
}

static void
a_shortage_of_descriptors_passes (void)
{
  g_autoptr (PyroSymbolizer) symbolizer = pyro_symbolizer_new ();
  g_autofree gchar *path = sample_path ("libsample-dwarf5.so");
  const guint64 address = sample_address (path, "sample_local_point");
  struct rlimit before, none;
  const PyroSymbol *symbols;

  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &before), ==, 0);
  none = before;
  none.rlim_cur = 0;
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &none), ==, 0);
  pyro_symbolizer_lookup (symbolizer, path, NULL, address, &symbols);
  g_assert_true (g_str_has_prefix (symbols->name, "libsample-dwarf5.so!0x"));
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &before), ==, 0);
  pyro_symbolizer_lookup (symbolizer, path, NULL, address, &symbols);
  g_assert_cmpstr (symbols->name, ==, "sample_local");
  g_assert_cmpint (symbols->line, >, 0);
}

/* Where libdw looks for a server, one listens, and is never called. */
static void
no_debuginfod_server_is_asked (void)
{
  struct sockaddr_in address
      = { .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  socklen_t length = sizeof address;
  g_autofree gchar *url = NULL;
  int server = socket (AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

  if (g_test_subprocess ()) {
    assert_unnamed (g_getenv ("PYRO_TEST_STRIPPED"));
    return;
  }
  g_assert_cmpint (bind (server, (struct sockaddr *)&address, length), ==, 0);
  g_assert_cmpint (listen (server, 1), ==, 0);
  getsockname (server, (struct sockaddr *)&address, &length);
  url = g_strdup_printf ("http://127.0.0.1:%u/", ntohs (address.sin_port));

  Fixture fixture;
  fixture_set_up (&fixture, NULL);
  g_autofree gchar *path = sample_path ("libsample-dwarf5.so");
  g_autofree gchar *stripped = fixture_path (&fixture, "libstripped.so");
  run ("objcopy", "--strip-all", "--remove-section=.eh_frame", path, stripped,
       NULL);
  /* A new process, for libdw reads the environment when it is loaded. */
  g_setenv ("DEBUGINFOD_URLS", url, TRUE);
  g_setenv ("PYRO_TEST_STRIPPED", stripped, TRUE);
  g_test_trap_subprocess (NULL, 20 * G_USEC_PER_SEC, 0);
  g_test_trap_assert_passed ();
  g_unsetenv ("DEBUGINFOD_URLS");
  g_assert_cmpint (accept (server, NULL, NULL), ==, -1);
  g_assert_cmpint (errno, ==, EAGAIN);
  close (server);
  fixture_tear_down (&fixture, NULL);
}

#define ADD_FILES(name, data, function)                                  \
  g_test_add ("/symbols/malformed/" name, Fixture, data, fixture_set_up, \
              function, fixture_tear_down)

int
main (int argc, char **argv)
{
  static const Overlap overlaps[] = {
    { "libsample-routines.so", "routine_in_table_point", SHT_RELA,
      sizeof (Elf64_Rela) },
    { "libsample-routines.so", "routine_in_table_point", SHT_DYNSYM,
      sizeof (Elf64_Sym) },
    { "libsample-statements.so", "stated_twice_point", SHT_RELA,
      sizeof (Elf64_Rela) },
  };

  g_test_init (&argc, &argv, NULL);
  ADD_FILES ("what-is-no-regular-file-is-not-waited-for", NULL,
             what_is_no_regular_file_is_not_waited_for);
  ADD_FILES ("what-is-no-elf-file-has-no-names", NULL,
             what_is_no_elf_file_has_no_names);
  ADD_FILES ("what-is-no-regular-file-is-not-opened", NULL,
             what_is_no_regular_file_is_not_opened);
  ADD_FILES ("a-file-that-lacks-a-part-has-no-names", NULL,
             a_file_that_lacks_a_part_has_no_names);
  ADD_FILES ("strings-without-an-end-are-not-used", NULL,
             strings_without_an_end_are_not_used);
  ADD_FILES ("a-huge-file-is-not-read/section-names", ".shstrtab",
             a_huge_file_is_not_read);
  ADD_FILES ("a-huge-file-is-not-read/section-headers", "section-headers",
             a_huge_file_is_not_read);
  ADD_FILES ("a-huge-file-is-not-read/notes", ".note.gnu.build-id",
             a_huge_file_is_not_read);
  ADD_FILES ("a-huge-file-is-not-read/symbols", ".symtab",
             a_huge_file_is_not_read);
  ADD_FILES ("a-huge-file-is-not-read/strings", ".strtab",
             a_huge_file_is_not_read);
  ADD_FILES ("a-huge-file-is-not-read/unwind-information", ".eh_frame",
             a_huge_file_is_not_read);
  ADD_FILES ("a-huge-file-is-not-read/debug-information", ".debug_info",
             a_huge_file_is_not_read);
  ADD_FILES ("sections-that-overlap-are-not-all-read/relocations-of-routines",
             &overlaps[0], sections_that_overlap_are_not_all_read);
  ADD_FILES ("sections-that-overlap-are-not-all-read/symbols-of-routines",
             &overlaps[1], sections_that_overlap_are_not_all_read);
  ADD_FILES ("sections-that-overlap-are-not-all-read/relocations-of-statements",
             &overlaps[2], sections_that_overlap_are_not_all_read);
  ADD_FILES ("a-file-may-be-cut-off-anywhere/dwarf-5", "libsample-dwarf5.so",
             a_file_may_be_cut_off_anywhere);
  ADD_FILES ("a-file-may-be-cut-off-anywhere/dwarf-4", "libsample-dwarf4.so",
             a_file_may_be_cut_off_anywhere);
  ADD_FILES ("a-file-may-be-damaged-anywhere/dwarf-5", "libsample-dwarf5.so",
             a_file_may_be_damaged_anywhere);
  ADD_FILES ("a-file-may-be-damaged-anywhere/dwarf-4", "libsample-dwarf4.so",
             a_file_may_be_damaged_anywhere);
  g_test_add_func ("/symbols/malformed/no-descriptor-is-held-between-lookups",
                   no_descriptor_is_held_between_lookups);
  g_test_add_func ("/symbols/malformed/a-shortage-of-descriptors-passes",
                   a_shortage_of_descriptors_passes);
  g_test_add_func ("/symbols/malformed/no-debuginfod-server-is-asked",
                   no_debuginfod_server_is_asked);
  return g_test_run ();
}
