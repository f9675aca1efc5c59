/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "accounting.h"

#include "profile/profile-comments.h"

typedef struct {
  const gchar *name; /* in the structure */
  gsize offset;      /* of the guint64 */
  const gchar *key;  /* of the comment, or NULL */
} Counter;

#define OF_SESSION(name, field)                           \
  {                                                       \
    name, G_STRUCT_OFFSET (PyroSessionStats, field), NULL \
  }
static const Counter of_session[] = {
  OF_SESSION ("samples", samples),
  OF_SESSION ("samples-dropped", dropped),
  OF_SESSION ("samples-truncated", truncated),
  OF_SESSION ("impossible-ns", impossible_ns),
  OF_SESSION ("intervals", intervals),
};

#define OF_DELIVERY(name, field, key)                 \
  {                                                   \
    name, G_STRUCT_OFFSET (PyroDeliveryStats, field), \
        PYRO_COMMENT_DELIVERY key                     \
  }
static const Counter of_delivery[] = {
  OF_DELIVERY ("samples-lost", samples_lost, "samples-lost"),
  OF_DELIVERY ("profiles-captured", captured, "captured"),
  OF_DELIVERY ("profiles-not-written", write_failed, "not-written"),
  OF_DELIVERY ("profiles-sent", pushed, "sent"),
  OF_DELIVERY ("profiles-split", split, "split"),
  OF_DELIVERY ("requests-sent-again", sent_again, "sent-again"),
  OF_DELIVERY ("profiles-refused", failed, "refused"),
  OF_DELIVERY ("profiles-dropped", dropped, "dropped"),
  OF_DELIVERY ("profiles-lost", discarded, "lost"),
  OF_DELIVERY ("profiles-spooled", spooled, "spooled"),
  OF_DELIVERY ("profiles-sent-elsewhere", elsewhere, "sent-elsewhere"),
  OF_DELIVERY ("requests-found", found, "found"),
};

static guint64
get (const Counter *counter, gconstpointer stats)
{
  return G_STRUCT_MEMBER (guint64, stats, counter->offset);
}

gchar *
pyro_accounting_describe (const PyroSessionStats *stats)
{
  const PyroDeliveryStats *delivery = &stats->delivery;

  return g_strdup_printf (
      "%" G_GUINT64_FORMAT " samples in %" G_GUINT64_FORMAT
      " intervals, %" G_GUINT64_FORMAT " dropped by full rings, "
      "%" G_GUINT64_FORMAT " in lost intervals, %" G_GUINT64_FORMAT
      " truncated, %" G_GUINT64_FORMAT
      " ns that clocks cannot have counted; profiles: %" G_GUINT64_FORMAT
      " pushed (%" G_GUINT64_FORMAT " in parts, %" G_GUINT64_FORMAT
      " requests sent again), %" G_GUINT64_FORMAT " refused, %" G_GUINT64_FORMAT
      " dropped for size or age, %" G_GUINT64_FORMAT " lost, %" G_GUINT64_FORMAT
      " kept in the spool, %" G_GUINT64_FORMAT
      " sent by another process; %" G_GUINT64_FORMAT
      " captured, %" G_GUINT64_FORMAT " not written",
      stats->samples, stats->intervals, stats->dropped, delivery->samples_lost,
      stats->truncated, stats->impossible_ns, delivery->pushed, delivery->split,
      delivery->sent_again, delivery->failed, delivery->dropped,
      delivery->discarded, delivery->spooled, delivery->elsewhere,
      delivery->captured, delivery->write_failed);
}

static void
add_fields (GstStructure *structure, const Counter *counters, guint n,
            gconstpointer stats)
{
  for (guint i = 0; i < n; i++)
    gst_structure_set (structure, counters[i].name, G_TYPE_UINT64,
                       get (&counters[i], stats), NULL);
}

GstStructure *
pyro_accounting_to_structure (const PyroSessionStats *stats)
{
  GstStructure *structure = gst_structure_new_empty ("pyroscope-stats");

  add_fields (structure, of_session, G_N_ELEMENTS (of_session), stats);
  add_fields (structure, of_delivery, G_N_ELEMENTS (of_delivery),
              &stats->delivery);
  return structure;
}

void
pyro_accounting_add_comments (PyroProfileBuilder *builder,
                              const PyroDeliveryStats *before,
                              const PyroDeliveryStats *now)
{
  for (guint i = 0; i < G_N_ELEMENTS (of_delivery); i++) {
    guint64 n = get (&of_delivery[i], now) - get (&of_delivery[i], before);
    g_autofree gchar *text = g_strdup_printf ("%" G_GUINT64_FORMAT, n);

    if (n > 0)
      pyro_profile_builder_add_comment (builder, of_delivery[i].key, text);
  }
}
