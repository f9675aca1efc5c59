/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libraries.h"

#include <string.h>

#include "profile/saturated.h"

static const gchar *
build_id_of (const PyroMapping *mapping)
{
  return mapping->build_id != NULL ? mapping->build_id : "";
}

static guint
library_hash (gconstpointer key)
{
  const PyroLibrary *library = key;

  return g_str_hash (library->filename) ^ g_str_hash (library->build_id);
}

static gboolean
library_equal (gconstpointer a, gconstpointer b)
{
  const PyroLibrary *x = a, *y = b;

  return strcmp (x->filename, y->filename) == 0
         && strcmp (x->build_id, y->build_id) == 0;
}

/* A file may be several mappings. */
static PyroLibrary *
get_library (GHashTable *known, const PyroMapping *mapping)
{
  const PyroLibrary key
      = { .filename = mapping->filename, .build_id = build_id_of (mapping) };
  PyroLibrary *library = g_hash_table_lookup (known, &key);

  if (library == NULL) {
    library = g_memdup2 (&key, sizeof key);
    g_hash_table_add (known, library);
  }
  return library;
}

static void
add_sample (GHashTable *known, const PyroSample *sample, guint type)
{
  const gint64 value = sample->values[type];

  for (gsize i = 0; i < sample->n_locations; i++) {
    const PyroLocation *location = sample->locations[i];
    PyroNameOrigins *origins;
    gint64 *sum;

    if (location->mapping == NULL)
      continue;
    origins = &get_library (known, location->mapping)->origins;
    sum = &origins->values[pyro_name_origin (location)];
    *sum = pyro_saturated_add (*sum, value);
    origins->total = pyro_saturated_add (origins->total, value);
  }
}

static gint
compare_libraries (gconstpointer a, gconstpointer b)
{
  const PyroLibrary *x = *(const PyroLibrary *const *)a;
  const PyroLibrary *y = *(const PyroLibrary *const *)b;

  if (x->origins.total != y->origins.total)
    return x->origins.total > y->origins.total ? -1 : 1;
  return strcmp (x->filename, y->filename);
}

GPtrArray *
pyro_libraries_list (const PyroProfile *profile, guint type)
{
  g_autoptr (GHashTable) known = g_hash_table_new (library_hash, library_equal);
  GPtrArray *libraries = g_ptr_array_new_with_free_func (g_free);
  GHashTableIter iter;
  gpointer key;

  for (gsize i = 0; i < profile->n_samples; i++)
    add_sample (known, &profile->samples[i], type);
  for (gsize i = 0; i < profile->n_locations; i++) {
    const PyroLocation *location = &profile->locations[i];
    PyroLibrary *library;

    if (location->mapping == NULL)
      continue;
    library = get_library (known, location->mapping);
    library->n_addresses++;
    library->n_unnamed += pyro_name_origin (location) == PYRO_ORIGIN_NONE;
  }
  g_hash_table_iter_init (&iter, known);
  while (g_hash_table_iter_next (&iter, &key, NULL))
    g_ptr_array_add (libraries, key);
  g_ptr_array_sort (libraries, compare_libraries);
  return libraries;
}
