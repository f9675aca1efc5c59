/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the captures that come into a folder while a command runs.
 * Owner: the recording owns its lists.
 * Threads: main only.
 */
#pragma once

#include <glib.h>
#include <sys/types.h>

G_BEGIN_DECLS

typedef struct {
  const gchar *folder;  /* borrowed */
  GHashTable *known;    /* paths of before, and those of FILES */
  GPtrArray *files;     /* new ones, paths, in the order in which they came */
  guint n_counted;      /* of FILES, in what follows */
  GHashTable *elements; /* distinct names */
  gint64 samples;
  gint64 begin_us; /* monotonic */
  gboolean shown;  /* a line of progress is on the terminal */
} PyroRecording;

/* What is in FOLDER already does not count. */
void pyro_recording_init (PyroRecording *recording, const gchar *folder);
void pyro_recording_clear (PyroRecording *recording);

/* Lists the captures that have come since. */
void pyro_recording_look (PyroRecording *recording);

/* One line on a terminal: time, CPU time of PID, samples and elements. */
void pyro_recording_show (PyroRecording *recording, pid_t pid);
/* Takes it off the terminal again. */
void pyro_recording_hide (PyroRecording *recording);

G_END_DECLS
