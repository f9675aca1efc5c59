/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the plain value types that the profile room shares with its callers.
 * Owner: whoever fills one; all strings are borrowed for the call they go in.
 * Threads: plain data, no state.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* A dimension of a sample, for example { "cpu", "nanoseconds" }. */
typedef struct {
  const gchar *type;
  const gchar *unit;
} PyroValueType;

/* A label of a sample or of a series. */
typedef struct {
  const gchar *key;
  const gchar *value;
} PyroLabel;

/* A label of a sample as pprof knows it: a string or a number. */
typedef struct {
  const gchar *key;
  const gchar *str; /* NULL: the label is the number NUM */
  gint64 num;
  const gchar *unit; /* of NUM, or NULL */
} PyroSampleLabel;

/* One source line of a location. Inlined callees come first. */
typedef struct {
  guint64 function_id; /* from pyro_profile_builder_add_function() */
  gint64 line;         /* 0: unknown */
} PyroLine;

/* An executable segment of an ELF file. Addresses are the file's own (virtual
 * addresses as linked, without the load bias), so that profiles of different
 * processes merge and a symbolizer needs nothing but the build id. */
typedef struct {
  guint64 start;         /* first address of the segment */
  guint64 limit;         /* first address behind it */
  guint64 file_offset;   /* of START in the file, bytes */
  const gchar *filename; /* path, or "[vdso]", "[orc]" */
  const gchar *build_id; /* GNU build id in lower-case hex, or NULL */
  gboolean has_functions;
  gboolean has_filenames;
  gboolean has_line_numbers;
  gboolean has_inline_frames;
} PyroMapping;

G_END_DECLS
