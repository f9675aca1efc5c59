/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: reads files and folders into as few profiles as their types allow,
 * without what the options leave out.
 * Owner: the input owns its profiles.
 * Threads: main only.
 */
#pragma once

#include "options.h"
#include "profile/profile.h"

G_BEGIN_DECLS

typedef struct {
  PyroProfile *profile; /* the sum of the files with these types */
  guint n_files;
  gsize n_read; /* samples, before those that do not match were left out */
} PyroInputGroup;

typedef struct {
  GPtrArray *groups; /* PyroInputGroup, in the order they were met */
  gboolean failed;   /* something could not be read, and was reported */
  GError
      *unmatched; /* why a filter matches nothing, where that is the command's
                     to report (PyroOptions.may_match_nothing), or NULL */
} PyroInput;

/* What cannot be read is reported, one line each, and left out; so are files
 * that are there twice and captures of another time. NULL with an error where a
 * filter names a label or a value that is nowhere. */
PyroInput *pyro_input_read (gchar *const *paths, const PyroOptions *options,
                            GError **error);
void pyro_input_free (PyroInput *input);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PyroInput, pyro_input_free)

G_END_DECLS
