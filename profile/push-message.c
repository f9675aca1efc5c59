/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "profile/push-message.h"

#include "profile/gzip.h"
#include "profile/push.pb-c.h"

#define MAX_PROFILE_BYTES ((gsize)256 * 1024 * 1024)

GBytes *
pyro_push_request_encode (const PyroLabel *series, guint n_series,
                          GBytes *pprof, const gchar *id)
{
  Push__V1__PushRequest request = PUSH__V1__PUSH_REQUEST__INIT;
  Push__V1__RawProfileSeries one = PUSH__V1__RAW_PROFILE_SERIES__INIT;
  Push__V1__RawProfileSeries *all_series[] = { &one };
  Push__V1__RawSample sample = PUSH__V1__RAW_SAMPLE__INIT;
  Push__V1__RawSample *samples[] = { &sample };
  g_autoptr (GPtrArray) strings = g_ptr_array_new_with_free_func (g_free);
  g_autofree Push__V1__LabelPair *pairs = g_new (Push__V1__LabelPair, n_series);
  g_autofree Push__V1__LabelPair **labels
      = g_new (Push__V1__LabelPair *, n_series);
  guint8 *data;
  gsize size;
  guint i;

  for (i = 0; i < n_series; i++) {
    Push__V1__LabelPair *pair = &pairs[one.n_labels];

    if (series[i].value == NULL || *series[i].value == '\0')
      continue;
    push__v1__label_pair__init (pair);
    pair->name = g_utf8_make_valid (series[i].key, -1);
    pair->value = g_utf8_make_valid (series[i].value, -1);
    g_ptr_array_add (strings, pair->name);
    g_ptr_array_add (strings, pair->value);
    labels[one.n_labels++] = pair;
  }
  one.labels = labels;

  sample.raw_profile.data
      = (guint8 *)g_bytes_get_data (pprof, &sample.raw_profile.len);
  if (id != NULL) {
    sample.id = g_utf8_make_valid (id, -1);
    g_ptr_array_add (strings, sample.id);
  }
  one.samples = samples;
  one.n_samples = G_N_ELEMENTS (samples);
  request.series = all_series;
  request.n_series = G_N_ELEMENTS (all_series);

  size = push__v1__push_request__get_packed_size (&request);
  data = g_malloc (size);
  push__v1__push_request__pack (&request, data);
  return g_bytes_new_take (data, size);
}

gboolean
pyro_push_request_is_whole (GBytes *request)
{
  Push__V1__PushRequest *message = push__v1__push_request__unpack (
      NULL, g_bytes_get_size (request), g_bytes_get_data (request, NULL));
  gboolean whole = FALSE;

  if (message != NULL && message->n_series == 1
      && message->series[0]->n_samples == 1) {
    const ProtobufCBinaryData *raw
        = &message->series[0]->samples[0]->raw_profile;
    g_autoptr (GBytes) packed = g_bytes_new_static (raw->data, raw->len);
    g_autoptr (GBytes) plain = pyro_gunzip (packed, MAX_PROFILE_BYTES, NULL);

    whole = plain != NULL;
  }
  if (message != NULL)
    push__v1__push_request__free_unpacked (message, NULL);
  return whole;
}
