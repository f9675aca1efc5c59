/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "input.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file-list.h"
#include "filter-facts.h"
#include "foreign-format.h"
#include "inspect-error.h"
#include "mixture.h"
#include "profile/profile-comments.h"
#include "profile/profile-merge.h"
#include "profile/profile-time.h"
#include "profile/saturated.h"

#define STANDARD_INPUT "-"
/* Reading that takes longer than this shows how far it is. */
#define PROGRESS_AFTER_US G_USEC_PER_SEC

/* Files of the same types while they are being read. */
typedef struct {
  PyroProfile *only;         /* while there is no second one */
  PyroProfileMerger *merger; /* NULL until there is one */
  gsize n_read;
} Collection;

typedef struct {
  const PyroOptions *options;
  PyroTimeRange range;
  GPtrArray *files;       /* paths */
  GPtrArray *collections; /* Collection */
  GPtrArray *series_keys; /* labels that the series gives, borrowed */
  PyroFilterFacts facts;
  PyroMixture mixture;
  GBytes *standard_input; /* read once */
  guint n_outside;        /* files of another time */
  guint n_repeated;
  gint64 begin_us;
  gboolean shown; /* the progress */
  gboolean failed;
} Reader;

static void
collection_free (gpointer data)
{
  Collection *collection = data;

  pyro_profile_free (collection->only);
  pyro_profile_merger_free (collection->merger);
  g_free (collection);
}

static Collection *
find_collection (Reader *reader, const PyroProfile *profile)
{
  Collection *collection;
  guint i;

  for (i = 0; i < reader->collections->len; i++) {
    collection = reader->collections->pdata[i];
    if (collection->only != NULL
            ? pyro_profile_has_types_of (collection->only, profile)
            : pyro_profile_merger_accepts (collection->merger, profile))
      return collection;
  }
  collection = g_new0 (Collection, 1);
  g_ptr_array_add (reader->collections, collection);
  return collection;
}

/* Takes PROFILE. They have the same types, and nothing else can go wrong. */
static void
collect (Collection *collection, PyroProfile *profile)
{
  if (collection->only == NULL && collection->merger == NULL) {
    collection->only = profile;
    return;
  }
  if (collection->merger == NULL) {
    collection->merger = pyro_profile_merger_new ();
    pyro_profile_merger_add (collection->merger, collection->only, NULL);
    g_clear_pointer (&collection->only, pyro_profile_free);
  }
  pyro_profile_merger_add (collection->merger, profile, NULL);
  pyro_profile_free (profile);
}

static GBytes *
read_bytes (Reader *reader, const gchar *path, GError **error)
{
  GBytes *bytes;

  if (strcmp (path, STANDARD_INPUT) == 0 && reader->standard_input != NULL)
    return g_bytes_ref (reader->standard_input);
  bytes = pyro_file_read (path, reader->options->limits.max_size, error);
  if (strcmp (path, STANDARD_INPUT) == 0 && bytes != NULL)
    reader->standard_input = g_bytes_ref (bytes);
  return bytes;
}

static void
add_series_labels (Reader *reader, PyroProfile *profile)
{
  for (gsize i = 0; i < profile->n_comments; i++) {
    const gchar *comment = profile->comments[i];
    const gchar *equals = strchr (comment, '=');
    g_autofree gchar *key = NULL;

    if (!g_str_has_prefix (comment, PYRO_COMMENT_SERIES) || equals == NULL)
      continue;
    comment += strlen (PYRO_COMMENT_SERIES);
    key = g_strndup (comment, MAX (equals - comment, 0));
    if (reader->options->all_series
        || g_ptr_array_find_with_equal_func (reader->series_keys, key,
                                             g_str_equal, NULL))
      pyro_profile_add_label (profile, key, equals + 1);
  }
}

/* Takes PROFILE. */
static void
use_profile (Reader *reader, PyroProfile *profile)
{
  const PyroOptions *options = reader->options;
  Collection *collection;

  if (!pyro_time_range_has (&reader->range, profile->time_ns,
                            profile->duration_ns)) {
    reader->n_outside++;
    pyro_profile_free (profile);
    return;
  }
  add_series_labels (reader, profile);
  if (options->mark_captures) {
    g_autofree gchar *capture
        = g_strdup_printf ("%" G_GINT64_FORMAT ":%" G_GINT64_FORMAT,
                           profile->time_ns, profile->duration_ns);

    pyro_profile_add_label (profile, PYRO_CAPTURE_LABEL, capture);
  }
  pyro_filter_facts_add (&reader->facts, profile);
  collection = find_collection (reader, profile);
  collection->n_read += profile->n_samples;
  pyro_profile_filter_labels (profile, (gpointer)options->filters->data,
                              options->filters->len);
  pyro_profile_filter_stacks (profile, &options->stacks);
  if (profile->n_samples > 0)
    pyro_mixture_add (&reader->mixture, profile);
  collect (collection, profile);
}

