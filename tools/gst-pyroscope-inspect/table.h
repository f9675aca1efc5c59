/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: a sample type's sums by function, line, mapping, labels, or several of
 * them at once.
 * Owner: the table owns its rows.
 * Threads: one table belongs to one thread.
 */
#pragma once

#include "profile/profile-filter.h"

G_BEGIN_DECLS

typedef struct {
  gchar *name;           /* the parts, ", " between them */
  gchar **parts;         /* one for each key */
  gint64 flat;           /* of samples whose leaf it is */
  gint64 cum;            /* of samples in whose stack it is, once for each */
  gdouble flat_variance; /* of the sampling; see sampling-noise.h */
  gdouble cum_variance;

  /*< private >*/
  gsize seen; /* number of the last sample that counted for cum */
} PyroTableRow;

typedef enum {
  PYRO_SORT_FLAT,
  PYRO_SORT_CUM,
  PYRO_SORT_NAME,
} PyroTableSort;

typedef struct {
  GPtrArray *rows; /* PyroTableRow, the largest first */
  gboolean noise_is_known;
} PyroTable;

/* KEYS: NULL-terminated, each "function", "line", "mapping" or the key of a
 * label ("label:function": a label of that name); one at most is of the stack.
 * Without one there is no stack, flat and cum are the same. */
PyroTable *pyro_table_new (const PyroProfile *profile, guint type,
                           const gchar *const *keys, PyroTableSort sort);
/* The same for one key, sorted by flat. */
PyroTable *
pyro_table_new_by (const PyroProfile *profile, guint type, const gchar *key);
void pyro_table_free (PyroTable *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PyroTable, pyro_table_free)

/* Whether KEY is one of those that are no label. */
gboolean pyro_table_is_by_stack (const gchar *key);

/* "element,function" as KEYS (transfer full). FALSE with an error where there
 * are two of the stack, one twice, or an empty one. The keys of labels are
 * added to WANTED (borrowed from KEYS), if that is not NULL. */
gboolean pyro_table_parse_keys (const gchar *text, gchar ***keys,
                                GPtrArray *wanted, GError **error);

/* FALSE with an error where one of KEYS is a label that no sample has, and that
 * FILTERS (PyroLabelFilter), which were checked, are not about. */
gboolean
pyro_table_check_keys (const PyroProfile *profile, const gchar *const *keys,
                       const GArray *filters, GError **error);

G_END_DECLS
