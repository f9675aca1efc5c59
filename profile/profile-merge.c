/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "profile/profile-merge.h"

#include <string.h>

#include "profile/profile-comments.h"
#include "profile/profile-copy.h"
#include "profile/saturated.h"

typedef struct {
  gint64 start;
  gint64 end;
} Interval;

/* A comment, or a counter among them. */
typedef struct {
  gchar *text; /* a counter's key, or all of a comment */
  gboolean is_counter;
  gint64 count;
} Comment;

struct _PyroProfileMerger {
  PyroProfileBuilder *builder; /* NULL: nothing was added yet */
  guint n_profiles;
  PyroProfile types; /* only types, period and default; strings are ours */

  GArray *intervals; /* Interval */
  gint64 undated_ns; /* duration of the profiles that have no start */
  GPtrArray *comments;
  GHashTable *comment_index; /* text → Comment */
};

static void
comment_free (gpointer data)
{
  Comment *comment = data;

  g_free (comment->text);
  g_free (comment);
}

PyroProfileMerger *
pyro_profile_merger_new (void)
{
  PyroProfileMerger *merger = g_new0 (PyroProfileMerger, 1);

  merger->intervals = g_array_new (FALSE, FALSE, sizeof (Interval));
  merger->comments = g_ptr_array_new_with_free_func (comment_free);
  merger->comment_index = g_hash_table_new (g_str_hash, g_str_equal);
  return merger;
}

static void
value_type_copy (PyroValueType *to, const PyroValueType *from)
{
  to->type = g_strdup (from->type);
  to->unit = g_strdup (from->unit);
}

static void
value_type_clear (const PyroValueType *type)
{
  g_free ((gchar *)type->type);
  g_free ((gchar *)type->unit);
}

static gboolean
value_type_equal (const PyroValueType *a, const PyroValueType *b)
{
  return strcmp (a->type, b->type) == 0 && strcmp (a->unit, b->unit) == 0;
}

void
pyro_profile_merger_free (PyroProfileMerger *merger)
{
  gsize i;

  if (merger == NULL)
    return;
  pyro_profile_builder_free (merger->builder);
  for (i = 0; i < merger->types.n_sample_types; i++)
    value_type_clear (&merger->types.sample_types[i]);
  g_free ((gpointer)merger->types.sample_types);
  value_type_clear (&merger->types.period_type);
  g_array_unref (merger->intervals);
  g_hash_table_unref (merger->comment_index);
  g_ptr_array_unref (merger->comments);
  g_free (merger);
}

static void
start_with (PyroProfileMerger *merger, const PyroProfile *profile)
{
  PyroValueType *types = g_new (PyroValueType, profile->n_sample_types);
  gsize i;

  for (i = 0; i < profile->n_sample_types; i++)
    value_type_copy (&types[i], &profile->sample_types[i]);
  merger->types.sample_types = types;
  merger->types.n_sample_types = profile->n_sample_types;
  value_type_copy (&merger->types.period_type, &profile->period_type);

  merger->builder = pyro_profile_builder_new (
      types, profile->n_sample_types, profile->period_type, profile->period);
  pyro_profile_builder_set_default_sample_type (merger->builder,
                                                profile->default_sample_type);
}

gboolean
pyro_profile_has_types_of (const PyroProfile *a, const PyroProfile *b)
{
  gsize i;

  if (a->n_sample_types != b->n_sample_types
      || !value_type_equal (&a->period_type, &b->period_type))
    return FALSE;
  for (i = 0; i < a->n_sample_types; i++) {
    if (!value_type_equal (&a->sample_types[i], &b->sample_types[i]))
      return FALSE;
  }
  return TRUE;
}

gboolean
pyro_profile_merger_accepts (PyroProfileMerger *merger,
                             const PyroProfile *profile)
{
  return merger->builder == NULL
         || pyro_profile_has_types_of (&merger->types, profile);
}

/* "stats.samples=12" is a counter, "stats.note=good" is not. */
static gboolean
parse_counter (const gchar *text, gsize *key_length, gint64 *count)
{
  const gchar *equals = strchr (text, '=');
  gchar *end;

  if (!g_str_has_prefix (text, PYRO_COMMENT_STATS) || equals == NULL
      || !(g_ascii_isdigit (equals[1]) || equals[1] == '-'))
    return FALSE;
  *key_length = equals - text;
  *count = g_ascii_strtoll (equals + 1, &end, 10);
  return *end == '\0';
}

