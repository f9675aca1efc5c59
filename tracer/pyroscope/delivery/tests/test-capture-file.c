/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "capture-file.h"
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TIME_NS \
  G_GINT64_CONSTANT (1700000000123456789) /* 2023-11-14 22:13:20 */

static guint mode = 0600;

static gchar *
write_one (const gchar *dir, const gchar *service, gsize size, GError **error)
{
  g_autoptr (GBytes) data = g_bytes_new_take (g_malloc0 (size), size);

  return pyro_capture_file_write (dir, service, TIME_NS, mode, data, error);
}

static void
test_name (void)
{
  gchar *dir = fixture_dir_new ();
  g_autofree gchar *path = write_one (dir, "gst.pyroscope", 10, NULL);
  g_autofree gchar *base = g_path_get_basename (path);
  g_autofree gchar *start
      = g_strdup_printf ("gst.pyroscope-20231114T221320Z-%d-", (int)getpid ());

  g_assert_true (g_str_has_prefix (base, start));
  g_assert_true (g_str_has_suffix (base, ".pb.gz"));
  fixture_dir_remove (dir);
}

static void
test_unsafe_service (void)
{
  static const gchar *const services[]
      = { "../../etc/passwd", "", ".hidden", "-rf", "a b\nc", "\xff\xfe", "/" };
  gchar *dir = fixture_dir_new ();
  g_autofree gchar *very_long = g_strnfill (1000, 'x');
  g_autoptr (GPtrArray) names = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (services); i++) {
    g_autoptr (GError) error = NULL;
    g_autofree gchar *path = write_one (dir, services[i], 10, &error);
    g_autofree gchar *parent = NULL;

    g_assert_no_error (error);
    parent = g_path_get_dirname (path);
    g_assert_cmpstr (parent, ==, dir);
  }
  g_free (write_one (dir, very_long, 10, NULL));

  names = fixture_dir_list (dir);
  g_assert_cmpuint (names->len, ==, G_N_ELEMENTS (services) + 1);
  for (guint i = 0; i < names->len; i++) {
    const gchar *name = names->pdata[i];

    g_assert_true (g_ascii_isalnum (name[0]) || name[0] == '_');
    g_assert_cmpuint (
        strspn (name, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "._-"), ==,
        strlen (name));
  }
  fixture_dir_remove (dir);
}

static void
test_modes (void)
{
  gchar *top = fixture_dir_new ();
  g_autofree gchar *dir = g_build_filename (top, "a", "b", NULL);
  g_autofree gchar *path = NULL;
  g_autofree gchar *second = NULL;
  g_autofree gchar *third = NULL;
  struct stat info;
  mode_t old = umask (0);

  path = write_one (dir, "s", 10, NULL);
  g_assert_nonnull (path);
  g_assert_cmpint (stat (dir, &info), ==, 0);
  g_assert_cmphex (info.st_mode & 07777, ==, 0700);
  g_assert_cmpint (stat (path, &info), ==, 0);
  g_assert_cmphex (info.st_mode & 07777, ==, 0600);

  umask (0777);
  second = write_one (dir, "s", 10, NULL);
  g_assert_nonnull (second);
  g_assert_cmpint (stat (second, &info), ==, 0);
  g_assert_cmphex (info.st_mode & 07777, ==, 0600);
  mode = 0644;
  third = write_one (dir, "s", 10, NULL);
  mode = 0600;
  g_assert_cmpint (stat (third, &info), ==, 0);
  g_assert_cmphex (info.st_mode & 07777, ==, 0644);
  umask (old);
  fixture_dir_remove (top);
}

/* Another process, of another container with the same pid, took the name. */
static void
test_never_replaces (void)
{
  gchar *dir = fixture_dir_new ();
  g_autofree gchar *first = write_one (dir, "s", 10, NULL);
  g_autofree gchar *stem = g_strndup (first, strrchr (first, '-') - first);
  guint number = (guint)g_ascii_strtoull (strrchr (first, '-') + 1, NULL, 10);
  g_autofree gchar *taken = g_strdup_printf ("%s-%u.pb.gz", stem, number + 1);
  g_autofree gchar *next = NULL;
  g_autofree gchar *content = NULL;

  g_assert_true (g_file_set_contents (taken, "theirs", -1, NULL));
  next = write_one (dir, "s", 10, NULL);
  g_assert_nonnull (next);
  g_assert_cmpstr (next, !=, taken);
  g_assert_true (g_file_get_contents (taken, &content, NULL, NULL));
  g_assert_cmpstr (content, ==, "theirs");
  fixture_dir_remove (dir);
}

static void
test_dir_is_file (void)
{
  gchar *top = fixture_dir_new ();
  g_autofree gchar *dir = g_build_filename (top, "file", NULL);
  g_autoptr (GError) error = NULL;

  g_assert_true (g_file_set_contents (dir, "", -1, NULL));
  g_assert_null (write_one (dir, "s", 10, &error));
  g_assert_error (error, pyro_capture_error_quark (), ENOTDIR);
  g_assert_nonnull (strstr (error->message, dir));
  fixture_dir_remove (top);
}

