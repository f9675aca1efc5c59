/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Feeds a parser with its seeds, mangled, where libFuzzer is not to be had; its
 * options are named like libFuzzer's.
 *
 * usage: mangle-PARSER [-runs=N] [-max_total_time=SECONDS] [-seed=N] [FILE...]
 *        mangle-PARSER -write-seeds=DIRECTORY [FILE...]
 *
 * FILEs are more seeds, or inputs to run as they are with -runs=0. An input
 * that ends the process is left in crash-input of the working directory.
 */

#include "fuzz.h"
#include "mangle.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
  const guint8 *data;
  gsize size;
} current;

/* Only what a signal handler may do. */
static void
on_crash (int signo)
{
  int fd = open ("crash-input", O_WRONLY | O_CREAT | O_TRUNC, 0600);

  if (fd < 0 || write (fd, current.data, current.size) < 0)
    _exit (2);
  signal (signo, SIG_DFL);
  raise (signo);
}

static void
run (const guint8 *data, gsize size)
{
  /* A block of its own, so that AddressSanitizer sees its end. */
  guint8 *copy = g_memdup2 (data, MAX (size, 1));

  current.data = copy;
  current.size = size;
  LLVMFuzzerTestOneInput (copy, size);
  g_free (copy);
}

static const GByteArray *
choose (GRand *rand, const GPtrArray *seeds)
{
  return g_ptr_array_index (seeds, g_rand_int (rand) % seeds->len);
}

static void
mangle (GRand *rand, const GPtrArray *seeds, GByteArray *bytes)
{
  const GByteArray *seed = choose (rand, seeds);

  g_byte_array_set_size (bytes, 0);
  g_byte_array_append (bytes, seed->data, seed->len);
  pyro_mangle (rand, bytes, choose (rand, seeds));
}

static void
take_seed (gpointer user_data, gconstpointer data, gsize size)
{
  GByteArray *seed = g_byte_array_new ();

  g_byte_array_append (seed, data, (guint)MIN (size, PYRO_MANGLE_MAX_BYTES));
  g_ptr_array_add (user_data, seed);
}

static void
take_file (GPtrArray *seeds, const gchar *path)
{
  g_autofree gchar *text = NULL;
  g_autoptr (GError) error = NULL;
  gsize size;

  if (!g_file_get_contents (path, &text, &size, &error)) {
    g_printerr ("%s\n", error->message);
    exit (2);
  }
  take_seed (seeds, text, size);
}

static void
write_seeds (const GPtrArray *seeds, const gchar *directory)
{
  guint i;

  for (i = 0; i < seeds->len; i++) {
    const GByteArray *seed = g_ptr_array_index (seeds, i);
    g_autofree gchar *path = g_strdup_printf ("%s/seed-%u", directory, i);
    g_autoptr (GError) error = NULL;

    if (!g_file_set_contents (path, (const gchar *)seed->data,
                              (gssize)seed->len, &error)) {
      g_printerr ("%s\n", error->message);
      exit (2);
    }
  }
}

int
main (int argc, char **argv)
{
  g_autoptr (GPtrArray) seeds
      = g_ptr_array_new_with_free_func ((GDestroyNotify)g_byte_array_unref);
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  g_autoptr (GRand) rand = NULL;
  guint64 runs = G_MAXUINT64, n_runs, seconds = 0, seed = 1;
  const gchar *directory = NULL;
  gint64 end;
  gchar **files = argv + 1;
  guint i;

  for (; *files != NULL && **files == '-'; files++) {
    const gchar *value = strchr (*files, '=');

    value = value != NULL ? value + 1 : "";
    if (g_str_has_prefix (*files, "-runs="))
      runs = g_ascii_strtoull (value, NULL, 10);
    else if (g_str_has_prefix (*files, "-max_total_time="))
      seconds = g_ascii_strtoull (value, NULL, 10);
    else if (g_str_has_prefix (*files, "-seed="))
      seed = g_ascii_strtoull (value, NULL, 10);
    else if (g_str_has_prefix (*files, "-write-seeds="))
      directory = value;
    else
      g_printerr ("%s is not known here\n", *files);
  }
  pyro_fuzz_give_seeds (take_seed, seeds);
  for (i = 0; files[i] != NULL; i++)
    take_file (seeds, files[i]);
  if (directory != NULL) {
    write_seeds (seeds, directory);
    return 0;
  }

  signal (SIGABRT, on_crash);
#if !defined(__SANITIZE_ADDRESS__) /* it tells where, and then aborts */
  signal (SIGSEGV, on_crash);
  signal (SIGBUS, on_crash);
#endif
  rand = g_rand_new_with_seed ((guint32)seed);
  end = g_get_monotonic_time () + (gint64)seconds * G_USEC_PER_SEC;
  for (i = 0; i < seeds->len; i++) {
    const GByteArray *input = g_ptr_array_index (seeds, i);

    run (input->data, input->len);
  }
  for (n_runs = 0; n_runs < runs; n_runs++) {
    if (seconds > 0 && g_get_monotonic_time () >= end)
      break;
    mangle (rand, seeds, bytes);
    run (bytes->data, bytes->len);
  }
  g_print ("%u seeds, %" G_GUINT64_FORMAT " mangled inputs\n", seeds->len,
           n_runs);
  return seeds->len > 0 ? 0 : 1;
}
