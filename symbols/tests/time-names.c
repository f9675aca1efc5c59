/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* time-names CAPTURE: what it takes to look up the names of all the capture's
 * addresses as the tracer does, for the first time and once more, in CPU time
 * and in memory. */
#include "profile/profile.h"
#include "symbols/symbolizer.h"

#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

/* As the tracer's. */
#define DEBUG_INFO_LIMIT (G_GUINT64_CONSTANT (64) << 20)

static gdouble
cpu_milliseconds (void)
{
  struct timespec now;

  clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &now);
  return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

static gdouble
most_memory_mib (void)
{
  struct rusage usage;

  getrusage (RUSAGE_SELF, &usage);
  return usage.ru_maxrss / 1024.0;
}

static gint
compare_locations (gconstpointer a, gconstpointer b)
{
  const PyroLocation *x = *(const PyroLocation *const *)a;
  const PyroLocation *y = *(const PyroLocation *const *)b;
  const gint order = g_strcmp0 (x->mapping->filename, y->mapping->filename);

  if (order != 0)
    return order;
  return x->address < y->address ? -1 : x->address > y->address;
}

static GPtrArray *
list_locations (const PyroProfile *profile)
{
  GPtrArray *locations = g_ptr_array_new ();

  for (gsize i = 0; i < profile->n_locations; i++) {
    if (profile->locations[i].mapping != NULL
        && profile->locations[i].mapping->filename[0] != '\0')
      g_ptr_array_add (locations, (gpointer)&profile->locations[i]);
  }
  g_ptr_array_sort (locations, compare_locations);
  return locations;
}

static gdouble
look_up (PyroSymbolizer *symbolizer, const GPtrArray *locations)
{
  const gdouble begin = cpu_milliseconds ();

  for (guint i = 0; i < locations->len; i++) {
    const PyroLocation *location = locations->pdata[i];
    const PyroMapping *mapping = location->mapping;
    const PyroSymbol *symbols;

    pyro_symbolizer_lookup (symbolizer, mapping->filename,
                            mapping->build_id != NULL
                                    && mapping->build_id[0] != '\0'
                                ? mapping->build_id
                                : NULL,
                            location->address, &symbols);
  }
  return cpu_milliseconds () - begin;
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (PyroSymbolizer) symbolizer = pyro_symbolizer_new ();
  g_autoptr (PyroProfile) profile = NULL;
  g_autoptr (GPtrArray) locations = NULL;
  g_autoptr (GBytes) bytes = NULL;
  gdouble first, again, memory;
  gchar *contents;
  gsize size;

  g_assert_cmpint (argc, ==, 2);
  g_file_get_contents (argv[1], &contents, &size, &error);
  g_assert_no_error (error);
  bytes = g_bytes_new_take (contents, size);
  profile = pyro_profile_decode (bytes, NULL, &error);
  g_assert_no_error (error);
  locations = list_locations (profile);
  pyro_symbolizer_set_debug_info_limit (symbolizer, DEBUG_INFO_LIMIT);

  memory = most_memory_mib ();
  first = look_up (symbolizer, locations);
  memory = most_memory_mib () - memory;
  again = look_up (symbolizer, locations);
  printf ("%u addresses: %.1f ms of CPU, at most %.1f MiB more memory; once "
          "more %.2f ms\n",
          locations->len, first, memory, again);
  return 0;
}