static void
add_comment (PyroProfileMerger *merger, const gchar *text)
{
  g_autofree gchar *key = NULL;
  gsize key_length = 0;
  gint64 count = 0;
  gboolean is_counter = parse_counter (text, &key_length, &count);
  Comment *comment;

  key = is_counter ? g_strndup (text, key_length) : g_strdup (text);
  comment = g_hash_table_lookup (merger->comment_index, key);
  if (comment == NULL) {
    comment = g_new0 (Comment, 1);
    comment->text = g_steal_pointer (&key);
    comment->is_counter = is_counter;
    g_ptr_array_add (merger->comments, comment);
    g_hash_table_insert (merger->comment_index, comment->text, comment);
  }
  comment->count = pyro_saturated_add (comment->count, count);
}

static void
add_time (PyroProfileMerger *merger, const PyroProfile *profile)
{
  Interval interval = { profile->time_ns, profile->time_ns };
  gint64 duration_ns = MAX (profile->duration_ns, 0);

  if (interval.start == 0) {
    merger->undated_ns = pyro_saturated_add (merger->undated_ns, duration_ns);
    return;
  }
  interval.end = pyro_saturated_add (interval.end, duration_ns);
  g_array_append_val (merger->intervals, interval);
}

gboolean
pyro_profile_merger_add (PyroProfileMerger *merger, const PyroProfile *profile,
                         GError **error)
{
  g_autoptr (PyroProfileCopy) copy = NULL;
  gsize i;

  if (merger->builder == NULL)
    start_with (merger, profile);
  if (!pyro_profile_merger_accepts (merger, profile)) {
    g_set_error_literal (error, PYRO_PROFILE_ERROR,
                         PYRO_PROFILE_ERROR_INCOMPATIBLE,
                         "has other sample types than the profiles before it");
    return FALSE;
  }

  copy = pyro_profile_copy_new (profile, merger->builder);
  for (i = 0; i < profile->n_samples; i++)
    pyro_profile_copy_sample (copy, &profile->samples[i]);
  for (i = 0; i < profile->n_comments; i++)
    add_comment (merger, profile->comments[i]);
  add_time (merger, profile);
  if (profile->period > merger->types.period) {
    merger->types.period = profile->period;
    pyro_profile_builder_set_period (merger->builder, profile->period);
  }
  merger->n_profiles++;
  return TRUE;
}

guint
pyro_profile_merger_get_n_profiles (PyroProfileMerger *merger)
{
  return merger->n_profiles;
}

static gint
interval_compare (gconstpointer a, gconstpointer b)
{
  const Interval *x = a, *y = b;

  return (x->start > y->start) - (x->start < y->start);
}

static void
set_time (PyroProfileMerger *merger)
{
  gint64 covered = merger->undated_ns;
  gint64 end = G_MININT64;
  guint i;

  g_array_sort (merger->intervals, interval_compare);
  for (i = 0; i < merger->intervals->len; i++) {
    const Interval *interval = &g_array_index (merger->intervals, Interval, i);
    gint64 start = MAX (interval->start, end);

    if (interval->end <= start)
      continue;
    /* An interval is at most G_MAXINT64 long, as its duration was. */
    covered = pyro_saturated_add (covered, interval->end - start);
    end = interval->end;
  }
  pyro_profile_builder_set_time (
      merger->builder,
      merger->intervals->len == 0
          ? 0
          : g_array_index (merger->intervals, Interval, 0).start,
      covered);
}

GBytes *
pyro_profile_merger_finish (PyroProfileMerger *merger)
{
  guint i;

  if (merger->builder == NULL)
    return NULL;
  set_time (merger);
  for (i = 0; i < merger->comments->len; i++) {
    const Comment *comment = g_ptr_array_index (merger->comments, i);
    g_autofree gchar *count = NULL;

    if (comment->is_counter)
      count = g_strdup_printf ("%" G_GINT64_FORMAT, comment->count);
    pyro_profile_builder_add_comment (merger->builder, comment->text, count);
  }
  return pyro_profile_builder_encode (merger->builder);
}
