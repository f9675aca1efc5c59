/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "profile/push-message.h"
#include "profile/push.pb-c.h"

static void
test_the_request_carries_series_profile_and_id (void)
{
  PyroLabel series[] = { { "__name__", "process_cpu" },
                         { "nothing", NULL },
                         { "empty", "" },
                         { "service_name", "caf\xe9" } };
  g_autoptr (GBytes) pprof = g_bytes_new_static ("\0\1\2", 3);
  g_autoptr (GBytes) bytes
      = pyro_push_request_encode (series, G_N_ELEMENTS (series), pprof, "id");
  Push__V1__PushRequest *request;
  Push__V1__RawProfileSeries *one;
  gconstpointer data;
  gsize size;

  data = g_bytes_get_data (bytes, &size);
  request = push__v1__push_request__unpack (NULL, size, data);
  g_assert_nonnull (request);
  g_assert_cmpuint (request->n_series, ==, 1);
  one = request->series[0];
  g_assert_cmpuint (one->n_labels, ==, 2);
  g_assert_cmpstr (one->labels[0]->name, ==, "__name__");
  g_assert_cmpstr (one->labels[0]->value, ==, "process_cpu");
  g_assert_cmpstr (one->labels[1]->value, ==, "caf\xef\xbf\xbd");
  g_assert_cmpuint (one->n_samples, ==, 1);
  g_assert_cmpmem (one->samples[0]->raw_profile.data,
                   one->samples[0]->raw_profile.len, "\0\1\2", 3);
  g_assert_cmpstr (one->samples[0]->id, ==, "id");
  push__v1__push_request__free_unpacked (request, NULL);
}

static void
test_the_bytes_are_as_the_format_says (void)
{
  /* Field numbers and wire types by hand, against a wrong .proto. */
  static const guint8 expected[] = {
    0x0a, 17,                                     /* series */
    0x0a, 6,  0x0a, 1, 'n', 0x12, 1,    'v',      /* label */
    0x12, 7,  0x0a, 2, 'p', 'p',  0x12, 1,   'i', /* sample */
  };
  PyroLabel series[] = { { "n", "v" } };
  g_autoptr (GBytes) pprof = g_bytes_new_static ("pp", 2);
  g_autoptr (GBytes) bytes = pyro_push_request_encode (series, 1, pprof, "i");

  g_assert_cmpmem (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes),
                   expected, sizeof expected);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define TEST(name) g_test_add_func ("/profile/push/" #name, test_##name)
  TEST (the_request_carries_series_profile_and_id);
  TEST (the_bytes_are_as_the_format_says);
  return g_test_run ();
}
