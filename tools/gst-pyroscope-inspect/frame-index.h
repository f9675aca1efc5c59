/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: a number for each name that the frames of a profile have, and the
 * names' numbers of each location.
 * Owner: the index owns the names.
 * Threads: read-only once it is made.
 */
#pragma once

#include "profile/profile.h"

G_BEGIN_DECLS

typedef enum {
  PYRO_FRAMES_FUNCTION, /* functions by name; the address where there is none */
  PYRO_FRAMES_LINE,     /* "function file:line" */
  PYRO_FRAMES_MAPPING,  /* the file; one frame for each location */
} PyroFrameKind;

typedef struct {
  GPtrArray *names; /* gchar *, by number */

  /*< private >*/
  const PyroProfile *profile;
  guint *first; /* by location; one more than there are */
  GArray *numbers;
} PyroFrameIndex;

PyroFrameIndex *
pyro_frame_index_new (const PyroProfile *profile, PyroFrameKind kind);
void pyro_frame_index_free (PyroFrameIndex *index);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PyroFrameIndex, pyro_frame_index_free)

/* The numbers of LOCATION's frames, inlined callees first. Borrowed. */
const guint *pyro_frame_index_get (const PyroFrameIndex *index,
                                   const PyroLocation *location, guint *n);

/* All of a sample's frames, leaf first, in STACK (guint), which is emptied
 * before. */
void pyro_frame_index_get_stack (const PyroFrameIndex *index,
                                 const PyroSample *sample, GArray *stack);

/* FALSE where TEXT is none of "function", "line" and "mapping". */
gboolean pyro_frame_kind_parse (const gchar *text, PyroFrameKind *kind);

/* Stands for the frame of a sample that has no stack. */
#define PYRO_NO_STACK "(no stack)"

G_END_DECLS
