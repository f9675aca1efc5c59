/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: builds one pprof profile, sample by sample.
 * Owner: the builder copies every string it is given; ids are the builder's.
 * Strings that are not UTF-8 are made so, and those that a server would refuse
 * are cut (see bounded-text.h), wherever they are.
 * Threads: one builder belongs to one thread at a time; no global state.
 *
 * Format: https://github.com/google/pprof/blob/main/proto/profile.proto
 */
#pragma once

#include "profile/profile-types.h"

G_BEGIN_DECLS

typedef struct _PyroProfileBuilder PyroProfileBuilder;

PyroProfileBuilder *
pyro_profile_builder_new (const PyroValueType *sample_types,
                          guint n_sample_types, PyroValueType period_type,
                          gint64 period);
void pyro_profile_builder_free (PyroProfileBuilder *builder);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PyroProfileBuilder, pyro_profile_builder_free)

/* Start (UNIX time) and length, both in nanoseconds. */
void pyro_profile_builder_set_time (PyroProfileBuilder *builder, gint64 time_ns,
                                    gint64 duration_ns);

/* Instead of the one given at the start. */
void
pyro_profile_builder_set_period (PyroProfileBuilder *builder, gint64 period);

/* Which sample type a tool shows first. */
void pyro_profile_builder_set_default_sample_type (PyroProfileBuilder *builder,
                                                   const gchar *type);

/* A "key=value" comment (see profile-comments.h for the keys in use). VALUE
 * NULL: the comment is KEY alone. */
void pyro_profile_builder_add_comment (PyroProfileBuilder *builder,
                                       const gchar *key, const gchar *value);

/* Each returns the id (never 0) of the entry; equal entries are one. */
guint64 pyro_profile_builder_add_mapping (PyroProfileBuilder *builder,
                                          const PyroMapping *mapping);
guint64
pyro_profile_builder_add_function (PyroProfileBuilder *builder,
                                   const gchar *name, const gchar *system_name,
                                   const gchar *filename, gint64 start_line);

/* MAPPING_ID 0: none. Entries with the same mapping, address and lines are
 * one. */
guint64
pyro_profile_builder_add_location (PyroProfileBuilder *builder,
                                   guint64 mapping_id, guint64 address,
                                   const PyroLine *lines, guint n_lines);

/* LOCATION_IDS: leaf first. VALUES: one for each sample type. Samples with the
 * same stack and labels are NOT merged here: the caller aggregates. Labels
 * whose value is NULL or empty are left out. */
void pyro_profile_builder_add_sample (PyroProfileBuilder *builder,
                                      const guint64 *location_ids,
                                      guint n_locations, const gint64 *values,
                                      const PyroLabel *labels, guint n_labels);

/* As add_sample, but where a sample with the same stack and labels was added
 * by this function before, the values are added to it. Sums stop at the ends
 * of gint64 instead of wrapping. Takes numeric labels, too. */
void pyro_profile_builder_merge_sample (PyroProfileBuilder *builder,
                                        const guint64 *location_ids,
                                        guint n_locations, const gint64 *values,
                                        const PyroSampleLabel *labels,
                                        guint n_labels);

guint pyro_profile_builder_get_n_samples (PyroProfileBuilder *builder);

/* How many of its strings were cut, each counted once. */
guint pyro_profile_builder_get_n_cut (PyroProfileBuilder *builder);

/* The serialized pprof message, not compressed. (transfer full) */
GBytes *pyro_profile_builder_encode (PyroProfileBuilder *builder);

G_END_DECLS