/* Root may write anywhere, so the test becomes nobody for a while. */
static void
test_no_permission (void)
{
  gchar *dir = fixture_dir_new ();
  g_autoptr (GError) error = NULL;
  gboolean root = geteuid () == 0;

  g_chmod (dir, 0500);
  if (root)
    g_assert_cmpint (seteuid (65534), ==, 0);
  g_assert_null (write_one (dir, "s", 10, &error));
  if (root)
    g_assert_cmpint (seteuid (0), ==, 0);
  g_assert_error (error, pyro_capture_error_quark (), EACCES);
  g_chmod (dir, 0700);
  fixture_dir_remove (dir);
}

static void
test_vanished_dir (void)
{
  gchar *top = fixture_dir_new ();
  g_autofree gchar *dir = g_build_filename (top, "d", NULL);
  g_autofree gchar *first = write_one (dir, "s", 10, NULL);
  g_autofree gchar *second = NULL;

  g_assert_nonnull (first);
  g_remove (first);
  g_rmdir (dir);
  second = write_one (dir, "s", 10, NULL);
  g_assert_nonnull (second);
  fixture_dir_remove (top);
}

static void
assert_empty (const gchar *dir)
{
  g_autoptr (GPtrArray) names = fixture_dir_list (dir);

  g_assert_cmpuint (names->len, ==, 0);
}

static void
test_file_size_limit (void)
{
  gchar *dir = fixture_dir_new ();
  g_autoptr (GError) error = NULL;
  g_autofree gchar *path = NULL;
  struct rlimit old, limit;
  sigset_t blocked, before;
  const struct timespec at_once = { 0, 0 };

  /* As the delivery thread has it. */
  sigemptyset (&blocked);
  sigaddset (&blocked, SIGXFSZ);
  pthread_sigmask (SIG_BLOCK, &blocked, &before);
  getrlimit (RLIMIT_FSIZE, &old);
  limit = old;
  limit.rlim_cur = 4096;
  setrlimit (RLIMIT_FSIZE, &limit);
  path = write_one (dir, "s", 10000, &error);
  setrlimit (RLIMIT_FSIZE, &old);
  sigtimedwait (&blocked, NULL, &at_once);
  pthread_sigmask (SIG_SETMASK, &before, NULL);

  g_assert_null (path);
  g_assert_error (error, pyro_capture_error_quark (), EFBIG);
  assert_empty (dir);
  fixture_dir_remove (dir);
}

static void
test_full_disk (void)
{
  gchar *dir = fixture_dir_new ();
  g_autoptr (GError) error = NULL;
  g_autofree gchar *path = NULL;

  if (mount ("tmpfs", dir, "tmpfs", 0, "size=16k") != 0) {
    g_autofree gchar *why
        = g_strdup_printf ("no tmpfs can be mounted: %s", g_strerror (errno));

    g_test_skip (why);
    fixture_dir_remove (dir);
    return;
  }
  path = write_one (dir, "s", 100000, &error);
  g_assert_null (path);
  g_assert_error (error, pyro_capture_error_quark (), ENOSPC);
  assert_empty (dir);
  path = write_one (dir, "s", 1000, NULL);
  g_assert_nonnull (path);
  umount (dir);
  fixture_dir_remove (dir);
}

static void
test_no_descriptors (void)
{
  gchar *dir = fixture_dir_new ();
  g_autoptr (GError) error = NULL;
  struct rlimit old, limit;
  g_autofree gchar *path = NULL;

  getrlimit (RLIMIT_NOFILE, &old);
  limit = old;
  limit.rlim_cur = 0;
  setrlimit (RLIMIT_NOFILE, &limit);
  path = write_one (dir, "s", 10, &error);
  setrlimit (RLIMIT_NOFILE, &old);
  g_assert_null (path);
  g_assert_error (error, pyro_capture_error_quark (), EMFILE);
  fixture_dir_remove (dir);
}

static void
test_whole_or_nothing (void)
{
  gchar *dir = fixture_dir_new ();
  pid_t child = fork ();
  int status;
  guint seen = 0;

  if (child == 0) {
    for (guint i = 0; i < 200; i++)
      g_free (write_one (dir, "s", 300000, NULL));
    _exit (0);
  }
  do {
    g_autoptr (GPtrArray) names = fixture_dir_list (dir);

    for (guint i = 0; i < names->len; i++) {
      g_autofree gchar *path = g_build_filename (dir, names->pdata[i], NULL);
      struct stat info;

      if (((gchar *)names->pdata[i])[0] == '.' || stat (path, &info) != 0)
        continue;
      g_assert_cmpint (info.st_size, ==, 300000);
      seen++;
    }
  } while (waitpid (child, &status, WNOHANG) == 0);
  g_assert_cmpint (status, ==, 0);
  g_assert_cmpuint (seen, >, 0);
  fixture_dir_remove (dir);
}

static gchar *
write_at (const gchar *dir, const gchar *service, gint64 seconds, gsize size)
{
  g_autoptr (GBytes) data = g_bytes_new_take (g_malloc0 (size), size);

  return pyro_capture_file_write (
      dir, service, TIME_NS + seconds * G_GINT64_CONSTANT (1000000000), 0600,
      data, NULL);
}

