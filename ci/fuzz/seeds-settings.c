/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parameters and environments, as fuzz-settings.c takes them. */

#include "fuzz.h"

#define SEED(text)          \
  {                         \
    text, sizeof (text) - 1 \
  }

static const struct {
  const gchar *text;
  gsize size;
} seeds[] = {
  SEED ("server-url=http://localhost:4040,tracer-name=gst.pyroscope,"
        "sample-rate=100,stop-agent-on-dispose=true,tags=\"k1=v1,k2=v2\""),
  SEED ("tags=env=dev,team=video,sample-rate=(int)1000"),
  SEED ("pyroscope, tags={a=b, c='d, e'}, labels=<pipeline,element>;"),
  SEED ("http-headers={\"X-Scope\": \"a\\u0041\", \"B\":\"c\"},auth-token=t"),
  SEED ("output-dir=/tmp/x,server-url=\"\",profiles=[cpu],unwinder=tables"),
  SEED ("\0PYROSCOPE_SERVER_ADDRESS=https://u:p@host:1/x\0"
        "GST_PYROSCOPE_TAGS=a=b\\,c,d=\"e\"\0GST_PYROSCOPE_SAMPLE_RATE=1e3"),
  SEED ("sample-rat=5,stop-timeout=-1,upload-interval=99999999999999999999"),
};

void
pyro_fuzz_give_seeds (PyroFuzzTake take, gpointer user_data)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (seeds); i++)
    take (user_data, seeds[i].text, seeds[i].size);
}
