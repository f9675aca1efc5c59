/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The names in a profile, and one that is made when the time for them is over.
 */
#include "cpu-profile.h"

#include "kernel-clock.h"
#include "profile/profile-comments.h"
#include "profile/profile.h"

#include <dlfcn.h>

/* What the module has. */
static gchar *build_id;

/* A function of the C library's, and of an interval in which it ran. */
static PyroAggregate *
make_aggregate (PyroModule *module)
{
  PyroAggregate *aggregate = pyro_aggregate_new ();
  PyroAggregateEntry *entry = g_malloc0 (sizeof *entry + sizeof (PyroFrame));
  void *function = dlsym (RTLD_DEFAULT, "qsort");
  Dl_info info;

  g_assert_true (dladdr (function, &info) != 0);
  module->path = (gchar *)info.dli_fname;
  module->build_id = build_id;
  module->bias = (guintptr)info.dli_fbase;
  module->start = module->bias;
  module->limit = (guintptr)function + 4096;
  entry->n_frames = 1;
  entry->frames[0].module = module;
  entry->frames[0].address = (guintptr)function - module->bias;
  entry->weight = 1;
  entry->nanoseconds = 10000000;
  g_hash_table_add (aggregate->entries, entry);
  return aggregate;
}

static PyroProfile *
encode (PyroCpuEncoder *encoder)
{
  PyroModule module = { 0 };
  PyroAggregate *aggregate = make_aggregate (&module);
  const PyroDeliveryStats none = { 0 };
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = pyro_cpu_encoder_encode (encoder, aggregate, 100,
                                                      "SIGURG", &none, &none);
  PyroProfile *profile = pyro_profile_decode (bytes, NULL, &error);

  g_assert_no_error (error);
  g_assert_cmpuint (profile->n_samples, ==, 1);
  g_assert_cmpuint (profile->n_locations, ==, 1);
  pyro_aggregate_free (aggregate);
  return profile;
}

static PyroCpuEncoder *
make_encoder (const gchar *params)
{
  g_autoptr (PyroSettings) settings = pyro_settings_new (params, NULL, NULL);

  return pyro_cpu_encoder_new (settings, "tables");
}

static void
test_a_late_profile_has_addresses_and_says_how_many_have_no_name (void)
{
  PyroCpuEncoder *encoder = make_encoder (NULL);
  g_autoptr (PyroProfile) profile = NULL;
  const PyroLocation *location;

  pyro_cpu_encoder_limit_names (encoder, pyro_clock_monotonic ());
  profile = encode (encoder);
  location = &profile->locations[0];
  g_assert_cmpstr (
      pyro_profile_get_comment (profile, PYRO_COMMENT_NAMES_POSTPONED), ==,
      "1");
  g_assert_false (location->mapping->has_functions);
  g_assert_cmpuint (location->address, !=, 0);
  g_assert_nonnull (strstr (location->lines[0].function->name, "!0x"));
  pyro_cpu_encoder_unref (encoder);
}

static void
test_a_profile_in_time_has_names (void)
{
  PyroCpuEncoder *encoder = make_encoder (NULL);
  g_autoptr (PyroProfile) profile = NULL;

  pyro_cpu_encoder_limit_names (
      encoder,
      pyro_clock_monotonic () + G_GINT64_CONSTANT (3600) * G_USEC_PER_SEC);
  profile = encode (encoder);
  g_assert_null (
      pyro_profile_get_comment (profile, PYRO_COMMENT_NAMES_POSTPONED));
  g_assert_true (profile->locations[0].mapping->has_functions);
  g_assert_nonnull (
      strstr (profile->locations[0].lines[0].function->name, "qsort"));
  pyro_cpu_encoder_unref (encoder);
}

static void
test_names_that_are_known_need_no_time (void)
{
  PyroCpuEncoder *encoder = make_encoder (NULL);
  g_autoptr (PyroProfile) first = encode (encoder);
  g_autoptr (PyroProfile) second = NULL;

  pyro_cpu_encoder_limit_names (encoder, pyro_clock_monotonic ());
  second = encode (encoder);
  g_assert_cmpstr (second->locations[0].lines[0].function->name, ==,
                   first->locations[0].lines[0].function->name);
  g_assert_null (
      pyro_profile_get_comment (second, PYRO_COMMENT_NAMES_POSTPONED));
  pyro_cpu_encoder_unref (encoder);
}

/* The line of the function's code, 0: unknown. */
static gint64
find_line (const gchar *params)
{
  PyroCpuEncoder *encoder = make_encoder (params);
  g_autoptr (PyroProfile) profile = encode (encoder);

  pyro_cpu_encoder_unref (encoder);
  return profile->locations[0].lines[0].line;
}

static void
test_lines_are_from_the_debug_path (void)
{
  if (find_line (NULL) == 0) {
    g_test_skip ("there is no debug information of the C library");
    return;
  }
  g_assert_cmpint (find_line ("debug-path=/dev:/usr/lib/debug"), >, 0);
  g_assert_cmpint (find_line ("debug-path=/dev"), ==, 0);
}

static void
test_a_profile_for_a_server_has_addresses_and_build_ids (void)
{
  PyroCpuEncoder *encoder = make_encoder ("symbols=server");
  g_autoptr (PyroProfile) profile = NULL;
  const PyroLocation *location;

  build_id = (gchar *)"00112233";
  profile = encode (encoder);
  location = &profile->locations[0];
  g_assert_cmpuint (location->n_lines, ==, 0);
  g_assert_cmpuint (location->address, !=, 0);
  g_assert_cmpstr (location->mapping->build_id, ==, "00112233");
  g_assert_false (location->mapping->has_functions);
  pyro_cpu_encoder_unref (encoder);
}

static void
test_what_no_server_can_know_is_named_for_it_too (void)
{
  PyroCpuEncoder *encoder = make_encoder ("symbols=server");
  g_autoptr (PyroProfile) profile = encode (encoder);

  g_assert_nonnull (
      strstr (profile->locations[0].lines[0].function->name, "qsort"));
  pyro_cpu_encoder_unref (encoder);
}

static void
test_without_symbols_nothing_is_named (void)
{
  PyroCpuEncoder *encoder = make_encoder ("symbols=none");
  g_autoptr (PyroProfile) profile = encode (encoder);

  g_assert_cmpuint (profile->locations[0].n_lines, ==, 0);
  pyro_cpu_encoder_unref (encoder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define TEST(name) g_test_add_func ("/tracer/profile-names/" #name, test_##name)
  TEST (a_late_profile_has_addresses_and_says_how_many_have_no_name);
  TEST (a_profile_in_time_has_names);
  TEST (names_that_are_known_need_no_time);
  TEST (lines_are_from_the_debug_path);
  TEST (what_no_server_can_know_is_named_for_it_too);
  TEST (without_symbols_nothing_is_named);
  TEST (a_profile_for_a_server_has_addresses_and_build_ids);
  return g_test_run ();
}
