/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "requests.h"
#include "profile/gzip.h"
#include "profile/profile-split.h"
#include "profile/push-message.h"

/* A random UUID (RFC 9562, version 4). (transfer full) */
static gchar *
make_id (GRand *random)
{
  guint32 word[4];

  for (guint i = 0; i < 4; i++)
    word[i] = g_rand_int (random);
  return g_strdup_printf (
      "%08x-%04x-4%03x-%04x-%04x%08x", word[0], word[1] >> 16, word[1] & 0xfff,
      0x8000 | (word[2] >> 16 & 0x3fff), word[2] & 0xffff, word[3]);
}

GPtrArray *
pyro_requests_new (const GArray *series, GBytes *pprof, GBytes *compressed,
                   GRand *random, GError **error)
{
  g_autoptr (GPtrArray) parts = pyro_profile_split (
      pprof, PYRO_SPLIT_MAX_BYTES, PYRO_SPLIT_MAX_SAMPLES, error);
  g_autoptr (GPtrArray) requests = NULL;

  if (parts == NULL)
    return NULL;
  requests = g_ptr_array_new_with_free_func ((GDestroyNotify)g_bytes_unref);
  for (guint i = 0; i < parts->len; i++) {
    g_autofree gchar *id = make_id (random);
    g_autoptr (GBytes) part = parts->len == 1 && compressed != NULL
                                  ? g_bytes_ref (compressed)
                                  : pyro_gzip (parts->pdata[i]);

    g_ptr_array_add (requests,
                     pyro_push_request_encode ((const PyroLabel *)series->data,
                                               series->len, part, id));
  }
  return g_steal_pointer (&requests);
}
