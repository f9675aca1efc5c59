/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "foreign-format.h"

#include <string.h>

#include "inspect-error.h"

/* gperftools' CPU profiles begin with machine words: 0, 3, 0, the period. See
 * its docs/cpuprofile-fileformat.html. */
static gboolean
is_legacy_cpu_profile (const guint8 *data, gsize size)
{
  guint64 words[3];
  guint32 half_words[3];

  if (size < sizeof words)
    return FALSE;
  memcpy (words, data, sizeof words);
  memcpy (half_words, data, sizeof half_words);
  return (words[0] == 0 && words[1] == 3 && words[2] == 0)
         || (half_words[0] == 0 && half_words[1] == 3 && half_words[2] == 0);
}

static const struct {
  const gchar *begin;
  const gchar *name;
} formats[] = {
  { "heap profile:", "is a heap profile in gperftools' or tcmalloc's old "
                     "format; pprof -proto converts it" },
  { "heap_v2/", "is a heap profile in jemalloc's format; jeprof reads it" },
  { "--- contention", "is a contention profile in an old format; pprof -proto "
                      "converts it" },
  { "--- threads", "is a thread dump in an old format; pprof -proto converts "
                   "it" },
  { "--- symbol", "is a symbolized profile in gperftools' old format; pprof "
                  "-proto converts it" },
  { "PERFILE2", "is a file of perf; perf script or perf_to_profile converts "
                "it" },
};

void
pyro_foreign_format_explain (GBytes *bytes, GError **error)
{
  const gchar *found = NULL;
  gsize size;
  const guint8 *data = g_bytes_get_data (bytes, &size);

  if (data == NULL)
    return;
  if (is_legacy_cpu_profile (data, size))
    found = "is a CPU profile in gperftools' old format; pprof -proto converts "
            "it";
  for (guint i = 0; i < G_N_ELEMENTS (formats) && found == NULL; i++) {
    gsize length = strlen (formats[i].begin);

    if (size >= length && memcmp (data, formats[i].begin, length) == 0)
      found = formats[i].name;
  }
  if (found == NULL)
    return;
  g_clear_error (error);
  g_set_error_literal (error, PYRO_INSPECT_ERROR, PYRO_INSPECT_ERROR_READ,
                       found);
}
