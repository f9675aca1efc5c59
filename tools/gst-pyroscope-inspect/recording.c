/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "recording.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "file-list.h"
#include "inspect-error.h"
#include "profile/profile.h"
#include "quantity.h"

/* A capture that does not decode is the commands' to report. */
static void
count (PyroRecording *recording, const gchar *path)
{
  g_autoptr (GBytes) bytes = pyro_file_read (path, PYRO_PROFILE_MAX_SIZE, NULL);
  g_autoptr (PyroProfile) profile
      = bytes != NULL ? pyro_profile_decode (bytes, NULL, NULL) : NULL;
  gsize i, j;

  if (profile == NULL)
    return;
  for (i = 0; i < profile->n_samples; i++) {
    const PyroSample *sample = &profile->samples[i];
    const PyroSampleLabel *element = pyro_sample_get_label (sample, "element");

    if (element != NULL)
      g_hash_table_add (recording->elements,
                        pyro_sample_label_to_string (element));
    for (j = 0; j < profile->n_sample_types; j++) {
      if (strcmp (profile->sample_types[j].type, "samples") == 0)
        recording->samples += sample->values[j];
    }
  }
}

static void
look (PyroRecording *recording, gboolean is_new)
{
  g_autoptr (GPtrArray) found = g_ptr_array_new_with_free_func (g_free);

  pyro_file_list_add_folder (found, recording->folder);
  for (guint i = 0; i < found->len; i++) {
    const gchar *path = found->pdata[i];

    if (g_hash_table_add (recording->known, g_strdup (path)) && is_new)
      g_ptr_array_add (recording->files, g_strdup (path));
  }
}

void
pyro_recording_init (PyroRecording *recording, const gchar *folder)
{
  *recording = (PyroRecording){
    .folder = folder,
    .known = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL),
    .files = g_ptr_array_new_with_free_func (g_free),
    .elements = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL),
    .begin_us = g_get_monotonic_time (),
  };
  look (recording, FALSE);
}

void
pyro_recording_clear (PyroRecording *recording)
{
  g_hash_table_unref (recording->known);
  g_hash_table_unref (recording->elements);
  g_ptr_array_unref (recording->files);
}

void
pyro_recording_look (PyroRecording *recording)
{
  look (recording, TRUE);
}

/* User and system time of PID and of its children that have ended, fields 14 to
 * 17 of proc(5)'s stat; its name, which may hold anything, ends with ')'. */
static gint64
cpu_time_ns (pid_t pid)
{
  g_autofree gchar *path = g_strdup_printf ("/proc/%d/stat", (int)pid);
  g_autofree gchar *text = NULL;
  const gchar *rest;
  guint64 ticks[4];

  if (!g_file_get_contents (path, &text, NULL, NULL)
      || (rest = strrchr (text, ')')) == NULL
      || sscanf (rest,
                 ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u"
                 " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT
                 " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT,
                 &ticks[0], &ticks[1], &ticks[2], &ticks[3])
             != 4)
    return 0;
  return (gint64)((ticks[0] + ticks[1] + ticks[2] + ticks[3]) * 1000000000
                  / (guint64)sysconf (_SC_CLK_TCK));
}

void
pyro_recording_show (PyroRecording *recording, pid_t pid)
{
  gint64 seconds
      = (g_get_monotonic_time () - recording->begin_us) / G_USEC_PER_SEC;
  g_autofree gchar *cpu = NULL;

  if (!isatty (STDERR_FILENO))
    return;
  pyro_recording_look (recording);
  while (recording->n_counted < recording->files->len)
    count (recording, recording->files->pdata[recording->n_counted++]);
  cpu = pyro_quantity_to_string (cpu_time_ns (pid), "nanoseconds");
  fprintf (stderr, "\r\033[Krecording %d:%02d  CPU %s", (int)(seconds / 60),
           (int)(seconds % 60), cpu);
  if (recording->files->len > 0)
    fprintf (stderr, "  %" G_GINT64_FORMAT " samples, %u elements",
             recording->samples, g_hash_table_size (recording->elements));
  fputc ('\r', stderr);
  fflush (stderr);
  recording->shown = TRUE;
}

void
pyro_recording_hide (PyroRecording *recording)
{
  if (recording->shown)
    fputs ("\r\033[K", stderr);
  recording->shown = FALSE;
}