static void
read_file (Reader *reader, const gchar *path)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = read_bytes (reader, path, &error);
  PyroProfile *profile = NULL;

  if (bytes != NULL)
    profile = pyro_profile_decode (bytes, &reader->options->limits, &error);
  if (profile != NULL) {
    use_profile (reader, profile);
    return;
  }
  if (bytes != NULL)
    pyro_foreign_format_explain (bytes, &error);
  if (reader->shown)
    fputs ("\r\033[K", stderr);
  pyro_report (
      "%s: %s%s", path, error->message,
      g_error_matches (error, PYRO_PROFILE_ERROR, PYRO_PROFILE_ERROR_TOO_LARGE)
          ? " (see --max-size)"
          : "");
  reader->failed = TRUE;
}

/* Adds PATH, unless the same file is there already. */
static void
list_file (Reader *reader, GHashTable *known, const gchar *path)
{
  struct stat info;
  gchar *identity;

  if (strcmp (path, STANDARD_INPUT) == 0)
    identity = g_strdup (path);
  else if (stat (path, &info) == 0)
    identity = g_strdup_printf ("%" G_GUINT64_FORMAT ":%" G_GUINT64_FORMAT,
                                (guint64)info.st_dev, (guint64)info.st_ino);
  else
    identity = g_strdup_printf ("%s (missing)", path);
  if (g_hash_table_add (known, identity))
    g_ptr_array_add (reader->files, g_strdup (path));
  else
    reader->n_repeated++;
}

static void
list_path (Reader *reader, GHashTable *known, const gchar *path)
{
  g_autoptr (GPtrArray) found = g_ptr_array_new_with_free_func (g_free);
  gboolean complete;

  if (!g_file_test (path, G_FILE_TEST_IS_DIR)) {
    list_file (reader, known, path);
    return;
  }
  complete = pyro_file_list_add_folder (found, path);
  if (complete && found->len == 0) {
    pyro_report ("%s: no profile in this folder (*.pb.gz, *.pb, *.pprof)",
                 path);
    complete = FALSE;
  }
  for (guint i = 0; i < found->len; i++)
    list_file (reader, known, found->pdata[i]);
  if (!complete)
    reader->failed = TRUE;
}

static void
list_files (Reader *reader, gchar *const *paths)
{
  g_autoptr (GHashTable) known
      = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (; *paths != NULL; paths++)
    list_path (reader, known, *paths);
  if (reader->n_repeated > 0)
    pyro_report ("note: %u %s given more than once, and counted once",
                 reader->n_repeated,
                 reader->n_repeated == 1 ? "file was" : "files were");
}

/* --last counts from the end of the newest capture. */
static void
find_range (Reader *reader)
{
  gint64 newest_ns = G_MININT64;

  reader->range = reader->options->range;
  for (guint i = 0; i < reader->files->len && reader->range.last_ns > 0; i++) {
    g_autoptr (GBytes) bytes
        = read_bytes (reader, reader->files->pdata[i], NULL);
    gint64 time_ns, duration_ns;

    if (bytes != NULL
        && pyro_profile_peek_time (bytes, reader->options->limits.max_size,
                                   &time_ns, &duration_ns)
        && time_ns != 0)
      newest_ns
          = MAX (newest_ns, pyro_saturated_add (time_ns, MAX (duration_ns, 0)));
  }
  if (newest_ns != G_MININT64)
    reader->range.since_ns
        = MAX (reader->range.since_ns,
               pyro_saturated_add (newest_ns, -reader->range.last_ns));
}

static void
show_progress (Reader *reader, guint n_done)
{
  gboolean done = n_done == reader->files->len;

  if (!isatty (STDERR_FILENO)
      || g_get_monotonic_time () - reader->begin_us < PROGRESS_AFTER_US)
    return;
  if (done && reader->shown)
    fputs ("\r\033[K", stderr);
  else if (!done)
    fprintf (stderr, "\r\033[Kread %u of %u files (%u %%)", n_done,
             reader->files->len, 100 * n_done / reader->files->len);
  reader->shown = !done;
  fflush (stderr);
}

