/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "series.h"

#include <string.h>

#include "profile/bounded-text.h"

/* The names of Rust's std::env::consts::ARCH, which the first tracer sent. */
#if defined(__x86_64__)
#define ARCH "x86_64"
#elif defined(__i386__)
#define ARCH "x86"
#elif defined(__aarch64__)
#define ARCH "aarch64"
#elif defined(__arm__)
#define ARCH "arm"
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCH "riscv64"
#elif defined(__powerpc64__)
#define ARCH "powerpc64"
#elif defined(__s390x__)
#define ARCH "s390x"
#elif defined(__loongarch64)
#define ARCH "loongarch64"
#else
#define ARCH "unknown"
#endif

static void
label_clear (gpointer data)
{
  PyroLabel *label = data;

  g_free ((gchar *)label->key);
  g_free ((gchar *)label->value);
}

/* The index of KEY, or where it belongs. */
static guint
find (const GArray *series, const gchar *key, gboolean *found)
{
  guint i;
  gint order = -1;

  for (i = 0; i < series->len; i++) {
    order = strcmp (key, g_array_index (series, PyroLabel, i).key);
    if (order <= 0)
      break;
  }
  *found = i < series->len && order == 0;
  return i;
}

void
pyro_series_set (GArray *series, const gchar *key, const gchar *value)
{
  PyroLabel label = { pyro_bounded_text (key, PYRO_MAX_LABEL_NAME, NULL),
                      pyro_bounded_text (value, PYRO_MAX_LABEL_VALUE, NULL) };
  gboolean found;
  guint at = find (series, label.key, &found);

  if (found)
    g_array_remove_index (series, at);
  g_array_insert_val (series, at, label);
}

const gchar *
pyro_series_lookup (const GArray *series, const gchar *key)
{
  gboolean found;
  guint at = find (series, key, &found);

  return found ? g_array_index (series, PyroLabel, at).value : NULL;
}

GArray *
pyro_series_new (const PyroSettings *settings, const gchar *profile_name)
{
  const PyroLabel defaults[] = {
    { "service_name", settings->tracer_name },
    { "service", "gst-pyroscope-tracer" },
    { "version", PYRO_VERSION },
    { "os", "linux" },
    { "arch", ARCH },
    { "hostname", g_get_host_name () },
  };
  GArray *series = g_array_new (FALSE, FALSE, sizeof (PyroLabel));

  g_array_set_clear_func (series, label_clear);
  for (guint i = 0; i < G_N_ELEMENTS (defaults); i++) {
    if (defaults[i].value != NULL && defaults[i].value[0] != '\0')
      pyro_series_set (series, defaults[i].key, defaults[i].value);
  }
  for (guint i = 0; settings->tag_list && i < settings->tag_list->len; i++) {
    const PyroLabel *tag = &g_array_index (settings->tag_list, PyroLabel, i);

    if (tag->key && tag->key[0] != '\0' && tag->value && tag->value[0] != '\0')
      pyro_series_set (series, tag->key, tag->value);
  }
  pyro_series_set (series, "__name__", profile_name);
  return series;
}
