/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "profile/profile-filter.h"
#include "profile/tests/example.h"

static void
keep (PyroProfile *profile, PyroLabelMatch match, gboolean negated,
      const gchar *key, const gchar *value)
{
  PyroLabelFilter filter = { .key = (gchar *)key,
                             .match = match,
                             .negated = negated,
                             .value = (gchar *)value };

  if (match == PYRO_LABEL_REGEX)
    filter.regex = g_regex_new (value, 0, 0, NULL);
  pyro_profile_filter_labels (profile, &filter, 1);
  g_clear_pointer (&filter.regex, g_regex_unref);
}

/* How many of five samples, three with the element e0 and two with e1. */
static guint
count_kept (PyroLabelMatch match, gboolean negated, const gchar *key,
            const gchar *value)
{
  g_autoptr (GBytes) bytes = example_encode (5, 1);
  g_autoptr (PyroProfile) profile = pyro_profile_decode (bytes, NULL, NULL);

  keep (profile, match, negated, key, value);
  return profile->n_samples;
}

static void
test_all_filters_must_match (void)
{
  g_autoptr (GBytes) bytes = example_encode (5, 1);
  g_autoptr (PyroProfile) profile = pyro_profile_decode (bytes, NULL, NULL);
  PyroLabelFilter both[] = { { .key = "element", .value = "e1" },
                             { .key = "thread", .value = "worker" },
                             { .key = "element", .match = PYRO_LABEL_ABSENT } };

  pyro_profile_filter_labels (profile, both, 2);
  g_assert_cmpuint (profile->n_samples, ==, 2);
  g_assert_cmpint (profile->samples[0].values[0], ==, 2);
  g_assert_cmpint (profile->samples[1].values[0], ==, 4);
  pyro_profile_filter_labels (profile, both, 3);
  g_assert_cmpuint (profile->n_samples, ==, 0);
}

static void
test_values_match_as_text_as_pattern_and_as_expression (void)
{
  g_assert_cmpuint (count_kept (PYRO_LABEL_EQUALS, FALSE, "element", "e0"), ==,
                    3);
  g_assert_cmpuint (count_kept (PYRO_LABEL_EQUALS, TRUE, "element", "e0"), ==,
                    2);
  g_assert_cmpuint (count_kept (PYRO_LABEL_GLOB, FALSE, "element", "?0"), ==,
                    3);
  g_assert_cmpuint (count_kept (PYRO_LABEL_GLOB, TRUE, "element", "e*"), ==, 0);
  g_assert_cmpuint (count_kept (PYRO_LABEL_REGEX, FALSE, "element", "1"), ==,
                    2);
  g_assert_cmpuint (count_kept (PYRO_LABEL_REGEX, TRUE, "element", "^x"), ==,
                    5);
}

static void
test_a_label_that_is_missing_matches_what_is_negated (void)
{
  g_assert_cmpuint (count_kept (PYRO_LABEL_EQUALS, FALSE, "none", "x"), ==, 0);
  g_assert_cmpuint (count_kept (PYRO_LABEL_EQUALS, TRUE, "none", "x"), ==, 5);
  g_assert_cmpuint (count_kept (PYRO_LABEL_ABSENT, FALSE, "none", NULL), ==, 5);
  g_assert_cmpuint (count_kept (PYRO_LABEL_ABSENT, TRUE, "thread", NULL), ==,
                    5);
}

/* function_2 has an inlined function and a caller in one location. */
static PyroProfile *
inlined_profile (void)
{
  g_autoptr (PyroProfileBuilder) builder = example_builder_new ();
  PyroLine lines[] = {
    { pyro_profile_builder_add_function (builder, "inner", "inner", "i.h", 0),
      1 },
    { pyro_profile_builder_add_function (builder, "outer", "outer", "o.c", 0),
      2 },
    { pyro_profile_builder_add_function (builder, "main", "main", "m.c", 0),
      3 },
  };
  guint64 stack[]
      = { pyro_profile_builder_add_location (builder, 0, 1, lines, 2),
          pyro_profile_builder_add_location (builder, 0, 2, lines + 2, 1) };
  gint64 values[] = { 1, 10 };
  g_autoptr (GBytes) bytes = NULL;

  pyro_profile_builder_add_sample (builder, stack, 2, values, NULL, 0);
  pyro_profile_builder_add_sample (builder, stack + 1, 1, values, NULL, 0);
  pyro_profile_builder_add_sample (builder, NULL, 0, values, NULL, 0);
  bytes = pyro_profile_builder_encode (builder);
  return pyro_profile_decode (bytes, NULL, NULL);
}

typedef enum { FOCUS, IGNORE, HIDE, SHOW_FROM } What;

/* The stacks that are left, "leaf<root leaf<root". */
static gchar *
filtered (What what, const gchar *pattern)
{
  g_autoptr (PyroProfile) profile = inlined_profile ();
  g_autoptr (GRegex) regex = g_regex_new (pattern, 0, 0, NULL);
  PyroStackFilter filter = {
    .focus = what == FOCUS ? regex : NULL,
    .ignore = what == IGNORE ? regex : NULL,
    .hide = what == HIDE ? regex : NULL,
    .show_from = what == SHOW_FROM ? regex : NULL,
  };
  GString *text = g_string_new (NULL);
  gsize i, k, l;

  pyro_profile_filter_stacks (profile, &filter);
  for (i = 0; i < profile->n_samples; i++) {
    const PyroSample *sample = &profile->samples[i];

    g_string_append (text, i > 0 ? " " : "");
    for (k = 0; k < sample->n_locations; k++) {
      for (l = 0; l < sample->locations[k]->n_lines; l++)
        g_string_append_printf (text, "%s%s", k + l > 0 ? "<" : "",
                                sample->locations[k]->lines[l].function->name);
    }
  }
  return g_string_free (text, FALSE);
}

static void
check (What what, const gchar *pattern, const gchar *expected)
{
  g_autofree gchar *text = filtered (what, pattern);

  g_assert_cmpstr (text, ==, expected);
}

static void
test_stacks_are_kept_and_cut_as_pprof_does (void)
{
  check (FOCUS, "inn", "inner<outer<main");
  check (FOCUS, "o\\.c", "inner<outer<main");
  check (FOCUS, "main", "inner<outer<main main");
  check (FOCUS, "nothing", "");
  check (IGNORE, "outer", "main");
  check (IGNORE, "nothing", "inner<outer<main main");
  check (HIDE, "inner", "outer<main main");
  check (HIDE, "^(inner|outer)$", "main main");
  check (HIDE, "main", "inner<outer");
  check (SHOW_FROM, "outer", "inner<outer");
  check (SHOW_FROM, "inner", "inner");
  check (SHOW_FROM, "main", "inner<outer<main main");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define TEST(name) g_test_add_func ("/filter/" #name, test_##name)
  TEST (all_filters_must_match);
  TEST (values_match_as_text_as_pattern_and_as_expression);
  TEST (a_label_that_is_missing_matches_what_is_negated);
  TEST (stacks_are_kept_and_cut_as_pprof_does);
#undef TEST
  return g_test_run ();
}