static PyroInputGroup *
finish_group (Collection *collection)
{
  /* What was read in parts is not refused for its sum. */
  static const PyroProfileLimits limits = { G_MAXSIZE, G_MAXSIZE };
  PyroInputGroup *group = g_new0 (PyroInputGroup, 1);
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GError) error = NULL;

  group->n_read = collection->n_read;
  if (collection->only != NULL) {
    group->profile = g_steal_pointer (&collection->only);
    group->n_files = 1;
    return group;
  }
  group->n_files = pyro_profile_merger_get_n_profiles (collection->merger);
  bytes = pyro_profile_merger_finish (collection->merger);
  g_clear_pointer (&collection->merger, pyro_profile_merger_free);
  group->profile = pyro_profile_decode (bytes, &limits, &error);
  if (group->profile == NULL)
    g_error ("the merged profile %s", error->message);
  return group;
}

static void
group_free (gpointer data)
{
  PyroInputGroup *group = data;

  pyro_profile_free (group->profile);
  g_free (group);
}

static void
reader_init (Reader *reader, const PyroOptions *options)
{
  *reader = (Reader){
    .options = options,
    .files = g_ptr_array_new_with_free_func (g_free),
    .collections = g_ptr_array_new_with_free_func (collection_free),
    .series_keys = g_ptr_array_new (),
    .begin_us = g_get_monotonic_time (),
  };
  for (guint i = 0; i < options->wanted->len; i++)
    g_ptr_array_add (reader->series_keys, options->wanted->pdata[i]);
  for (guint i = 0; i < options->filters->len; i++)
    g_ptr_array_add (reader->series_keys,
                     g_array_index (options->filters, PyroLabelFilter, i).key);
  pyro_filter_facts_init (&reader->facts, options->filters);
  pyro_mixture_init (&reader->mixture);
}

static void
reader_clear (Reader *reader)
{
  g_ptr_array_unref (reader->files);
  g_ptr_array_unref (reader->collections);
  g_ptr_array_unref (reader->series_keys);
  g_clear_pointer (&reader->standard_input, g_bytes_unref);
  pyro_filter_facts_clear (&reader->facts);
  pyro_mixture_clear (&reader->mixture);
}

static void
report_notes (const Reader *reader)
{
  if (reader->n_outside > 0)
    pyro_report ("note: %u %s of another time left aside", reader->n_outside,
                 reader->n_outside == 1 ? "capture" : "captures");
  pyro_mixture_report (&reader->mixture, reader->series_keys);
}

PyroInput *
pyro_input_read (gchar *const *paths, const PyroOptions *options,
                 GError **error)
{
  g_autoptr (GError) unmatched = NULL;
  PyroInput *input = NULL;
  Reader reader;
  guint i;

  reader_init (&reader, options);
  list_files (&reader, paths);
  find_range (&reader);
  for (i = 0; i < reader.files->len; i++) {
    read_file (&reader, reader.files->pdata[i]);
    show_progress (&reader, i + 1);
  }
  if (reader.collections->len == 0 && reader.n_outside > 0) {
    g_set_error (error, PYRO_INSPECT_ERROR, PYRO_INSPECT_ERROR_NO_MATCH,
                 "no capture of %u lies in the time that was asked for",
                 reader.n_outside);
  } else if (pyro_filter_facts_check (&reader.facts, &unmatched)
             || options->may_match_nothing) {
    report_notes (&reader);
    input = g_new0 (PyroInput, 1);
    input->failed = reader.failed;
    input->unmatched = g_steal_pointer (&unmatched);
    input->groups = g_ptr_array_new_with_free_func (group_free);
    for (i = 0; i < reader.collections->len; i++)
      g_ptr_array_add (input->groups,
                       finish_group (reader.collections->pdata[i]));
  } else {
    g_propagate_error (error, g_steal_pointer (&unmatched));
  }
  reader_clear (&reader);
  return input;
}

void
pyro_input_free (PyroInput *input)
{
  if (input == NULL)
    return;
  g_ptr_array_unref (input->groups);
  g_clear_error (&input->unmatched);
  g_free (input);
}