static void
touch (const gchar *dir, const gchar *name)
{
  g_autofree gchar *path = g_build_filename (dir, name, NULL);

  g_assert_true (g_file_set_contents (path, "0123456789", 10, NULL));
}

static gboolean
exists (const gchar *dir, const gchar *name)
{
  g_autofree gchar *path = g_build_filename (dir, name, NULL);

  return g_file_test (path, G_FILE_TEST_EXISTS);
}

static void
test_bound (void)
{
  /* Not captures of the service "s". */
  static const gchar *const others[]
      = { "notes.txt", "s-20231114T221320Z-1-1.pb.gz.old",
          "s-20231114-1-1.pb.gz", "ss-20231114T221320Z-1-1.pb.gz",
          "s-a-20001114T221320Z-1-1.pb.gz" };
  gchar *dir = fixture_dir_new ();
  gchar *paths[5];
  guint n_removed = 0;

  for (guint i = 0; i < G_N_ELEMENTS (others); i++)
    touch (dir, others[i]);
  /* Not in the order of their times. */
  for (guint i = 0; i < 5; i++)
    paths[i] = write_at (dir, "s", i == 0 ? 100 : i, 100);
  touch (dir, "s-20231114T221319Z-1-1.pb.gz");

  g_assert_cmpuint (pyro_capture_dir_trim (dir, "s", 510, &n_removed), ==, 510);
  g_assert_cmpuint (n_removed, ==, 0);
  g_assert_cmpuint (pyro_capture_dir_trim (dir, "s", 399, &n_removed), ==, 300);
  g_assert_cmpuint (n_removed, ==, 3);
  g_assert_false (exists (dir, "s-20231114T221319Z-1-1.pb.gz"));
  for (guint i = 0; i < 5; i++)
    g_assert_cmpint (g_file_test (paths[i], G_FILE_TEST_EXISTS), ==,
                     i == 0 || i > 2);
  /* The newest stays, whatever the bound. */
  g_assert_cmpuint (pyro_capture_dir_trim (dir, "s", 1, &n_removed), ==, 100);
  g_assert_true (g_file_test (paths[0], G_FILE_TEST_EXISTS));
  for (guint i = 0; i < G_N_ELEMENTS (others); i++)
    g_assert_true (exists (dir, others[i]));
  for (guint i = 0; i < 5; i++)
    g_free (paths[i]);
  fixture_dir_remove (dir);
}

static void
test_unfinished (void)
{
  gchar *dir = fixture_dir_new ();
  g_autofree gchar *written
      = g_build_filename (dir, ".s-20231114T221320Z-1-3.pb.gz.tmp", NULL);
  int fd;

  touch (dir, ".s-20231114T221320Z-1-1.pb.gz.tmp");
  touch (dir, ".t-20231114T221320Z-1-2.pb.gz.tmp");
  touch (dir, ".s-20231114T221320Z-1-3.pb.gz.tmp");
  touch (dir, ".s.tmp");
  fd = open (written, O_RDWR | O_CLOEXEC);
  g_assert_cmpint (flock (fd, LOCK_EX), ==, 0);

  pyro_capture_dir_clean (dir, "s");
  g_assert_false (exists (dir, ".s-20231114T221320Z-1-1.pb.gz.tmp"));
  g_assert_true (exists (dir, ".t-20231114T221320Z-1-2.pb.gz.tmp"));
  g_assert_true (exists (dir, ".s-20231114T221320Z-1-3.pb.gz.tmp"));
  g_assert_true (exists (dir, ".s.tmp"));
  close (fd);
  pyro_capture_dir_clean (dir, "s");
  g_assert_false (exists (dir, ".s-20231114T221320Z-1-3.pb.gz.tmp"));
  fixture_dir_remove (dir);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/capture/the name says service, UTC time, pid and number",
                   test_name);
  g_test_add_func ("/capture/a service is made a safe file name",
                   test_unsafe_service);
  g_test_add_func ("/capture/files are 0600 and new directories 0700",
                   test_modes);
  g_test_add_func ("/capture/a file that exists is never replaced",
                   test_never_replaces);
  g_test_add_func ("/capture/a file in the directory's place is an error",
                   test_dir_is_file);
  g_test_add_func ("/capture/a directory of others is an error",
                   test_no_permission);
  g_test_add_func ("/capture/a directory that vanished is made again",
                   test_vanished_dir);
  g_test_add_func ("/capture/a file size limit leaves nothing behind",
                   test_file_size_limit);
  g_test_add_func ("/capture/a full disk leaves nothing behind",
                   test_full_disk);
  g_test_add_func ("/capture/no free descriptor is an error",
                   test_no_descriptors);
  g_test_add_func ("/capture/the oldest of this service's files are removed",
                   test_bound);
  g_test_add_func ("/capture/what nobody writes any more is removed",
                   test_unfinished);
  g_test_add_func ("/capture/a reader sees all of a file or none of it",
                   test_whole_or_nothing);
  return g_test_run ();
}
