/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "profile/tests/example.h"

#include "profile/profile-comments.h"

PyroProfileBuilder *
example_builder_new (void)
{
  static const PyroValueType types[]
      = { { "samples", "count" }, { "cpu", "nanoseconds" } };

  return pyro_profile_builder_new (types, G_N_ELEMENTS (types),
                                   (PyroValueType){ "cpu", "nanoseconds" },
                                   10000000);
}

void
example_add_samples (PyroProfileBuilder *builder, guint n_samples)
{
  static const PyroMapping mapping = {
    .start = 0x1000,
    .limit = 0x9000,
    .file_offset = 0x1000,
    .filename = "/usr/lib/libexample.so",
    .build_id = "0123abcd",
    .has_functions = TRUE,
  };
  guint64 mapping_id = pyro_profile_builder_add_mapping (builder, &mapping);
  guint64 main_id
      = pyro_profile_builder_add_function (builder, "main", "main", "m.c", 3);
  PyroLine main_line = { main_id, 7 };
  guint64 root = pyro_profile_builder_add_location (builder, mapping_id, 0x1100,
                                                    &main_line, 1);
  guint i;

  for (i = 0; i < n_samples; i++) {
    g_autofree gchar *name = g_strdup_printf ("function_%u", i);
    PyroLine line
        = { pyro_profile_builder_add_function (builder, name, name, NULL, 0) };
    guint64 stack[] = { pyro_profile_builder_add_location (
                            builder, mapping_id, 0x2000 + i, &line, 1),
                        root };
    gint64 values[] = { i + 1, (i + 1) * G_GINT64_CONSTANT (10000000) };
    PyroLabel labels[]
        = { { "element", i % 2 == 0 ? "e0" : "e1" }, { "thread", "worker" } };

    pyro_profile_builder_add_sample (builder, stack, G_N_ELEMENTS (stack),
                                     values, labels, G_N_ELEMENTS (labels));
  }
}

GBytes *
example_encode (guint n_samples, gint64 time_ns)
{
  g_autoptr (PyroProfileBuilder) builder = example_builder_new ();
  g_autofree gchar *count = g_strdup_printf ("%u", n_samples);

  pyro_profile_builder_set_time (builder, time_ns,
                                 10 * G_GINT64_CONSTANT (1000000000));
  pyro_profile_builder_add_comment (builder, PYRO_COMMENT_SAMPLES, count);
  pyro_profile_builder_add_comment (builder, PYRO_COMMENT_DROPPED, "1");
  pyro_profile_builder_add_comment (builder, PYRO_COMMENT_SERIES "service_name",
                                    "camera");
  example_add_samples (builder, n_samples);
  return pyro_profile_builder_encode (builder);
}
