/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: a pprof profile that was read, with everything resolved.
 * Owner: the profile owns all that its fields point to.
 * Threads: one profile belongs to one thread at a time; no global state.
 *
 * Format: https://github.com/google/pprof/blob/main/proto/profile.proto
 * Not kept: drop_frames, keep_frames, doc_url, a line's column and a location's
 * is_folded.
 */
#pragma once

#include "profile/profile-error.h"
#include "profile/profile-types.h"

G_BEGIN_DECLS

typedef struct {
  const gchar *name;        /* as people read it */
  const gchar *system_name; /* as the linker does */
  const gchar *filename;
  gint64 start_line; /* 0: unknown */
} PyroFunction;

typedef struct {
  const PyroFunction *function;
  gint64 line; /* 0: unknown */
} PyroSourceLine;

typedef struct {
  const PyroMapping *mapping; /* or NULL */
  guint64 address;
  const PyroSourceLine *lines; /* inlined callees first */
  gsize n_lines;
} PyroLocation;

typedef struct {
  const PyroLocation *const *locations; /* leaf first */
  gsize n_locations;
  const gint64 *values; /* one for each sample type */
  const PyroSampleLabel *labels;
  gsize n_labels;
} PyroSample;

/* Read the fields, leave them as they are. No string is NULL unless it says
 * so, all are valid UTF-8; what is absent from the file is "". */
typedef struct {
  const PyroValueType *sample_types; /* at least one */
  gsize n_sample_types;
  PyroValueType period_type;
  gint64 period;
  gint64 time_ns; /* UNIX time of the start, 0: unknown */
  gint64 duration_ns;
  const gchar *default_sample_type; /* a type's name, or "" */
  const gchar *const *comments;
  gsize n_comments;
  const PyroMapping *mappings;
  gsize n_mappings;
  const PyroFunction *functions;
  gsize n_functions;
  const PyroLocation *locations;
  gsize n_locations;
  PyroSample *samples;
  gsize n_samples;

  /*< private >*/
  struct _PyroArena *arena;
} PyroProfile;

/* What one profile may cost. */
typedef struct {
  gsize max_size;   /* bytes of the unpacked file */
  gsize max_memory; /* bytes of all that is made from it */
} PyroProfileLimits;

#define PYRO_PROFILE_MAX_SIZE ((gsize)256 * 1024 * 1024)
#define PYRO_PROFILE_MAX_MEMORY ((gsize)1024 * 1024 * 1024)

/* Reads a pprof profile, gzipped or not. LIMITS NULL: the two above. NULL with
 * a PYRO_PROFILE_ERROR where BYTES are none; the message continues a sentence
 * that began with the file's name. Every id and string index in the result was
 * checked, each sample has a value for each type. (transfer full) */
PyroProfile *
pyro_profile_decode (GBytes *bytes, const PyroProfileLimits *limits,
                     GError **error);
void pyro_profile_free (PyroProfile *profile);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PyroProfile, pyro_profile_free)

/* The serialized pprof message, not compressed. Samples with the same stack
 * and labels become one; locations, functions and mappings that no sample uses
 * are left out, but for the first mapping, which is the program itself.
 * (transfer full) */
GBytes *pyro_profile_encode (const PyroProfile *profile);

/* Gives the label KEY, VALUE to all samples that do not have a label KEY, as
 * long as there is memory within the profile's limits. Copies both. */
void pyro_profile_add_label (PyroProfile *profile, const gchar *key,
                             const gchar *value);

/* The first label KEY of SAMPLE, or NULL. Borrowed. */
const PyroSampleLabel *
pyro_sample_get_label (const PyroSample *sample, const gchar *key);

/* The label's value: its string, or its number and unit ("42 bytes").
 * (transfer full) */
gchar *pyro_sample_label_to_string (const PyroSampleLabel *label);

/* The value of the first comment "KEY=value", or NULL. Borrowed. */
const gchar *
pyro_profile_get_comment (const PyroProfile *profile, const gchar *key);

G_END_DECLS
